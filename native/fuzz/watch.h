/* SPDX-License-Identifier: Apache-2.0 */
/* What must be so from frame to frame: flows, limits, violations and reports of one VM. */
#ifndef VMN_FUZZ_WATCH_H
#define VMN_FUZZ_WATCH_H

#include "expect.h"

/* A flow that was judged in full and allowed, under this generation and secret. */
struct watch_flow {
	uint64_t generation, secret[2];
	uint32_t remote_be;
	uint16_t remote_port, guest_port;
};

/* What has gone out since the limits are what they are. */
struct watch_paid {
	uint64_t bits_per_second, packets_per_second, since_ns;
	uint64_t bits, packets;           /* all of it */
	uint64_t last_bits, last_packets; /* of the last frame */
};

/* The violation that the threshold was told of by; zeros when it was another than the last one. */
struct watch_told {
	uint64_t now_ns, generation;
	uint32_t threshold, window_ms;
};

struct watch {
	struct vmn_flows *flows;
	struct vmn_limiter *limiter;
	struct vmn_violations *violations;
	struct vmn_reports *reports;
	struct watch_flow known[SCENE_FRAMES_MAX];
	unsigned int known_count;
	struct watch_paid paid;
	struct watch_told told;
	uint64_t report_second, report_count;
};

/*
 * What is remembered at first: nothing, unless the policy's reserved words, which the filter does not look at, say how many
 * violations there were and what the buckets owe.
 */
void watch_open(struct watch *watch, const struct vmn_policy *policy);
void watch_close(struct watch *watch);

/* The next frame of the VM, judged with what is remembered. At most SCENE_FRAMES_MAX of them. */
void watch_frame(struct watch *watch, const struct scene_frame *frame);

#endif
