/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's end: who holds it, and what becomes of a frame that came in by it. */
#ifndef VMN_NAT_GUEST_SIDE_H
#define VMN_NAT_GUEST_SIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmn_engine;
struct vmn_transport_kind;

#define VMN_GUEST_READ_BYTES (640 << 10)

struct vmn_guest_side {
	const struct vmn_transport_kind *transport;
	int listener;     /* -1: the descriptor was handed over, and its end is the engine's */
	int fd;           /* -1: nobody is there */
	uint32_t watched; /* epoll's events for `fd` */
	size_t filled;    /* of `read`, with a frame that is not whole yet */
	uint8_t read[VMN_GUEST_READ_BYTES];
};

/* The kind of socket says which transport it is: SOCK_STREAM or SOCK_DGRAM, listening or not. -1: none of them. */
int vmn_guest_side_open(struct vmn_engine *engine, int fd);

void vmn_guest_side_accept(struct vmn_engine *engine);
void vmn_guest_side_wake(struct vmn_engine *engine, uint32_t events);
void vmn_guest_side_watch(struct vmn_engine *engine);
void vmn_guest_side_left(struct vmn_engine *engine);

/* One whole frame, which stays where it is until vmn_send_run_end. */
void vmn_guest_side_frame(struct vmn_engine *engine, const uint8_t *data, size_t bytes);

#endif
