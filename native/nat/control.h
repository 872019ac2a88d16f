/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket (vmn/nat_control.h is what is spoken on it). Few clients with memory of their own: one that stalls
 * holds up nobody, and when all places are taken the one that was silent for longest goes.
 */
#ifndef VMN_NAT_CONTROL_ROOM_H
#define VMN_NAT_CONTROL_ROOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmn/nat_control.h"

struct vmn_engine;

#define VMN_CONTROL_CLIENTS 4
#define VMN_CONTROL_REQUEST_BYTES (sizeof(struct vmn_nat_head) + sizeof(struct vmn_nat_set_policy))
#define VMN_CONTROL_ANSWER_BYTES (sizeof(struct vmn_nat_head) + sizeof(struct vmn_nat_counters))
#define VMN_CONTROL_EVENTS 64

struct vmn_control_client {
	int fd; /* -1: a free place */
	bool subscribed;
	uint64_t heard; /* greater: later */
	size_t in_bytes, out_bytes;
	_Alignas(8) uint8_t in[VMN_CONTROL_REQUEST_BYTES];
	uint8_t
		out[VMN_CONTROL_ANSWER_BYTES + VMN_CONTROL_EVENTS * (sizeof(struct vmn_nat_head) + sizeof(struct vmn_event))];
};

struct vmn_control {
	int listener;
	uint32_t uid; /* the engine's own: its like and root may control it */
	uint64_t heard;
	struct vmn_control_client clients[VMN_CONTROL_CLIENTS];
};

void vmn_control_open(struct vmn_engine *engine, int listener);
void vmn_control_accept(struct vmn_engine *engine);
void vmn_control_wake(struct vmn_engine *engine, uint32_t client, uint32_t events);

/* To every client that asked for it. False: one had no room left. */
bool vmn_control_tell(struct vmn_engine *engine, const struct vmn_event *event);

#endif
