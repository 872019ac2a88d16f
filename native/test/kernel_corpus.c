// SPDX-License-Identifier: Apache-2.0
/* The packet corpus (test/support/corpus) through the eBPF programs. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "corpus.h"
#include "kernel_tests.h"

/* A page less what the kernel keeps of it. */
#define TEST_RUN_BYTES_MAX 3072

static int is_case_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && !strcmp(dot, ".case");
}

static bool begins_with_tag(const struct corpus_case *corpus)
{
	return corpus->frame_bytes >= VMN_ETHERNET_BYTES &&
	       vmn_is_vlan((__u16)(corpus->frame[AT_ETHERTYPE] << 8 | corpus->frame[AT_ETHERTYPE + 1]));
}

/*
 * What a venue cannot do is left out there; the contract tests have all of it. BPF_PROG_TEST_RUN asks for no offloads; a
 * packet socket puts no tag beside a frame, and a tap moves one out of the frame before anybody sees it; the offloads of a
 * tap are in the catalogue.
 */
static unsigned int venues_of(const struct corpus_case *corpus)
{
	unsigned int venues = corpus->audited ? AUDITED : 0;
	bool tagged = corpus->vlan_in_metadata || begins_with_tag(corpus), offloaded = corpus->has_pending_checksum;

	if (corpus->frame_bytes < VMN_ETHERNET_BYTES || corpus->frame_bytes > TEST_RUN_BYTES_MAX)
		return venues;
	if (!offloaded && !corpus->super_frame)
		venues |= IN_TEST_RUN;
	if (!tagged && !offloaded && !corpus->super_frame)
		venues |= ON_TAP;
	return venues;
}

/* One venue at a time: in mode Conntrack each has to be the first frame of its flow, so each has a generation. */
static void run_in(struct venue *venue, struct test_case test_case, struct input *input, unsigned int wanted)
{
	test_case.venues &= wanted | AUDITED;
	if (!(test_case.venues & wanted))
		return;
	if (input->policy.mode == VMN_MODE_CONNTRACK)
		input->policy.generation++;
	venue_run(venue, &test_case, input);
}

/* A frame of the corpus through both. `generation` is nobody else's; `seen`: how often each got one. */
static void run_corpus_file(struct venue *venue, const char *path, __u64 generation, unsigned int seen[2])
{
	struct corpus_case corpus;
	struct test_case test_case = {0};
	struct input input = {0};
	char error[256];

	if (corpus_read(path, monotonic_ns(), &corpus, error, sizeof(error))) {
		snprintf(check_failure, sizeof(check_failure), "%s", error);
		check_finish(path, "");
		return;
	}
	test_case.name = corpus.title;
	test_case.direction = corpus.direction;
	test_case.reason = corpus.reason;
	test_case.venues = venues_of(&corpus);
	seen[0] += (test_case.venues & IN_TEST_RUN) != 0;
	seen[1] += (test_case.venues & ON_TAP) != 0;
	input.no_policy = !corpus.has_policy;
	input.policy = corpus.policy;
	if (corpus.policy.mode == VMN_MODE_CONNTRACK)
		input.policy.generation = generation;
	input.vlan_in_metadata = corpus.vlan_in_metadata;
	input.own_answer = corpus.own_answer;
	if (test_case.venues & (IN_TEST_RUN | ON_TAP)) {
		input.frame.length = (uint32_t)corpus.frame_bytes;
		memcpy(input.frame.bytes, corpus.frame, corpus.frame_bytes);
	}
	run_in(venue, test_case, &input, IN_TEST_RUN);
	run_in(venue, test_case, &input, ON_TAP);
	corpus_free(&corpus);
}

void check_corpus(struct venue *venue, const char *folder)
{
	unsigned int seen[2] = {0, 0};
	struct dirent **files;
	char path[PATH_MAX];
	int count = scandir(folder, &files, is_case_file, alphasort);

	if (count <= 0) {
		snprintf(check_failure, sizeof(check_failure), "%s: %s", folder, count ? strerror(errno) : "no cases");
		check_finish("the corpus", "");
		return;
	}
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i]->d_name);
		run_corpus_file(venue, path, 10000 + 2 * (__u64)i, seen);
		free(files[i]);
	}
	free(files);
	/* Most of it, or something is wrong with how it is read. */
	CHECK(seen[0] > (unsigned int)count / 2 && seen[1] > (unsigned int)count / 2);
}
