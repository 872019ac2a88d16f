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

/* `count` frames to as many strangers, `step_ns` apart: one more each time than somebody is told about at once. */
static void write_strangers(unsigned int number, unsigned int count, unsigned int strangers, uint64_t step_ns)
{
	struct scene_policies policies = {{policy_plain(), policy_plain()}};
	struct scene_head heads[SCENE_FRAMES_MAX];
	static struct frame frames[SCENE_FRAMES_MAX];
	const void *parts[1 + 2 * SCENE_FRAMES_MAX] = {&policies};
	size_t lengths[1 + 2 * SCENE_FRAMES_MAX] = {sizeof(policies)};

	memset(heads, 0, sizeof(heads));
	policies.policy[0].violation_threshold = 40;
	policies.policy[0].violation_window_ms = 1000;
	for (unsigned int i = 0; i < count; i++) {
		frame_udp(&frames[i], &policies.policy[0], VMN_DIRECTION_FROM_VM, ADDRESS(8, 8, 8, i % strangers), 53, 1, 4);
		heads[i].now_ns = NOW_NS + i * step_ns;
		heads[i].frame_bytes = frames[i].length;
		heads[i].stored_bytes = (uint16_t)frames[i].length;
		heads[i].linear_bytes = 255;
		parts[1 + 2 * i] = &heads[i], lengths[1 + 2 * i] = sizeof(heads[i]);
		parts[2 + 2 * i] = frames[i].bytes, lengths[2 + 2 * i] = frames[i].length;
	}
	write_seed("sequence", "strangers", number, parts, lengths, 1 + 2 * (int)count);
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
	write_strangers(0, 64, 64, 1000);
	write_strangers(1, 8, 2, 6000000000ull);
	for (int i = 2; i < argc; i++)
		write_case(argv[i], (unsigned int)i - 2);
	return 0;
}
