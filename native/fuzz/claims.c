// SPDX-License-Identifier: Apache-2.0
#include "claims.h"
#include "frames.h"

#include <stdlib.h>
#include <string.h>

/* The least that an engine makes readable before it judges, unless it could not. */
#define JUDGED_BYTES 46u
#define IPV4_END 34u

static struct vmn_judgement judged(const struct scene_frame *frame, const struct vmn_policy *policy,
                                   struct vmn_flows *flows)
{
	return engine_judge(policy, &frame->meta, flows, frame->direction, frame->data, frame->data_end);
}

static bool same(struct vmn_judgement a, struct vmn_judgement b)
{
	return a.reason == b.reason && a.audited == b.audited;
}

static uint32_t linear_bytes(const struct scene_frame *frame)
{
	return (uint32_t)(frame->data_end - frame->data);
}

static bool is_readable(const struct scene_frame *frame)
{
	return linear_bytes(frame) >= JUDGED_BYTES || linear_bytes(frame) == frame->head.frame_bytes;
}

static bool is_reason(unsigned int number)
{
#define REASON_CASE(number_, symbol, name) \
	case number_:                          \
		return true;
	switch (number) {
		VMN_REASONS(REASON_CASE)
	default:
		return false;
	}
#undef REASON_CASE
}

/* A frame that passes in mode Filtered is what the second opinion says it must be, and the other way round. */
static void claim_filtered(const struct scene_frame *frame, const struct expectation *expected,
                           struct vmn_judgement filtered)
{
	bool passes = engine_passes(&filtered), right = expect_right(expected);

	CLAIM(frame, is_reason(filtered.reason));
	CLAIM(frame, !filtered.audited);
	CLAIM(frame, filtered.reason != VMN_REASON_ALLOWED_FLOW && filtered.reason != VMN_REASON_ALLOWED_UNSAMPLED);
	CLAIM(frame, !passes || expected->usable);
	CLAIM(frame, !passes || right || expected->arp);
	CLAIM(frame, filtered.reason != VMN_REASON_ARP_ANSWERED || expected->arp);
	CLAIM(frame, filtered.reason != VMN_REASON_ALLOWED || (right && expected->remote == EXPECT_ENDPOINT));
	CLAIM(frame, filtered.reason != VMN_REASON_ALLOWED_PREVIOUS || (right && expected->remote == EXPECT_PREVIOUS));
	if (is_readable(frame))
		CLAIM(frame, passes == (right || expected->arp));
	if (passes)
		CLAIM(frame, !engine_is_violation(filtered.reason));
}

/*
 * Who the guest is holds in every mode and under Audit too; whom it talks to, as the mode says. Where too little was
 * readable to tell who it is, the frame is as good as one that lies about it.
 */
static void claim_mode(const struct scene_frame *frame, const struct expectation *expected,
                       struct vmn_judgement filtered, const struct vmn_policy *policy)
{
	struct vmn_judgement judgement = judged(frame, policy, NULL);
	bool identity = expected->identity && linear_bytes(frame) >= IPV4_END;
	bool audits = policy->flags & VMN_POLICY_AUDIT && vmn_is_drop(filtered.reason);

	if (!identity) {
		CLAIM(frame, same(judgement, filtered));
		CLAIM(frame, vmn_is_drop(judgement.reason) || expected->arp);
		return;
	}
	if (policy->mode == VMN_MODE_SAMPLED && !engine_is_drawn(policy, frame->head.nonce)) {
		CLAIM(frame, policy->sample_per_million < VMN_MILLION);
		CLAIM(frame, judgement.reason == VMN_REASON_ALLOWED_UNSAMPLED && !judgement.audited);
		return;
	}
	CLAIM(frame, policy->mode != VMN_MODE_SAMPLED || policy->sample_per_million > 0);
	CLAIM(frame, judgement.reason == filtered.reason);
	CLAIM(frame, judgement.audited == audits);
}

/* In order, apart, and at least one of them. */
static bool denies_in_order(const struct vmn_policy *policy)
{
	for (uint32_t i = 0; i < policy->denied_count && i < VMN_DENIED_MAX; i++)
		if (policy->denied[i].last < policy->denied[i].first ||
		    (i > 0 && policy->denied[i].first <= policy->denied[i - 1].last))
			return false;
	return policy->denied_count >= 1 && policy->denied_count <= VMN_DENIED_MAX;
}

/* Mode Direct: who the guest is, and that the other lies in no denied range, looked through one by one. */
static void claim_direct(const struct scene_frame *frame, const struct expectation *expected,
                         struct vmn_judgement filtered, struct vmn_policy *policy)
{
	bool identity = expected->identity && linear_bytes(frame) >= IPV4_END, denied = false;
	struct vmn_judgement judgement;
	const uint8_t *remote;
	uint32_t address;

	policy->mode = VMN_MODE_DIRECT;
	policy->flags &= ~VMN_POLICY_AUDIT;
	if (!denies_in_order(policy))
		policy_direct(policy);
	judgement = judged(frame, policy, NULL);
	CLAIM(frame, !judgement.audited);
	if (!identity) {
		CLAIM(frame, vmn_is_drop(judgement.reason) || expected->arp);
		CLAIM(frame, !expected->arp || same(judgement, filtered));
		return;
	}
	remote = frame->whole.data + (frame->head.flags & SCENE_TO_VM ? 26 : 30);
	address = (uint32_t)remote[0] << 24 | (uint32_t)remote[1] << 16 | (uint32_t)remote[2] << 8 | remote[3];
	for (uint32_t i = 0; i < policy->denied_count; i++)
		denied |= policy->denied[i].first <= address && address <= policy->denied[i].last;
	CLAIM(frame, judgement.reason == (denied ? VMN_REASON_DENIED_NETWORK : VMN_REASON_ALLOWED_DIRECT));
}

/* The first frame of a flow is judged in full and the second as part of it; a flow that did not pass is not known. */
static void claim_flow(const struct scene_frame *frame, const struct vmn_policy *policy)
{
	struct vmn_flows *flows = calloc(1, sizeof(*flows)), *before = malloc(sizeof(*flows));
	struct vmn_judgement alone = judged(frame, policy, NULL), first = judged(frame, policy, flows), second;

	CLAIM(frame, same(first, alone));
	memcpy(before, flows, sizeof(*flows));
	second = judged(frame, policy, flows);
	if (policy->mode == VMN_MODE_CONNTRACK && first.reason == VMN_REASON_ALLOWED)
		CLAIM(frame, second.reason == VMN_REASON_ALLOWED_FLOW && !second.audited);
	else
		CLAIM(frame, same(second, first));
	CLAIM(frame, !memcmp(before, flows, sizeof(*flows)));
	free(before);
	free(flows);
}

/* The short way for ordinary frames decides nothing that the rules do not, and an ordinary frame finds it. */
static void claim_plain(const struct scene_frame *frame, struct vmn_judgement judgement)
{
	struct vmn_judgement by_rules =
		engine_judge_by_rules(frame->policy, &frame->meta, frame->direction, frame->data, frame->data_end);
	bool is_plain = engine_is_plain(frame->policy, &frame->meta, frame->direction, frame->data, frame->data_end);

	CLAIM(frame, same(judgement, by_rules));
	CLAIM(frame, !is_plain || (by_rules.reason == VMN_REASON_ALLOWED && !by_rules.audited));
	if (by_rules.reason == VMN_REASON_ALLOWED && frame->policy->mode == VMN_MODE_FILTERED && !frame->meta.super_frame &&
	    is_readable(frame) && linear_bytes(frame) >= JUDGED_BYTES)
		CLAIM(frame, is_plain);
}

/* Less of the frame readable: never passes what would not have passed, in any mode. */
static void claim_shorter(const struct scene_frame *frame, struct vmn_judgement judgement)
{
	uint32_t linear = linear_bytes(frame), cut = linear ? (uint32_t)(frame->head.nonce % linear) : 0;
	struct vmn_judgement shorter;
	uint8_t *data = malloc(cut ? cut : 1);

	memcpy(data, frame->data, cut);
	shorter = engine_judge(frame->policy, &frame->meta, NULL, frame->direction, data, data + cut);
	CLAIM(frame, !engine_passes(&shorter) || engine_passes(&judgement));
	free(data);
}

/* Each packet that a super-frame becomes passes by itself. */
static void claim_segments(const struct scene_frame *frame, const struct vmn_policy *policy)
{
	uint32_t each = frame->head.segment_bytes, payload = frame->head.frame_bytes - 42;
	struct vmn_meta meta = frame->meta;

	meta.super_frame = VMN_SUPER_NONE;
	for (uint32_t at = 0; at < payload; at += each) {
		uint32_t bytes = payload - at < each ? payload - at : each, sum = 0;
		uint8_t *data = malloc(42 + bytes);
		struct vmn_judgement judgement;

		memcpy(data, frame->whole.data, 42);
		memcpy(data + 42, frame->whole.data + 42 + at, bytes);
		data[16] = (uint8_t)((28 + bytes) >> 8), data[17] = (uint8_t)(28 + bytes);
		data[38] = (uint8_t)((8 + bytes) >> 8), data[39] = (uint8_t)(8 + bytes);
		data[24] = data[25] = 0;
		for (int i = 14; i < 34; i += 2)
			sum += (uint32_t)(data[i] << 8 | data[i + 1]);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = ~((sum & 0xffff) + (sum >> 16));
		data[24] = (uint8_t)(sum >> 8), data[25] = (uint8_t)sum;
		meta.frame_bytes = 42 + bytes;
		judgement = engine_judge(policy, &meta, NULL, frame->direction, data, data + 42 + bytes);
		CLAIM(frame, !vmn_is_drop(judgement.reason));
		free(data);
	}
}

/* The filter's own answer to the guest of this policy passes, and nothing of it may be changed. */
static void claim_answer(const struct scene_frame *frame, const struct vmn_policy *policy)
{
	struct vmn_arp_frame *answer = malloc(sizeof(*answer));
	uint8_t *bytes = (uint8_t *)answer;
	struct vmn_meta meta = {.frame_bytes = sizeof(*answer), .own_answer = 1};
	struct vmn_judgement judgement;

	engine_arp_answer(policy, answer);
	judgement = engine_judge(policy, &meta, NULL, VMN_DIRECTION_TO_VM, bytes, bytes + sizeof(*answer));
	/* A guest that has a group's MAC, or its gateway's, cannot be answered in a way that passes. */
	if (!(policy->guest_mac[0] & 1))
		CLAIM(frame, judgement.reason == VMN_REASON_ARP_ANSWERED);
	bytes[frame->head.nonce % sizeof(*answer)] ^= (uint8_t)(1u << (frame->head.now_ns & 7));
	judgement = engine_judge(policy, &meta, NULL, VMN_DIRECTION_TO_VM, bytes, bytes + sizeof(*answer));
	CLAIM(frame, !engine_passes(&judgement));
	free(answer);
}

void claim_frame(const struct scene_frame *frame)
{
	struct expectation expected = expect_of(frame);
	struct vmn_judgement judgement = judged(frame, frame->policy, NULL), filtered;
	struct vmn_policy *policy;

	CLAIM(frame, same(judgement, judged(frame, frame->policy, NULL)));
	CLAIM(frame, !judgement.audited || vmn_is_drop(judgement.reason));
	CLAIM(frame, expected.usable || !engine_passes(&judgement));
	claim_plain(frame, judgement);
	claim_shorter(frame, judgement);
	if (!expected.usable)
		return;

	policy = malloc(sizeof(*policy));
	*policy = *frame->policy;
	policy->mode = VMN_MODE_FILTERED;
	policy->flags &= ~VMN_POLICY_AUDIT;
	filtered = judged(frame, policy, NULL);
	claim_filtered(frame, &expected, filtered);
	claim_answer(frame, policy);
	if (frame->meta.super_frame && !vmn_is_drop(filtered.reason))
		claim_segments(frame, policy);
	for (policy->mode = VMN_MODE_FILTERED; policy->mode <= VMN_MODE_SAMPLED; policy->mode++)
		for (int audit = 0; audit <= 1; audit++) {
			policy->flags ^= VMN_POLICY_AUDIT;
			claim_mode(frame, &expected, filtered, policy);
			claim_flow(frame, policy);
		}
	claim_direct(frame, &expected, filtered, policy);
	free(policy);
}
