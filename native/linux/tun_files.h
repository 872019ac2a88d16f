/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which taps a process holds open: its descriptors of /dev/net/tun and of macvtap's devices, asked by the ioctls that
 * would answer the process itself. For that each descriptor is borrowed for a moment (pidfd_getfd); nothing is changed.
 * Needs CAP_SYS_PTRACE for processes of others.
 */
#ifndef VMN_TUN_FILES_H
#define VMN_TUN_FILES_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

enum vmn_tun_kind {
	VMN_TUN_KIND_TAP,     /* Ethernet frames */
	VMN_TUN_KIND_TUN,     /* packets without a frame: no network card */
	VMN_TUN_KIND_MACVTAP, /* a tap that sends by its lower interface */
};

struct vmn_tun_file {
	int fd; /* its number in that process */
	enum vmn_tun_kind kind;
	char name[IFNAMSIZ]; /* of the interface, in the namespace where it is */
	uint64_t netns;      /* inode of that namespace; 0 where the kernel does not tell */
};

/* Which descriptors to look at: those of these numbers, or all of them where `numbers` is NULL. */
struct vmn_descriptors {
	const int *numbers;
	size_t count;
};

/*
 * Descriptors without an interface are left out, and so are those that are closed meanwhile. The caller frees `*files`.
 * Fails with ENOENT or ESRCH when there is no such process, with EACCES or EPERM when it may not be looked into.
 */
int vmn_tun_files(int pid, const struct vmn_descriptors *which, struct vmn_tun_file **files, size_t *count,
                  struct vmn_failure *failure);

/* A descriptor of the network namespace in which the tap behind a process's descriptor is. The caller closes it. */
int vmn_tun_netns(int pid, int fd, struct vmn_failure *failure);

#endif
