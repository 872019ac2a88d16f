/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The unix sockets of a process that have a path: where it listens, and who came. Asked of the sockets themselves, borrowed
 * for a moment (pidfd_getfd), and not of /proc/net/unix: that lists an accepted socket in the network namespace of the
 * client, which may be any.
 */
#ifndef VMN_UNIX_SOCKETS_H
#define VMN_UNIX_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#include "failure.h"

struct vmn_unix_socket {
	bool listening;
	/* Accepted: who connected, 0 when it is in no pid namespace of ours. Listening: who began to listen. */
	int peer_pid;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1]; /* that it listens at, or was accepted at */
};

/* The caller frees `*sockets`. Fails as vmn_tun_files() does, and with EPERM where descriptors may not be borrowed. */
int vmn_unix_sockets(int pid, struct vmn_unix_socket **sockets, size_t *count, struct vmn_failure *failure);

#endif
