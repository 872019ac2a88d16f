// SPDX-License-Identifier: Apache-2.0
#include "watch.h"

#include <stdlib.h>
#include <string.h>

#define BURST_MS 50 /* what a bucket holds, in time at its rate */
#define SECOND_NS 1000000000ull

/* Of a bucket, in billionths: what the longest super-frame costs. */
#define DEBT_MAX 1000000000000000ll

/* gso_size of a frame has 16 bits; what limits do with a larger one is nobody's concern. */
#define SEGMENT_BYTES_MAX 65535

/* Violations and debts that take longer to collect than a fuzzer lives. */
static void begin_with(struct watch *watch, const struct vmn_policy *policy)
{
	int64_t level;

	memcpy(&level, &policy->reserved[1], sizeof(level));
	if (policy->reserved[0]) {
		watch->violations->now = (uint32_t)policy->reserved[0];
		watch->violations->before = (uint32_t)(policy->reserved[0] >> 32);
		watch->violations->window_start_ns = 1;
	}
	if (level < 0 && level >= -DEBT_MAX)
		*watch->limiter = (struct vmn_limiter){.last_ns = 1, .bits = level, .packets = level};
}

void watch_open(struct watch *watch, const struct vmn_policy *policy)
{
	memset(watch, 0, sizeof(*watch));
	watch->flows = calloc(1, sizeof(*watch->flows));
	watch->limiter = calloc(1, sizeof(*watch->limiter));
	watch->violations = calloc(1, sizeof(*watch->violations));
	watch->reports = calloc(1, sizeof(*watch->reports));
	begin_with(watch, policy);
}

void watch_close(struct watch *watch)
{
	free(watch->flows);
	free(watch->limiter);
	free(watch->violations);
	free(watch->reports);
}

static struct watch_flow flow_of(const struct vmn_policy *policy, const struct expectation *expected)
{
	struct watch_flow flow;

	memset(&flow, 0, sizeof(flow)); /* the holes too: flows are compared as bytes */
	flow.generation = policy->generation;
	memcpy(flow.secret, policy->secret, sizeof(flow.secret));
	flow.remote_be = expected->remote_be;
	flow.remote_port = expected->remote_port;
	flow.guest_port = expected->guest_port;
	return flow;
}

static bool is_known(const struct watch *watch, const struct watch_flow *flow)
{
	for (unsigned int i = 0; i < watch->known_count; i++)
		if (!memcmp(&watch->known[i], flow, sizeof(*flow)))
			return true;
	return false;
}

/* Only what was allowed before is part of a flow, and what is no part of one is judged as if there were none. */
static struct vmn_judgement judge_in_flow(struct watch *watch, const struct scene_frame *frame,
                                          const struct expectation *expected)
{
	struct vmn_judgement judgement, alone;
	struct watch_flow flow;
	bool known;

	alone = engine_judge(frame->policy, &frame->meta, NULL, frame->direction, frame->data, frame->data_end);
	judgement = engine_judge(frame->policy, &frame->meta, watch->flows, frame->direction, frame->data, frame->data_end);
	CLAIM(frame, engine_passes(&judgement) == engine_passes(&alone) || judgement.reason == VMN_REASON_ALLOWED_FLOW);
	if (!expected->usable || frame->policy->mode != VMN_MODE_CONNTRACK) {
		CLAIM(frame, judgement.reason == alone.reason && judgement.audited == alone.audited);
		return judgement;
	}
	if (!expected->datagram) {
		/* The reason may be another: of a known flow fewer rules are looked at. */
		CLAIM(frame, judgement.reason != VMN_REASON_ALLOWED_FLOW && judgement.reason != VMN_REASON_ALLOWED);
		return judgement;
	}
	flow = flow_of(frame->policy, expected);
	known = is_known(watch, &flow);
	if (judgement.reason == VMN_REASON_ALLOWED_FLOW)
		CLAIM(frame, known && !judgement.audited);
	else
		CLAIM(frame, judgement.reason == alone.reason && judgement.audited == alone.audited);
	/* So few flows cannot have pushed each other out. */
	if (known && watch->known_count <= VMN_FLOW_WAYS && (uint32_t)(frame->data_end - frame->data) >= 46)
		CLAIM(frame, judgement.reason == VMN_REASON_ALLOWED_FLOW);
	if (judgement.reason == VMN_REASON_ALLOWED && !known)
		watch->known[watch->known_count++] = flow;
	return judgement;
}

static void pay(struct watch_paid *paid, const struct scene_frame *frame)
{
	uint32_t payload = frame->head.frame_bytes > 42 ? frame->head.frame_bytes - 42 : 0;
	uint32_t each = frame->head.segment_bytes;
	bool is_cut = frame->meta.super_frame && each && payload;

	paid->last_packets = is_cut ? (payload + each - 1) / each : 1;
	paid->last_bits = 8 * (frame->head.frame_bytes + 42 * (paid->last_packets - 1));
	paid->bits += paid->last_bits;
	paid->packets += paid->last_packets;
}

/* Over any time no more than the rate, a burst, and the frame that went into debt. */
static bool is_within(uint64_t paid, uint64_t last, uint64_t rate, uint64_t elapsed_ns)
{
	unsigned __int128 most = (unsigned __int128)rate * elapsed_ns + (unsigned __int128)rate * (BURST_MS * 1000000ull);

	return !rate || (unsigned __int128)(paid - last) * SECOND_NS <= most;
}

/* A limit above the highest counts as that one. */
static uint64_t at_most(uint64_t rate, uint64_t most)
{
	return rate < most ? rate : most;
}

static void watch_limits(struct watch *watch, const struct scene_frame *frame, struct vmn_judgement *judgement)
{
	const struct vmn_policy *policy = frame->policy;
	struct vmn_judgement before = *judgement;
	struct watch_paid *paid = &watch->paid;
	uint64_t bit_rate, packet_rate;
	struct vmn_limiter kept;

	/* A clock that has just begun says 0, which stands for no frame yet. */
	if (frame->head.segment_bytes > SEGMENT_BYTES_MAX || !frame->head.now_ns)
		return;
	if (!engine_judge_rate(policy, &frame->meta, watch->limiter, frame->direction, judgement)) {
		CLAIM(frame, !policy || frame->direction == VMN_DIRECTION_TO_VM || vmn_is_drop(before.reason) ||
		                 before.reason == VMN_REASON_ARP_ANSWERED ||
		                 !(policy->egress_bits_per_second | policy->packets_per_second));
		return;
	}
	CLAIM(frame, frame->direction == VMN_DIRECTION_FROM_VM && !vmn_is_drop(before.reason));
	bit_rate = at_most(policy->egress_bits_per_second, 100000000000ull);
	packet_rate = at_most(policy->packets_per_second, 1000000000ull);
	if (paid->bits_per_second != bit_rate || paid->packets_per_second != packet_rate)
		*paid = (struct watch_paid){bit_rate, packet_rate, watch->limiter->last_ns, 0, 0, 0, 0};
	if (judgement->reason == before.reason) {
		pay(paid, frame);
		CLAIM(frame,
		      is_within(paid->bits, paid->last_bits, paid->bits_per_second, watch->limiter->last_ns - paid->since_ns));
		CLAIM(frame, is_within(paid->packets, paid->last_packets, paid->packets_per_second,
		                       watch->limiter->last_ns - paid->since_ns));
		return;
	}
	CLAIM(frame, judgement->reason == VMN_REASON_BIT_RATE || judgement->reason == VMN_REASON_PACKET_RATE);
	CLAIM(frame, judgement->audited == ((policy->flags & VMN_POLICY_AUDIT) != 0));
	/* A frame that is refused pays nothing: asked again at once, the answer and the levels are the same. */
	kept = *watch->limiter;
	engine_judge_rate(policy, &frame->meta, watch->limiter, frame->direction, &before);
	CLAIM(frame, before.reason == judgement->reason && !memcmp(&kept, watch->limiter, sizeof(kept)));
}

static void watch_violations(struct watch *watch, const struct scene_frame *frame, struct vmn_judgement judgement)
{
	uint64_t crossings = watch->violations->crossings, now_ns = frame->head.now_ns;
	struct watch_told told = {.now_ns = now_ns};
	bool crossed;

	/* A clock that has just begun says 0, which stands for no window. */
	if (!frame->policy || frame->direction != VMN_DIRECTION_FROM_VM || !frame->policy->violation_threshold ||
	    !engine_is_violation(judgement.reason) || !now_ns)
		return;
	CLAIM(frame, vmn_is_drop(judgement.reason));
	told.generation = frame->policy->generation;
	told.threshold = frame->policy->violation_threshold;
	told.window_ms = frame->policy->violation_window_ms;
	crossed = engine_violation_note(frame->policy, watch->violations, now_ns);
	CLAIM(frame, watch->violations->crossings == crossings + crossed);
	CLAIM(frame, !crossed || (uint64_t)watch->violations->now + watch->violations->before >= told.threshold);
	/* Once told, it keeps still under the same policy: nothing has come down in no time. */
	CLAIM(frame, !crossed || memcmp(&told, &watch->told, sizeof(told)));
	watch->told = crossed ? told : (struct watch_told){0};
}

static void watch_reports(struct watch *watch, const struct scene_frame *frame, struct vmn_judgement judgement)
{
	uint64_t second = frame->head.now_ns / SECOND_NS;
	enum vmn_report report, again;

	/* Seconds are kept in 32 bits, 136 years of uptime. */
	if (!vmn_is_drop(judgement.reason) || second >= 0xffffffffu)
		return;
	report = engine_report(watch->reports, frame->policy, frame->direction, judgement.reason, frame->data,
	                       frame->data_end, frame->head.now_ns);
	again = engine_report(watch->reports, frame->policy, frame->direction, judgement.reason, frame->data,
	                      frame->data_end, frame->head.now_ns);
	CLAIM(frame, again == (report == VMN_REPORT_SUPPRESSED ? VMN_REPORT_SUPPRESSED : VMN_REPORT_KNOWN));
	/* A clock that goes back and forth between seconds may be told more in one of them. */
	if (report != VMN_REPORT_KNOWN && second != watch->report_second)
		watch->report_second = second, watch->report_count = 0;
	watch->report_count += report == VMN_REPORT_NEW;
	CLAIM(frame, watch->report_count <= VMN_REPORTS_PER_SECOND);
	CLAIM(frame, report != VMN_REPORT_SUPPRESSED || watch->report_count == VMN_REPORTS_PER_SECOND);
}

void watch_frame(struct watch *watch, const struct scene_frame *frame)
{
	struct expectation expected = expect_of(frame);
	struct vmn_judgement judgement = judge_in_flow(watch, frame, &expected);

	CLAIM(frame, !engine_passes(&judgement) || expected.identity || expected.arp);
	watch_limits(watch, frame, &judgement);
	watch_violations(watch, frame, judgement);
	watch_reports(watch, frame, judgement);
}
