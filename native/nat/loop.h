/* SPDX-License-Identifier: Apache-2.0 */
/* One epoll loop for everything. Who is woken does a bounded amount of work and returns; what is left wakes it again. */
#ifndef VMN_NAT_LOOP_H
#define VMN_NAT_LOOP_H

#include <stdint.h>

struct vmn_engine;

enum vmn_wake {
	VMN_WAKE_GUEST,
	VMN_WAKE_GUEST_LISTENER,
	VMN_WAKE_FLOW,    /* index: of the flow */
	VMN_WAKE_CONTROL, /* index: of the client */
	VMN_WAKE_CONTROL_LISTENER,
};

/* Also for a descriptor that is watched already. */
void vmn_loop_watch(struct vmn_engine *engine, int fd, enum vmn_wake wake, uint32_t index, uint32_t events);
void vmn_loop_forget(struct vmn_engine *engine, int fd);

/* Until the engine is told to quit, or its guest has gone and cannot come back. */
void vmn_loop_run(struct vmn_engine *engine);

#endif
