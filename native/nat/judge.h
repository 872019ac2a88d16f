/* SPDX-License-Identifier: Apache-2.0 */
/* The one filter around which the engine is built, and what it keeps from frame to frame. */
#ifndef VMN_NAT_JUDGE_H
#define VMN_NAT_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmn/abi.h"
#include "vmn/nat_control.h"
#include "vmn/verdict.h"

struct vmn_engine;

struct vmn_judge_state {
	bool has_policy; /* false: nobody has decided yet, nothing passes */
	struct vmn_policy policy;
	uint64_t policy_hash;
	uint64_t judged[2]; /* by direction, since this policy is in force */
	uint64_t nonce;
	struct vmn_flows flows;
	struct vmn_state kept;
	struct vmn_reports reports;
	struct vmn_counter counters[VMN_COUNTER_SLOTS];
};

/*
 * Judges and counts one frame, and tells about it when that is due. `readable`: how much of it lies at `data`, at least
 * VMN_JUDGED_BYTES or all of it.
 */
struct vmn_judgement vmn_nat_judge(struct vmn_engine *engine, uint32_t direction, const uint8_t *data, size_t readable,
                                   size_t frame_bytes);

/* Whether the engine may take a datagram there now. It speaks to endpoints alone, also where the mode lets more pass. */
bool vmn_nat_is_endpoint(const struct vmn_engine *engine, uint32_t address_be, uint16_t port_be);

/* VMN_NAT_OK once the policy is in force, else why not, and then nothing has changed. */
uint16_t vmn_nat_set_policy(struct vmn_engine *engine, const struct vmn_nat_set_policy *request);
uint16_t vmn_nat_quarantine(struct vmn_engine *engine);
void vmn_nat_deny(struct vmn_engine *engine);

#endif
