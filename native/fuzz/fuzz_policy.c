// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a policy. Frames are made for it, so that it is looked at and not only its version: each kind, both
 * ways, at times that follow from the rest of the input.
 */
#include "claims.h"
#include "mutate.h"
#include "watch.h"

#define FRAMES 12

static void play(const struct vmn_policy *policy, struct dice *dice, uint64_t *now_ns, struct watch *watch)
{
	static struct draft draft;
	static uint8_t input[sizeof(struct scene_policies) + sizeof(struct scene_head) + FRAME_BYTES_MAX];
	struct scene_policies policies = {{*policy, *policy}};
	struct scene_frame frame;
	struct scene scene;

	memset(&draft.head, 0, sizeof(draft.head));
	draft.head.flags = (uint8_t)dice_below(dice, 2);
	draft.head.nonce = dice_word(dice);
	draft.head.now_ns = *now_ns;
	draft_valid(&draft, dice, policy);
	draft.head.stored_bytes = (uint16_t)draft.frame.length;
	memcpy(input, &policies, sizeof(policies));
	memcpy(input + sizeof(policies), &draft.head, sizeof(draft.head));
	memcpy(input + sizeof(policies) + sizeof(draft.head), draft.frame.bytes, draft.frame.length);
	if (!scene_only_frame(&scene, &frame, input, sizeof(policies) + sizeof(draft.head) + draft.frame.length))
		return;
	claim_frame(&frame);
	watch_frame(watch, &frame);
	scene_frame_close(&frame);
	scene_close(&scene);
}

/* What a time of a policy may be far from, in nanoseconds. */
static uint64_t step(struct dice *dice, uint16_t given)
{
	static const uint64_t units_ns[] = {1, 1000, 1000000, 1000000000, 1000000000000000};

	return given * PICK(dice, units_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	struct vmn_policy policy;
	struct watch watch;
	uint64_t now_ns = 1;
	struct dice dice = dice_of(bytes);

	memset(&policy, 0, sizeof(policy));
	memcpy(&policy, input, bytes < sizeof(policy) ? bytes : sizeof(policy));
	input += bytes < sizeof(policy) ? bytes : sizeof(policy);
	bytes -= bytes < sizeof(policy) ? bytes : sizeof(policy);
	watch_open(&watch, &policy);
	for (int i = 0; i < FRAMES; i++) {
		uint16_t given = bytes >= 2 ? (uint16_t)(input[0] << 8 | input[1]) : 0;

		dice.state ^= (uint64_t)given << 32;
		dice.state |= !dice.state;
		play(&policy, &dice, &now_ns, &watch);
		now_ns += step(&dice, given);
		if (given == 0xffff)
			now_ns = policy.previous_until_ns;
		if (bytes >= 2)
			input += 2, bytes -= 2;
	}
	watch_close(&watch);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t bytes, size_t most, unsigned int seed)
{
	struct dice dice = dice_of(seed);
	struct vmn_policy policy;

	if (bytes < sizeof(policy) || most < sizeof(policy) || one_in(&dice, 3))
		return LLVMFuzzerMutate(input, bytes, most);
	memcpy(&policy, input, sizeof(policy));
	mutate_policy(&policy, &dice);
	memcpy(input, &policy, sizeof(policy));
	return bytes;
}
