/* SPDX-License-Identifier: Apache-2.0 */
/* What is opened before the lock-down: sockets named on the command line, by path or as descriptors handed over. */
#ifndef VMN_NAT_SOCKETS_H
#define VMN_NAT_SOCKETS_H

/*
 * "fd:N": that descriptor, which was handed over. Anything else: a path, where a stream socket is made to listen that only
 * the same user and root can reach. -1 and errno on failure.
 */
int vmn_socket_named(const char *name);

/* Closes whatever else was handed over, knowingly or not. */
void vmn_sockets_keep_only(int one, int other);

#endif
