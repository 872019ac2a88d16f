/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine takes from itself. It reads frames that an attacker made, so it is left with nothing worth having: no
 * capabilities, none to be gained, no file, no program to start, no memory to map, no socket but UDP over IPv4. A system call
 * that it does not need ends it, and with it the VM's network, closed.
 */
#ifndef VMN_NAT_CONFINE_H
#define VMN_NAT_CONFINE_H

/* Before the first word of anybody else is read: what opening sockets by path needs, and what `vmn_confine_run` does. */
int vmn_confine_start(const char **failed);

/* Before the first frame. 0, or -1 with errno and what failed. */
int vmn_confine_run(const char **failed);

#endif
