/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames by the hundred thousand, the same for the same seed. A generator that only rolls dice never gets past the first
 * rule; one that only builds valid frames never leaves the last. So every frame starts as a valid one of some kind, is
 * then bent at the places where decisions are made, and usually gets its header checksum mended.
 */
#ifndef VMN_TEST_GENERATOR_H
#define VMN_TEST_GENERATOR_H

#include "cases.h"

struct generator {
	uint64_t state;
};

struct generator generator_of(uint64_t seed);

/* A policy of some kind; `input` gets it with `no_policy` and `previous_left_ns`. */
void generate_policy(struct generator *generator, struct input *input);

/* A frame in that direction for the policy that `input` has. The direction's other fields are reset. */
void generate_frame(struct generator *generator, int direction, struct input *input);

#endif
