// SPDX-License-Identifier: Apache-2.0
#include "judge.h"

#include <string.h>

#include "engine.h"
#include "vmn/report.h"

static void tell(struct vmn_engine *engine, uint8_t kind, uint32_t direction, const struct vmn_judgement *judgement,
                 const uint8_t *data, size_t readable, size_t frame_bytes)
{
	size_t head_bytes = readable < VMN_EVENT_HEAD_BYTES ? readable : VMN_EVENT_HEAD_BYTES;
	struct vmn_event event = {
		.time_ns = engine->now_ns,
		.generation = engine->judge.has_policy ? engine->judge.policy.generation : 0,
		.frame_bytes = (uint32_t)frame_bytes,
		.head_bytes = (uint16_t)head_bytes,
		.direction = (uint8_t)direction,
		.reason = (uint8_t)judgement->reason,
		.kind = kind,
		.audited = (uint8_t)judgement->audited,
	};

	memcpy(event.head, data, head_bytes);
	if (!vmn_control_tell(engine, &event))
		engine->judge.counters[VMN_COUNTER_EVENTS_LOST].packets++;
}

static void report(struct vmn_engine *engine, const struct vmn_policy *policy, uint32_t direction,
                   const struct vmn_judgement *judgement, const uint8_t *data, size_t readable, size_t frame_bytes)
{
	struct vmn_judge_state *state = &engine->judge;
	uint32_t kind = vmn_frame_kind(policy, direction, judgement->reason, data, data + readable);
	enum vmn_report due = vmn_report_due(&state->reports, kind, engine->now_ns);

	if (due == VMN_REPORT_NEW)
		tell(engine, VMN_EVENT_DROP, direction, judgement, data, readable, frame_bytes);
	else if (due == VMN_REPORT_SUPPRESSED)
		state->counters[VMN_COUNTER_EVENTS_SUPPRESSED].packets++;
	if (policy && policy->violation_threshold && direction == VMN_DIRECTION_FROM_VM &&
	    vmn_is_violation(judgement->reason) && vmn_violation_note(policy, &state->kept.violations, engine->now_ns))
		tell(engine, VMN_EVENT_VIOLATIONS, direction, judgement, data, readable, frame_bytes);
}

static void count(struct vmn_judge_state *state, uint32_t direction, const struct vmn_judgement *judgement,
                  size_t frame_bytes)
{
	struct vmn_counter *counter =
		&state->counters[((judgement->audited ? 2 : 0) + direction) * VMN_REASON_SLOTS + judgement->reason];

	counter->packets++;
	counter->bytes += frame_bytes;
	state->judged[direction]++;
}

struct vmn_judgement vmn_nat_judge(struct vmn_engine *engine, uint32_t direction, const uint8_t *data, size_t readable,
                                   size_t frame_bytes)
{
	struct vmn_judge_state *state = &engine->judge;
	const struct vmn_policy *policy = state->has_policy ? &state->policy : NULL;
	struct vmn_whole_frame whole = {data, data + readable};
	const struct vmn_meta meta = {
		.now_ns = engine->now_ns,
		.nonce = state->nonce++,
		.frame_bytes = (uint32_t)frame_bytes,
		.flows = &state->flows,
		.whole = &whole,
	};
	struct vmn_judgement judgement = vmn_judge(policy, &meta, direction, data, data + readable);

	if (policy && vmn_is_limited(policy, direction, &judgement))
		vmn_judge_limited(policy, &judgement,
		                  vmn_limit(policy, &state->kept.limiter, engine->now_ns, (uint32_t)frame_bytes, 1));
	count(state, direction, &judgement, frame_bytes);
	if (vmn_is_drop(judgement.reason))
		report(engine, policy, direction, &judgement, data, readable, frame_bytes);
	return judgement;
}

bool vmn_nat_is_endpoint(const struct vmn_engine *engine, uint32_t address_be, uint16_t port_be)
{
	const struct vmn_meta meta = {.now_ns = engine->now_ns};

	return engine->judge.has_policy &&
	       !vmn_is_drop(
			   vmn_judge_remote(&engine->judge.policy, &meta, VMN_DIRECTION_FROM_VM, address_be, VMN_NET16(port_be)));
}

/* Nothing that was let in by an older policy is still on its way. */
static void turn_generation(struct vmn_engine *engine)
{
	struct vmn_judge_state *state = &engine->judge;

	state->judged[VMN_DIRECTION_FROM_VM] = 0;
	state->judged[VMN_DIRECTION_TO_VM] = 0;
	vmn_guest_out_discard(engine);
	vmn_flow_table_keep_endpoints(engine);
}

uint16_t vmn_nat_set_policy(struct vmn_engine *engine, const struct vmn_nat_set_policy *request)
{
	struct vmn_judge_state *state = &engine->judge;
	const struct vmn_policy *policy = &request->policy;

	if (vmn_nat_policy_hash(policy) != request->hash)
		return VMN_NAT_POLICY_HASH;
	if (vmn_judge_policy(policy) == VMN_REASON_POLICY_ABI)
		return VMN_NAT_POLICY_ABI;
	if (policy->mode == VMN_MODE_DIRECT)
		return VMN_NAT_POLICY_MODE;
	state->policy = *policy;
	state->policy_hash = request->hash;
	state->has_policy = true;
	turn_generation(engine);
	return VMN_NAT_OK;
}

uint16_t vmn_nat_quarantine(struct vmn_engine *engine)
{
	struct vmn_judge_state *state = &engine->judge;

	if (!state->has_policy)
		return VMN_NAT_NO_POLICY;
	state->policy.flags |= VMN_POLICY_QUARANTINED;
	state->policy_hash = vmn_nat_policy_hash(&state->policy);
	turn_generation(engine);
	return VMN_NAT_OK;
}

void vmn_nat_deny(struct vmn_engine *engine)
{
	struct vmn_judge_state *state = &engine->judge;

	memset(&state->policy, 0, sizeof(state->policy));
	state->policy_hash = 0;
	state->has_policy = false;
	turn_generation(engine);
}
