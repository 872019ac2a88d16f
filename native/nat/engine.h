/* SPDX-License-Identifier: Apache-2.0 */
/* The whole engine: one of each part, in memory that is there from the start and never grows. */
#ifndef VMN_NAT_ENGINE_H
#define VMN_NAT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "consumer_side.h"
#include "control.h"
#include "flow_table.h"
#include "guest_out.h"
#include "guest_side.h"
#include "judge.h"
#include "send_run.h"
#include "vmn/nat_control.h"

struct vmn_engine {
	int epoll_fd;
	uint64_t now_ns;     /* CLOCK_MONOTONIC, read once for each waking */
	uint64_t quit_at_ns; /* 0: goes on */
	bool guest_gone;     /* the guest's descriptor was handed over and has ended */
	uint64_t counts[VMN_NAT_COUNT_SLOTS];
	struct vmn_judge_state judge;
	struct vmn_guest_side guest;
	struct vmn_guest_out out;
	struct vmn_flow_table flows;
	struct vmn_send_run sending;
	struct vmn_consumer_side consumer;
	struct vmn_control control;
};

static inline void vmn_count(struct vmn_engine *engine, enum vmn_nat_count count, uint64_t more)
{
	engine->counts[count] += more;
}

#endif
