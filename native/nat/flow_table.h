/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connected UDP socket for each of the guest's source ports and endpoint. The kernel then lets in what the endpoint
 * sends and nothing else. The table is bounded: the flow unused for longest goes out, and a guest can push out only its own.
 */
#ifndef VMN_NAT_FLOW_TABLE_H
#define VMN_NAT_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

struct vmn_engine;

#define VMN_NAT_FLOWS 64

struct vmn_nat_flow {
	bool taken;
	int fd; /* -1: waits until it may be opened again */
	uint16_t guest_port_be, remote_port_be;
	uint32_t remote_be;
	uint32_t back_off_ms; /* 0: the last attempt went well */
	uint64_t reopen_at_ns;
	uint64_t used; /* greater: later */
};

struct vmn_flow_table {
	struct vmn_nat_flow flows[VMN_NAT_FLOWS];
	struct vmn_nat_flow *last;
	uint64_t uses;
	uint32_t open;
	bool paused; /* no flow is listened to, since the guest does not take what was read already */
};

void vmn_flow_table_init(struct vmn_engine *engine);

/* With an open socket, or NULL: it cannot be had now, which is counted. */
struct vmn_nat_flow *vmn_flow_for(struct vmn_engine *engine, uint16_t guest_port_be, uint32_t remote_be,
                                  uint16_t remote_port_be);

/* Its socket is of no use: a new one, and with it a new route and source address, after a while that grows. */
void vmn_flow_back_off(struct vmn_engine *engine, struct vmn_nat_flow *flow);

/* Closes the flows with all who are no endpoint of the policy in force. */
void vmn_flow_table_keep_endpoints(struct vmn_engine *engine);

void vmn_flow_table_pause(struct vmn_engine *engine, bool paused);

#endif
