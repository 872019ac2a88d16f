/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Datagrams on their way to the endpoint. A run of one flow's datagrams of one size goes to the kernel as one, which cuts
 * it up again (UDP_SEGMENT): that costs a fraction of a system call and of a walk through the stack for each of them.
 * Payloads are not copied: they stay where the guest's frames were read to until the run has ended.
 */
#ifndef VMN_NAT_SEND_RUN_H
#define VMN_NAT_SEND_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct vmn_engine;
struct vmn_nat_flow;

/* UDP_MAX_SEGMENTS of kernels before 6.9. */
#define VMN_RUN_DATAGRAMS 64

struct vmn_send_run {
	struct vmn_nat_flow *flow;
	struct iovec payloads[VMN_RUN_DATAGRAMS];
	unsigned int count;
	size_t segment_bytes, total_bytes;
	bool one_by_one; /* this host cannot cut runs: found out once, for good */
};

void vmn_send_run_add(struct vmn_engine *engine, struct vmn_nat_flow *flow, const uint8_t *payload, size_t bytes);

/* Before the memory of the payloads is used again. */
void vmn_send_run_end(struct vmn_engine *engine);

#endif
