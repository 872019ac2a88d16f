/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets that become readable when something of this network namespace changes, whoever changed it. */
#ifndef VMN_NETLINK_WATCH_H
#define VMN_NETLINK_WATCH_H

#include "failure.h"

/* Links, their IPv4 settings and traffic control, IPv4 neighbours that go, IPv4 routes and the rules that choose among them. */
int vmn_link_watch_open(struct vmn_failure *failure);

/* Links alone. */
int vmn_bare_link_watch_open(struct vmn_failure *failure);

/* The nftables rule set: tables, chains, rules, sets. */
int vmn_nftables_watch_open(struct vmn_failure *failure);

/*
 * Empties one, within bounds; what it said does not matter, since whoever is told looks again. 1 when there was something
 * or something was lost (ENOBUFS), 0 when there was not, -1 when the socket is of no more use.
 */
int vmn_netlink_watch_drain(int fd, struct vmn_failure *failure);

#endif
