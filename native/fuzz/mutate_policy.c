// SPDX-License-Identifier: Apache-2.0
#include "mutate.h"

#define HOUR_NS 3600000000000ull

static void mutate_mode(struct vmn_policy *policy, struct dice *dice)
{
	static const uint32_t samples[] = {0, 1, 500000, 999999, VMN_MILLION, VMN_MILLION + 1, 0xffffffffu};

	switch (dice_below(dice, 4)) {
	case 0:
		policy->mode = 1 + dice_below(dice, 4);
		break;
	case 1:
		policy->mode = VMN_MODE_SAMPLED;
		policy->sample_per_million = PICK(dice, samples);
		break;
	case 2:
		policy->flags ^= 1u << dice_below(dice, one_in(dice, 8) ? 32 : 3);
		break;
	case 3:
		policy->generation += dice_below(dice, 2);
		break;
	}
}

static void mutate_endpoints(struct vmn_policy *policy, struct dice *dice)
{
	struct vmn_endpoint endpoint = policy->endpoint;

	switch (dice_below(dice, 5)) {
	case 0:
		policy->endpoint = policy->previous;
		policy->previous = endpoint;
		break;
	case 1:
		policy->previous = endpoint;
		policy->previous.port_be ^= (uint16_t)dice_below(dice, 3);
		break;
	case 2:
		policy->previous_until_ns = one_in(dice, 2) ? HOUR_NS : dice_below(dice, 1000);
		break;
	case 3:
		policy->endpoint.port_be = (uint16_t)dice_word(dice);
		break;
	case 4:
		memset(one_in(dice, 2) ? &policy->endpoint : &policy->previous, 0, one_in(dice, 2) ? 4 : 6);
		break;
	}
}

static void mutate_limits(struct vmn_policy *policy, struct dice *dice)
{
	static const uint64_t bits[] = {0, 1, 8, 1000000, VMN_BITS_PER_SECOND_MAX, VMN_BITS_PER_SECOND_MAX + 1, ~0ull};
	static const uint64_t packets[] = {0, 1, 40, VMN_PACKETS_PER_SECOND_MAX, VMN_PACKETS_PER_SECOND_MAX + 1};
	static const uint32_t sizes[] = {0, 20, 27, 28, 29, 59, 60, 120, 176, 177, 1500, 65535, 0xffffffffu};
	static const uint32_t windows[] = {0, 1, 2, 700, 10000, 0xffffffffu};

	switch (dice_below(dice, 5)) {
	case 0:
		policy->egress_bits_per_second = PICK(dice, bits);
		break;
	case 1:
		policy->packets_per_second = PICK(dice, packets);
		break;
	case 2:
		policy->max_packet_bytes = PICK(dice, sizes);
		break;
	case 3:
		policy->violation_threshold = dice_below(dice, one_in(dice, 4) ? 0xffffffffu : 5);
		policy->violation_window_ms = PICK(dice, windows);
		break;
	case 4: /* what is remembered at first, see watch.h */
		policy->reserved[0] = one_in(dice, 2) ? dice_word(dice) : 0xffffffffu;
		policy->reserved[1] = (uint64_t)(one_in(dice, 2) ? -1ll : 1ll) * dice_below(dice, 0xffffffffu);
		break;
	}
}

/* Ranges in order, as many as they may be, now and then beside or around somebody of the cast. */
static void mutate_denied(struct vmn_policy *policy, struct dice *dice)
{
	uint32_t at = one_in(dice, 2) ? VMN_NET32(policy->endpoint.address_be) - dice_below(dice, 3) : 0;
	uint32_t count = one_in(dice, 4) ? VMN_DENIED_MAX : dice_below(dice, 6);

	policy_direct(policy);
	if (one_in(dice, 3))
		return;
	policy->denied_count = 0;
	for (uint32_t i = 0; i < count && at < 0xf0000000u; i++) {
		policy_deny(policy, VMN_NET32(at), VMN_NET32(at + dice_below(dice, 2)));
		at += 3 + dice_below(dice, one_in(dice, 2) ? 2 : 0x400000);
	}
}

void mutate_policy(struct vmn_policy *policy, struct dice *dice)
{
	switch (dice_below(dice, 9)) {
	case 8:
		mutate_denied(policy, dice);
		break;
	case 0:
		*policy = policy_plain();
		break;
	case 1:
		LLVMFuzzerMutate((uint8_t *)policy, sizeof(*policy), sizeof(*policy));
		break;
	case 2:
	case 3:
		mutate_mode(policy, dice);
		break;
	case 4:
	case 5:
		mutate_endpoints(policy, dice);
		break;
	default:
		mutate_limits(policy, dice);
		break;
	}
}
