/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How inputs change. Bytes changed at random never get past the first rule of a filter that closes by default, so a
 * mutation knows what a scene is: it starts a frame anew as a valid one, bends a field to the edge of what it may be, makes
 * lengths agree or not, mends the checksum. libFuzzer's own mutations do the rest, on a policy or on a frame's bytes.
 */
#ifndef VMN_FUZZ_MUTATE_H
#define VMN_FUZZ_MUTATE_H

#include "dice.h"
#include "frames.h"
#include "scene.h"

/* libFuzzer's. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t length, size_t most);

/* For LLVMFuzzerCustomMutator: a scene of at most `frames` frames. */
size_t mutate_scene(uint8_t *input, size_t bytes, size_t most, unsigned int seed, unsigned int frames);

/* A frame and what is known about it; `frame->length` is what is stored. */
struct draft {
	struct scene_head head;
	struct frame frame;
};

/* A valid frame of some kind under the policy. */
void draft_valid(struct draft *draft, struct dice *dice, const struct vmn_policy *policy);
void draft_mutate(struct draft *draft, struct dice *dice, const struct vmn_policy *policy);

void mutate_policy(struct vmn_policy *policy, struct dice *dice);

#endif
