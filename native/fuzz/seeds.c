// SPDX-License-Identifier: Apache-2.0
/*
 * What the fuzzers start from: vmn_fuzz_seeds FOLDER [CASE ...] writes FOLDER/{judge,sequence,parse,policy}/NAME, from the
 * catalogue (native/test/cases.c) and from case files of the corpus.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cases.h"
#include "corpus.h"
#include "scene.h"

#define NOW_NS 1000000000000ull

static const char *folder;

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void write_seed(const char *target, const char *prefix, unsigned int number, const void *const *parts,
                       const size_t *lengths, int count)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	if (mkdir(path, 0777) && errno != EEXIST)
		die(path);
	snprintf(path, sizeof(path), "%s/%s/%s-%u", folder, target, prefix, number);
	file = fopen(path, "wb");
	if (!file)
		die(path);
	for (int i = 0; i < count; i++)
		if (lengths[i] && fwrite(parts[i], lengths[i], 1, file) != 1)
			die(path);
	if (fclose(file))
		die(path);
}

/* One frame as a scene; for sequences it comes twice, and once more the first time under another generation. */
static void write_scene(const char *prefix, unsigned int number, const struct vmn_policy *policy,
                        struct scene_head *head, const uint8_t *frame, size_t bytes)
{
	struct scene_policies policies = {{*policy, *policy}};
	const void *parts[] = {&policies, head, frame, head, frame};
	size_t stored = bytes > 0xffff ? 0xffff : bytes;
	const size_t lengths[] = {sizeof(policies), sizeof(*head), stored, sizeof(*head), stored};
	const void *policy_parts[] = {policy, "\0\1\0\2\0\3"};
	const size_t policy_lengths[] = {sizeof(*policy), 6};

	policies.policy[1].generation++;
	head->frame_bytes = (uint32_t)bytes;
	head->stored_bytes = (uint16_t)stored;
	head->linear_bytes = 255;
	write_seed("judge", prefix, number, parts, lengths, 3);
	write_seed("sequence", prefix, number, parts, lengths, 5);
	write_seed("policy", prefix, number, policy_parts, policy_lengths, 2);
	write_seed("parse", prefix, number, parts + 2, lengths + 2, 1);
}

static void write_catalogue(void)
{
	static struct input input;

	for (unsigned int i = 0; i < CASE_COUNT; i++) {
		struct scene_head head = {.now_ns = NOW_NS};

		case_input(&CASES[i], &input);
		input.policy.previous_until_ns = NOW_NS + (uint64_t)input.previous_left_ns;
		head.pending_checksum_offset = input.pending_checksum_offset;
		head.segment_bytes = input.segment_bytes;
		head.nonce = input.nonce;
		head.flags = (uint8_t)((CASES[i].direction == VMN_DIRECTION_TO_VM ? SCENE_TO_VM : 0) |
		                       (input.vlan_in_metadata ? SCENE_VLAN : 0) | (input.own_answer ? SCENE_OWN_ANSWER : 0) |
		                       (input.no_policy ? SCENE_NO_POLICY : 0) | (input.super_frame & 3) << 3);
		write_scene("catalogue", i, &input.policy, &head, input.frame.bytes, input.frame.length);
	}
}

/* A sequence of datagrams from the VM, one remote address after the other, and what it is to show. */
struct sequence {
	unsigned int count, remotes; /* frames; addresses that take turns */
	uint64_t step_ns;
	uint64_t bits_per_second, packets_per_second;
	uint32_t threshold, window_ms;
	uint32_t mode;
	uint32_t address_be; /* of the first remote */
};

static const struct sequence SEQUENCES[] = {
	/* more strangers at once than somebody is told about; strangers who come back when they may be told of again */
	{.count = 64,
     .remotes = 64,
     .step_ns = 1000,
     .threshold = 40,
     .window_ms = 1000,
     .address_be = ADDRESS(8, 8, 8, 0)},
	{.count = 8, .remotes = 2, .step_ns = 6000000000ull, .address_be = ADDRESS(8, 8, 8, 0)},
	/* a window that turns while violations go on */
	{.count = 24,
     .remotes = 1,
     .step_ns = 70000000,
     .threshold = 8,
     .window_ms = 500,
     .address_be = ADDRESS(8, 8, 8, 8)},
	/* bits, packets, and both at their limits */
	{.count = 16, .remotes = 1, .step_ns = 1000000, .bits_per_second = 100000, .address_be = ENDPOINT_ADDRESS},
	{.count = 16, .remotes = 1, .step_ns = 30000000, .packets_per_second = 20, .address_be = ENDPOINT_ADDRESS},
	{.count = 16,
     .remotes = 1,
     .step_ns = 1,
     .bits_per_second = VMN_BITS_PER_SECOND_MAX + 1,
     .packets_per_second = 1,
     .address_be = ENDPOINT_ADDRESS},
	/* one flow among others */
	{.count = 12, .remotes = 1, .step_ns = 1000, .mode = VMN_MODE_CONNTRACK, .address_be = ENDPOINT_ADDRESS},
};

static void write_sequence(unsigned int number)
{
	const struct sequence *sequence = &SEQUENCES[number];
	struct scene_policies policies = {{policy_plain(), policy_plain()}};
	struct scene_head heads[SCENE_FRAMES_MAX];
	static struct frame frames[SCENE_FRAMES_MAX];
	const void *parts[1 + 2 * SCENE_FRAMES_MAX] = {&policies};
	size_t lengths[1 + 2 * SCENE_FRAMES_MAX] = {sizeof(policies)};

	memset(heads, 0, sizeof(heads));
	policies.policy[0].egress_bits_per_second = sequence->bits_per_second;
	policies.policy[0].packets_per_second = sequence->packets_per_second;
	policies.policy[0].violation_threshold = sequence->threshold;
	policies.policy[0].violation_window_ms = sequence->window_ms;
	if (sequence->mode)
		policies.policy[0].mode = sequence->mode;
	for (unsigned int i = 0; i < sequence->count; i++) {
		uint32_t address_be = sequence->address_be + VMN_NET32(i % sequence->remotes);

		frame_udp(&frames[i], &policies.policy[0], VMN_DIRECTION_FROM_VM, address_be, ENDPOINT_PORT, 1, 148);
		/* Now and then from another port, so that flows are found behind others. */
		put16(&frames[i], AT_UDP_SOURCE, (uint16_t)(GUEST_PORT + (i % 3 == 2)));
		heads[i].now_ns = NOW_NS + i * sequence->step_ns;
		heads[i].frame_bytes = frames[i].length;
		heads[i].stored_bytes = (uint16_t)frames[i].length;
		heads[i].linear_bytes = 255;
		parts[1 + 2 * i] = &heads[i], lengths[1 + 2 * i] = sizeof(heads[i]);
		parts[2 + 2 * i] = frames[i].bytes, lengths[2 + 2 * i] = frames[i].length;
	}
	write_seed("sequence", "sequence", number, parts, lengths, 1 + 2 * (int)sequence->count);
}

static void write_case(const char *path, unsigned int number)
{
	struct scene_head head = {.now_ns = NOW_NS};
	struct corpus_case from_corpus;
	char error[512];

	if (corpus_read(path, NOW_NS, &from_corpus, error, sizeof(error))) {
		fprintf(stderr, "%s\n", error);
		exit(2);
	}
	head.pending_checksum_offset = from_corpus.has_pending_checksum ? from_corpus.pending_checksum_at : 0;
	head.segment_bytes = from_corpus.segment_bytes;
	head.flags =
		(uint8_t)((from_corpus.direction == VMN_DIRECTION_TO_VM ? SCENE_TO_VM : 0) |
	              (from_corpus.vlan_in_metadata ? SCENE_VLAN : 0) | (from_corpus.own_answer ? SCENE_OWN_ANSWER : 0) |
	              (from_corpus.has_policy ? 0 : SCENE_NO_POLICY) | (from_corpus.super_frame & 3) << 3);
	write_scene("corpus", number, &from_corpus.policy, &head, from_corpus.frame, from_corpus.frame_bytes);
	corpus_free(&from_corpus);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: vmn_fuzz_seeds FOLDER [CASE ...]\n");
		return 2;
	}
	folder = argv[1];
	if (mkdir(folder, 0777) && errno != EEXIST)
		die(folder);
	write_catalogue();
	for (unsigned int i = 0; i < sizeof(SEQUENCES) / sizeof(SEQUENCES[0]); i++)
		write_sequence(i);
	for (int i = 2; i < argc; i++)
		write_case(argv[i], (unsigned int)i - 2);
	return 0;
}
