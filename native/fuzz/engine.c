// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

struct vmn_judgement engine_judge(const struct vmn_policy *policy, const struct vmn_meta *meta, struct vmn_flows *flows,
                                  uint32_t direction, const uint8_t *data, const uint8_t *data_end)
{
	struct vmn_meta with_flows = *meta;

	with_flows.flows = flows;
	return vmn_judge(policy, &with_flows, direction, data, data_end);
}

struct vmn_judgement engine_judge_by_rules(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                           uint32_t direction, const uint8_t *data, const uint8_t *data_end)
{
	return vmn_judge_by_rules(policy, meta, direction, data, data_end);
}

bool engine_is_plain(const struct vmn_policy *policy, const struct vmn_meta *meta, uint32_t direction,
                     const uint8_t *data, const uint8_t *data_end)
{
	return vmn_is_plain(policy, meta, direction, data, data_end);
}

bool engine_passes(const struct vmn_judgement *judgement)
{
	return vmn_passes(judgement);
}

bool engine_judge_rate(const struct vmn_policy *policy, const struct vmn_meta *meta, struct vmn_limiter *limiter,
                       uint32_t direction, struct vmn_judgement *judgement)
{
	if (!policy || !vmn_is_limited(policy, direction, judgement))
		return false;
	vmn_judge_limited(policy, judgement,
	                  vmn_limit(policy, limiter, meta->now_ns, vmn_wire_bytes(meta), vmn_wire_packets(meta)));
	return true;
}

bool engine_violation_note(const struct vmn_policy *policy, struct vmn_violations *violations, uint64_t now_ns)
{
	return vmn_violation_note(policy, violations, now_ns);
}

bool engine_is_violation(enum vmn_reason reason)
{
	return vmn_is_violation(reason);
}

bool engine_is_drawn(const struct vmn_policy *policy, uint64_t nonce)
{
	return vmn_is_drawn(policy, nonce);
}

enum vmn_parse engine_parse_frame(const uint8_t *data, const uint8_t *data_end, struct vmn_frame *frame)
{
	return vmn_parse_frame(data, data_end, frame);
}

void engine_arp_answer(const struct vmn_policy *policy, struct vmn_arp_frame *answer)
{
	vmn_arp_answer(policy, answer);
}

enum vmn_report engine_report(struct vmn_reports *reports, const struct vmn_policy *policy, uint32_t direction,
                              enum vmn_reason reason, const uint8_t *data, const uint8_t *data_end, uint64_t now_ns)
{
	return vmn_report_due(reports, vmn_frame_kind(policy, direction, reason, data, data_end), now_ns);
}
