/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_LINK_WATCH_H
#define VMN_LINK_WATCH_H

#include "failure.h"

/* A socket that becomes readable when links or IPv4 routes of this network namespace change. */
int vmn_link_watch_open(struct vmn_failure *failure);

/*
 * Empties it, within bounds; what it said does not matter, since whoever is told looks again. 1 when there was something
 * or something was lost (ENOBUFS), 0 when there was not, -1 when the socket is of no more use.
 */
int vmn_link_watch_drain(int fd, struct vmn_failure *failure);

#endif
