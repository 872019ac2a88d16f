// SPDX-License-Identifier: Apache-2.0
/*
 * vmn_kernel_matrix [clsact]: our own loader on this kernel, from the first attachment to the removal, with datagrams
 * between a guest and two sockets of the host all along. Prints one JSON object a line: {key, name, failure} for each
 * check, and {facts} between them. Needs root. Exit: 0 all passed, 1 not, 2 could not run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "filter_object.h"
#include "matrix_check.h"
#include "matrix_kernel.h"
#include "probe.h"
#include "read_back.h"

#define CHANGES 20
#define REMOVAL_TRIES 5

struct check {
	const char *key; /* by which the matrix knows it */
	const char *name;
	void (*run)(void);
};

static bool failed;

static void print_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text == '\n' ? ' ' : *text);
	}
}

static void run(const struct check *check)
{
	check->run();
	printf("{\"key\": \"%s\", \"name\": \"%s\", \"failure\": \"", check->key, check->name);
	print_text(check_failure);
	printf("\"}\n");
	fflush(stdout);
	failed |= check_failure[0] != 0;
	check_failure[0] = 0;
}

static void check_load(void)
{
	struct vmn_filter_set set = VMN_FILTER_SET_NONE;
	uint32_t from_vm, to_vm;

	CHECK_DONE(vmn_filter_load(-1, NULL, &set, &failure));
	from_vm = kernel_verified(set.from_vm);
	to_vm = kernel_verified(set.to_vm);
	vmn_filter_close(&set);
	if (from_vm && to_vm)
		printf("{\"facts\": {\"verified\": {\"vmn_from_vm\": %u, \"vmn_to_vm\": %u}}}\n", from_vm, to_vm);
}

static void check_attach(void)
{
	CHECK_DONE(vmn_filter_attach_by(matrix_kind, matrix_bed.dir, matrix_bed.tap.ifindex, &failure));
	printf("{\"facts\": {\"hook\": \"%s\"}}\n", kernel_hook(matrix_bed.tap.ifindex));
	memset(&matrix_sent, 0, sizeof(matrix_sent));
	check_nothing();
}

static void check_no_tcx(void)
{
	struct vmn_failure failure = {};

	CHECK_EQUAL(vmn_probe_tcx(&failure), -1);
	CHECK_EQUAL(failure.error, EINVAL);
	vmn_failure_clear(&failure);
}

/* What the probes tell an operator must be what the loader then found. */
static void check_probes(void)
{
	const char *hook = kernel_hook(matrix_bed.tap.ifindex);

	CHECK_DONE(vmn_probe_bpf(&failure));
	CHECK_DONE(vmn_probe_map_in_map(&failure));
	CHECK_DONE(vmn_probe_ring_buffer(&failure));
	CHECK_DONE(vmn_probe_kernel_memory(&failure));
	CHECK_DONE(vmn_probe_clsact(&failure));
	if (!strcmp(hook, "tcx"))
		CHECK_DONE(vmn_probe_tcx(&failure));
	else if (matrix_kind == VMN_HOOK_BEST)
		check_no_tcx();
}

static void check_write(void)
{
	struct vmn_policy policy = policy_for(BED_WANTED, 1);

	CHECK_DONE(vmn_filter_write_policy(matrix_bed.dir, &policy, &failure));
	check_only(BED_WANTED);
}

static void check_enforced(const struct vmn_enforced *enforced)
{
	CHECK(enforced->hook.state != VMN_HOOK_ABSENT && enforced->hook.state != VMN_HOOK_DEFUNCT);
	CHECK_EQUAL(enforced->hook.ifindex, matrix_bed.tap.ifindex);
	CHECK(enforced->hook.first && enforced->own_slot);
}

static void check_read_back(void)
{
	struct vmn_policy policy = policy_for(BED_WANTED, 1);
	struct vmn_read_back found;

	CHECK_DONE(vmn_read_back(matrix_bed.dir, &found, &failure));
	check_enforced(&found.from_vm);
	CHECK_SO_FAR();
	check_enforced(&found.to_vm);
	CHECK_SO_FAR();
	CHECK_EQUAL(found.policy_state, VMN_POLICY_SET);
	CHECK_EQUAL(memcmp(found.policy, &policy, sizeof(policy)), 0);
}

static void check_changes(void)
{
	for (uint64_t i = 0; i < CHANGES; i++) {
		enum bed_port open = i % 2 ? BED_WANTED : BED_OTHER;
		struct vmn_policy policy = policy_for(open, 2 + i);

		CHECK_DONE(vmn_filter_write_policy(matrix_bed.dir, &policy, &failure));
		check_only(open);
		CHECK_SO_FAR();
	}
}

static void check_closing(void)
{
	CHECK_DONE(vmn_filter_write_policy(matrix_bed.dir, NULL, &failure));
	check_nothing();
	CHECK_SO_FAR();
	check_write();
	CHECK_SO_FAR();
	CHECK_DONE(vmn_filter_replace_by(matrix_kind, matrix_bed.dir, matrix_bed.tap.ifindex, NULL, &failure));
	check_nothing();
}

static void check_removal(void)
{
	struct vmn_failure failure = {};

	CHECK_EQUAL(vmn_filter_remove(matrix_bed.dir, false, &failure), -1);
	CHECK_EQUAL(failure.error, EBUSY);
	vmn_failure_clear(&failure);
	check_nothing();
	CHECK_SO_FAR();
	CHECK_DONE(vmn_filter_remove(matrix_bed.dir, true, &failure));
	/* The kernel lets go of a link a moment later. */
	for (int tries = 0; tries < REMOVAL_TRIES; tries++) {
		check_failure[0] = 0;
		bed_receive(&matrix_bed, &matrix_arrived);
		check_everything();
		if (!check_failure[0])
			return;
	}
}

static const struct check CHECKS[] = {
	{"load", "[EB-1] the kernel takes the filter", check_load},
	{"far-ends", "[EB-1] without the filter everything arrives: the far ends would see what it lets through",
     check_everything},
	{"attach", "[EB-1] the loader attaches, and nothing passes before there is a policy", check_attach},
	{"probes", "[EB-1] what the probes say of this kernel is what the loader found", check_probes},
	{"write", "[EB-1] a policy is in force when its write returns", check_write},
	{"read-back", "[EB-1] what is read back is what was attached and written", check_read_back},
	{"changes", "[EB-1] 20 changes of the endpoint's port: each in force at once, the former one closed",
     check_changes},
	{"update",
     "[EB-1] programs replaced 5 times and policies 40 times under traffic: nothing else passed, nothing was lost, "
     "every frame was counted",
     check_update},
	{"closing", "[EB-1] without a policy, written or by a replacement, nothing passes", check_closing},
	{"removal", "[EB-1] an attached filter is not removed unless that is asked for, and then it is gone",
     check_removal},
};

int main(int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "clsact"))) {
		fprintf(stderr, "usage: vmn_kernel_matrix [clsact]\n");
		return 2;
	}
	matrix_kind = argc == 2 ? VMN_HOOK_CLSACT : VMN_HOOK_BEST;
	bed_open(&matrix_bed);
	for (size_t i = 0; i < sizeof(CHECKS) / sizeof(CHECKS[0]); i++)
		run(&CHECKS[i]);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
