// SPDX-License-Identifier: Apache-2.0
/*
 * vmn_kernel_cases OBJECT [CORPUS...]: the catalogue through the eBPF programs, once by BPF_PROG_TEST_RUN and once as real
 * frames on a tap, where the guest's side is read back; the same for the case files of folders. Prints one JSON array of
 * {name, failure, skipped?}. Needs root. Exit: 0 all passed, 1 not, 2 could not run.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "kernel_tests.h"

/* Instructions that the verifier may look at for one program; those of older kernels look at some more than of newer ones. */
#define WALK_MAX 30000u

static struct venue venue;

static void run_case(const struct test_case *test_case)
{
	struct input input;

	case_input(test_case, &input);
	venue_run(&venue, test_case, &input);
}

/* BPF_PROG_TEST_RUN has no way to ask for checksum offload; everything else must have been there. */
static void check_complete(const struct venue *venue, bool on_tap)
{
	for (unsigned int reason = 0; reason < VMN_REASON_SLOTS; reason++) {
		if (!strcmp(reason_name(reason), "?") || (!on_tap && reason == VMN_REASON_CHECKSUM_OFFLOAD))
			continue;
		if (!venue->reached[on_tap][0][reason] && !venue->reached[on_tap][1][reason])
			snprintf(check_failure, sizeof(check_failure), "%s was not reached", reason_name(reason));
	}
}

/*
 * What attaching a VM costs is the verifier's walk. Each branch added to the rules may double it, if it lies on the way to
 * much else (bpf/README.md). Linux says how long it was since 5.16. Line numbers would be kept for each VM.
 */
static void check_cost(const struct venue *venue)
{
	for (int direction = 0; direction < 2; direction++) {
		struct bpf_prog_info info = {};
		__u32 length = sizeof(info);

		if (bpf_obj_get_info_by_fd(venue->filter.program[direction], &info, &length))
			snprintf(check_failure, sizeof(check_failure), "no info about the program: %s", strerror(errno));
		else if (info.verified_insns > WALK_MAX)
			snprintf(check_failure, sizeof(check_failure), "%s: %u instructions, more than %u", info.name,
			         info.verified_insns, WALK_MAX);
		else if (info.nr_line_info)
			snprintf(check_failure, sizeof(check_failure), "%s: %u line numbers", info.name, info.nr_line_info);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: vmn_kernel_cases OBJECT [CORPUS...]\n");
		return 2;
	}
	venue_open(&venue, argv[1]);
	check_begin();
	check_cost(&venue);
	check_finish("the verifier walks through each program in a bounded number of steps, and no line numbers are kept",
	             "");
	for (unsigned int i = 0; i < CASE_COUNT; i++)
		run_case(&CASES[i]);
	check_state(&venue);
	check_tunnel(&venue);
	check_state_on_tap(&venue);
	check_complete(&venue, false);
	check_finish("[EB-2] every drop reason was reached in BPF_PROG_TEST_RUN", "");
	check_complete(&venue, true);
	check_finish("[EB-2] every drop reason was reached by a real frame on a tap", "");
	check_events(&venue);
	for (int i = 2; i < argc; i++) {
		check_corpus(&venue, argv[i]);
		check_finish("the corpus is there, and most of it was tried", "");
	}
	venue_close(&venue);
	return check_end();
}
