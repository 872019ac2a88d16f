/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalogue of frames: at least one for each reason in each direction that can have it, and every bypass attempt we
 * know. One catalogue, three venues: the host library, BPF_PROG_TEST_RUN, and real frames on a tap.
 */
#ifndef VMN_TEST_CASES_H
#define VMN_TEST_CASES_H

#include <stdbool.h>

#include "frames.h"
#include "vmn/verdict.h"

/* A frame with all that a judgement depends on. Starts as a valid handshake under the plain policy; a case edits it. */
struct input {
	struct vmn_policy policy;
	bool no_policy;
	int64_t previous_left_ns; /* how long the previous endpoint still lives, seen from the judgement */
	struct frame frame;
	bool vlan_in_metadata;
	uint8_t super_frame; /* VMN_SUPER_… */
	uint32_t segment_bytes;
	bool own_answer;
	uint32_t pending_checksum_offset;
	uint64_t nonce; /* the kernel takes its own */
};

enum venues {
	ON_HOST = 1 << 0,
	IN_TEST_RUN = 1 << 1,
	ON_TAP = 1 << 2,
	EVERYWHERE = ON_HOST | IN_TEST_RUN | ON_TAP,
	AUDITED = 1 << 3, /* not a venue: the frame passes although its reason drops */
};

struct test_case {
	const char *name; /* with the acceptance id it serves */
	int direction;
	enum vmn_reason reason;
	unsigned int venues;
	void (*edit)(struct input *input);
};

extern const struct test_case CASES[];
extern const unsigned int CASE_COUNT;

void case_input(const struct test_case *test_case, struct input *input);

static inline bool case_passes(const struct test_case *test_case)
{
	return !vmn_is_drop(test_case->reason) || test_case->venues & AUDITED;
}

/*
 * The host library's verdict. `now_ns` is the same clock that input->policy.previous_until_ns was set by; `flows` may be
 * NULL.
 */
struct vmn_judgement input_judge_with(struct vmn_flows *flows, const struct input *input, int direction,
                                      uint64_t now_ns);
enum vmn_reason input_judge(const struct input *input, int direction, uint64_t now_ns);

const char *reason_name(unsigned int reason);

/* Fails the running test unless the two are the same. */
void check_reason(unsigned int actual, enum vmn_reason expected);
void check_audited(bool actual, const struct test_case *test_case);

#endif
