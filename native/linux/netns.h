/* SPDX-License-Identifier: Apache-2.0 */
/* Work in another network namespace than the caller's. */
#ifndef VMN_NETNS_H
#define VMN_NETNS_H

#include "failure.h"

/* Returns -1 and fills `failure` when it fails. */
typedef int (*vmn_netns_work)(void *context, struct vmn_failure *failure);

/*
 * Does `work` in the namespace behind the descriptor `netns`, and returns what it returns. It is done on a thread of its
 * own, which ends there: the caller's never leaves its namespace, so there is no way back that could fail. Sockets that
 * `work` opens stay in that namespace for as long as they live, and keep it alive. Needs CAP_SYS_ADMIN.
 */
int vmn_netns_do(int netns, vmn_netns_work work, void *context, struct vmn_failure *failure);

/*
 * Takes the calling thread itself there, for work that cannot be done on another one. Returns the way home, a descriptor
 * for vmn_netns_go_home(). When it fails the thread is where it was. Visits may be made from visits.
 */
int vmn_netns_visit(int netns, struct vmn_failure *failure);

/* Closes the descriptor. When it fails the thread is still away, and the process must not go on. */
int vmn_netns_go_home(int home, struct vmn_failure *failure);

#endif
