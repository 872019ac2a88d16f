/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * When violations add up to something to act on. The filter decides nothing by this: it tells, once, and whoever is told
 * acts as the VMNetwork declares.
 *
 * A sliding window, estimated from two: what this window has, and of the one before it the share that the sliding window
 * still covers. Having told, it keeps still until the estimate has come down to half the threshold, so that a rate at the
 * threshold's edge does not tell again and again; or until the policy changes, since what is done about it may be another
 * thing then.
 */
#ifndef VMN_VIOLATION_H
#define VMN_VIOLATION_H

#include "vmn/abi.h"
#include "vmn/bytes.h"

#define VMN_NS_PER_MS 1000000ull

VMN_INLINE void vmn_violation_turn_window(struct vmn_violations *violations, __u64 window_ns, __u64 now_ns)
{
	__u64 elapsed_ns = now_ns > violations->window_start_ns ? now_ns - violations->window_start_ns : 0;

	if (!violations->window_start_ns || elapsed_ns >= 2 * window_ns) {
		violations->before = 0;
		violations->now = 0;
		violations->window_start_ns = now_ns;
	} else if (elapsed_ns >= window_ns) {
		violations->before = violations->now;
		violations->now = 0;
		violations->window_start_ns += window_ns;
	}
}

/* One more violation. Whether it is the one that reaches the threshold. */
VMN_INLINE int vmn_violation_note(const struct vmn_policy *policy, struct vmn_violations *violations, __u64 now_ns)
{
	__u64 window_ms = policy->violation_window_ms ? policy->violation_window_ms : 1;
	__u64 passed_ms, estimate;

	vmn_violation_turn_window(violations, window_ms * VMN_NS_PER_MS, now_ns);
	passed_ms = now_ns > violations->window_start_ns ? (now_ns - violations->window_start_ns) / VMN_NS_PER_MS : 0;
	estimate = violations->now + (violations->before * (window_ms - passed_ms) + window_ms / 2) / window_ms;

	if (estimate <= policy->violation_threshold / 2 || violations->generation != (__u32)policy->generation)
		violations->disarmed = 0;
	violations->generation = (__u32)policy->generation;
	if (violations->now < 0xffffffffu)
		violations->now++;
	if (violations->disarmed || estimate + 1 < policy->violation_threshold)
		return 0;
	violations->disarmed = 1;
	violations->crossings++;
	return 1;
}

#endif
