// SPDX-License-Identifier: Apache-2.0
#include "mutate.h"

#include <stdlib.h>

/* A frame of the input as it stands there. */
struct place {
	size_t at, bytes; /* with its head */
};

static unsigned int find_frames(const uint8_t *input, size_t bytes, struct place *places)
{
	size_t at = sizeof(struct scene_policies);
	unsigned int count = 0;

	while (at + sizeof(struct scene_head) <= bytes && count < SCENE_FRAMES_MAX) {
		struct scene_head head;

		memcpy(&head, input + at, sizeof(head));
		places[count].at = at;
		places[count].bytes = sizeof(head) + head.stored_bytes;
		if (places[count].bytes > bytes - at)
			places[count].bytes = bytes - at;
		at += places[count++].bytes;
	}
	return count;
}

static void read_draft(struct draft *draft, const uint8_t *input, struct place place)
{
	memset(&draft->frame, 0, sizeof(draft->frame));
	memcpy(&draft->head, input + place.at, sizeof(draft->head));
	draft->frame.length = (uint32_t)(place.bytes - sizeof(draft->head));
	if (draft->frame.length > FRAME_BYTES_MAX - 64)
		draft->frame.length = FRAME_BYTES_MAX - 64;
	memcpy(draft->frame.bytes, input + place.at + sizeof(draft->head), draft->frame.length);
}

/* The input with [at, at + bytes) replaced by the draft, or left out without one; unchanged when it would be too long. */
static size_t splice(uint8_t *input, size_t length, size_t most, struct place place, struct draft *draft)
{
	size_t fresh = draft ? sizeof(draft->head) + draft->frame.length : 0;
	size_t behind = length - place.at - place.bytes;

	if (place.at + fresh + behind > most)
		return length;
	memmove(input + place.at + fresh, input + place.at + place.bytes, behind);
	if (draft) {
		draft->head.stored_bytes = (uint16_t)draft->frame.length;
		memcpy(input + place.at, &draft->head, sizeof(draft->head));
		memcpy(input + place.at + sizeof(draft->head), draft->frame.bytes, draft->frame.length);
	}
	return place.at + fresh + behind;
}

/* What came back: the same frame the other way. */
static void turn_round(struct draft *draft)
{
	uint8_t *bytes = draft->frame.bytes, kept[6];

	if (draft->frame.length < AT_PAYLOAD)
		return;
	memcpy(kept, bytes, 6), memcpy(bytes, bytes + 6, 6), memcpy(bytes + 6, kept, 6);
	memcpy(kept, bytes + AT_IP_SOURCE, 4), memcpy(bytes + AT_IP_SOURCE, bytes + AT_IP_DESTINATION, 4);
	memcpy(bytes + AT_IP_DESTINATION, kept, 4);
	memcpy(kept, bytes + AT_UDP, 2), memcpy(bytes + AT_UDP, bytes + AT_UDP + 2, 2), memcpy(bytes + AT_UDP + 2, kept, 2);
	draft->head.flags ^= SCENE_TO_VM;
}

static const struct vmn_policy *policy_of(const struct scene_policies *policies, const struct draft *draft)
{
	return &policies->policy[draft->head.flags & SCENE_SECOND_POLICY ? 1 : 0];
}

/* Another frame behind one that is there: its like, its answer, or a new one; somewhat later. */
static size_t add_frame(uint8_t *input, size_t length, size_t most, struct place after, struct dice *dice)
{
	static const uint32_t steps_ns[] = {0, 1, 1000000, 50000000, 700000000};
	struct scene_policies policies;
	static struct draft draft;

	memcpy(&policies, input, sizeof(policies));
	read_draft(&draft, input, after);
	draft.head.now_ns += PICK(dice, steps_ns);
	draft.head.nonce = dice_word(dice);
	switch (dice_below(dice, 4)) {
	case 0:
		draft_valid(&draft, dice, policy_of(&policies, &draft));
		break;
	case 1:
		turn_round(&draft);
		break;
	case 2:
		draft.head.flags ^= SCENE_SECOND_POLICY;
		break;
	}
	return splice(input, length, most, (struct place){after.at + after.bytes, 0}, &draft);
}

static size_t mutate_frame(uint8_t *input, size_t length, size_t most, struct place place, struct dice *dice)
{
	struct scene_policies policies;
	static struct draft draft;

	memcpy(&policies, input, sizeof(policies));
	read_draft(&draft, input, place);
	for (uint32_t edits = 1 + dice_below(dice, 3); edits; edits--)
		draft_mutate(&draft, dice, policy_of(&policies, &draft));
	return splice(input, length, most, place, &draft);
}

/* Too short to be a scene: a plain policy and a valid frame. */
static size_t begin(uint8_t *input, size_t most, struct dice *dice)
{
	struct scene_policies policies = {{policy_plain(), policy_plain()}};
	static struct draft draft;

	if (most < sizeof(policies) + sizeof(draft.head))
		return 0;
	memset(&draft, 0, sizeof(draft));
	draft.head.flags = (uint8_t)dice_below(dice, 2);
	draft_valid(&draft, dice, &policies.policy[0]);
	memcpy(input, &policies, sizeof(policies));
	return splice(input, sizeof(policies), most, (struct place){sizeof(policies), 0}, &draft);
}

size_t mutate_scene(uint8_t *input, size_t bytes, size_t most, unsigned int seed, unsigned int frames)
{
	struct dice dice = dice_of(seed);
	struct place places[SCENE_FRAMES_MAX];
	struct scene_policies policies;
	unsigned int count = find_frames(input, bytes, places);
	struct place place;

	if (!count)
		return begin(input, most, &dice);
	place = places[dice_below(&dice, count)];
	if (count < frames && one_in(&dice, 3))
		return add_frame(input, bytes, most, place, &dice);
	if (count > 1 && one_in(&dice, 12))
		return splice(input, bytes, most, place, NULL);
	if (!one_in(&dice, 4))
		return mutate_frame(input, bytes, most, place, &dice);
	memcpy(&policies, input, sizeof(policies));
	mutate_policy(&policies.policy[frames > 1 ? dice_below(&dice, 2) : 0], &dice);
	memcpy(input, &policies, sizeof(policies));
	return bytes;
}
