/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter as the fuzzers call it. engine.c is the one place that compiles its functions, so that coverage is that of
 * one copy; here are only its types.
 */
#ifndef VMN_FUZZ_ENGINE_H
#define VMN_FUZZ_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "vmn/frame.h"
#include "vmn/report.h"
#include "vmn/verdict.h"

struct vmn_judgement engine_judge(const struct vmn_policy *policy, const struct vmn_meta *meta, struct vmn_flows *flows,
                                  uint32_t direction, const uint8_t *data, const uint8_t *data_end);

/* The same without the short way for ordinary frames, and whether that way is taken. */
struct vmn_judgement engine_judge_by_rules(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                           uint32_t direction, const uint8_t *data, const uint8_t *data_end);
bool engine_is_plain(const struct vmn_policy *policy, const struct vmn_meta *meta, uint32_t direction,
                     const uint8_t *data, const uint8_t *data_end);

bool engine_passes(const struct vmn_judgement *judgement);

/* What an engine does after the judgement of a frame: limits. Returns whether the frame was asked about. */
bool engine_judge_rate(const struct vmn_policy *policy, const struct vmn_meta *meta, struct vmn_limiter *limiter,
                       uint32_t direction, struct vmn_judgement *judgement);

bool engine_violation_note(const struct vmn_policy *policy, struct vmn_violations *violations, uint64_t now_ns);
bool engine_is_violation(enum vmn_reason reason);
bool engine_is_drawn(const struct vmn_policy *policy, uint64_t nonce);

enum vmn_parse engine_parse_frame(const uint8_t *data, const uint8_t *data_end, struct vmn_frame *frame);
void engine_arp_answer(const struct vmn_policy *policy, struct vmn_arp_frame *answer);

enum vmn_report engine_report(struct vmn_reports *reports, const struct vmn_policy *policy, uint32_t direction,
                              enum vmn_reason reason, const uint8_t *data, const uint8_t *data_end, uint64_t now_ns);

#endif
