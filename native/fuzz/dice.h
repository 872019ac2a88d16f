/* SPDX-License-Identifier: Apache-2.0 */
/* Choices of a mutator: the same for the same seed. */
#ifndef VMN_FUZZ_DICE_H
#define VMN_FUZZ_DICE_H

#include <stdbool.h>
#include <stdint.h>

struct dice {
	uint64_t state;
};

static inline struct dice dice_of(uint64_t seed)
{
	return (struct dice){(seed + 1) * 0x9e3779b97f4a7c15ull | 1};
}

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016). */
static inline uint64_t dice_word(struct dice *dice)
{
	dice->state ^= dice->state >> 12;
	dice->state ^= dice->state << 25;
	dice->state ^= dice->state >> 27;
	return dice->state * 2685821657736338717ull;
}

static inline uint32_t dice_below(struct dice *dice, uint32_t limit)
{
	return (uint32_t)((dice_word(dice) >> 32) % limit);
}

static inline bool one_in(struct dice *dice, uint32_t odds)
{
	return dice_below(dice, odds) == 0;
}

#define PICK(dice, array) ((array)[dice_below((dice), sizeof(array) / sizeof((array)[0]))])

#endif
