// SPDX-License-Identifier: Apache-2.0
/*
 * What a judgement costs: BPF_PROG_TEST_RUN of the filter against a program that does nothing, interleaved, median of
 * 21 pairs. A figure to look at, not a gate: machines differ, ratios in one run repeat (design: performance, P2).
 *
 *	vmn_cost OBJECT
 */
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>

#include "kernel_filter.h"

#define PAIRS 21
#define REPEAT 500000

static int load_empty_program(void)
{
	struct bpf_insn code[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -1},
		{.code = BPF_JMP | BPF_EXIT},
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", code, 2, NULL);
}

static int run_ns(int program, const struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->bytes, .data_size_in = frame->length, .repeat = REPEAT);

	if (bpf_prog_test_run_opts(program, &options)) {
		perror("BPF_PROG_TEST_RUN");
		exit(2);
	}
	return (int)options.duration;
}

static int ascending(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int median(int *values)
{
	qsort(values, PAIRS, sizeof(*values), ascending);
	return values[PAIRS / 2];
}

static void measure(struct kernel_filter *filter, const char *name, int direction, const struct input *input)
{
	int empty_ns[PAIRS], filter_ns[PAIRS], empty = load_empty_program();

	if (empty < 0) {
		perror("empty program");
		exit(2);
	}
	kernel_filter_set_policy(filter, input->no_policy ? NULL : &input->policy);
	for (int i = 0; i < PAIRS; i++) {
		empty_ns[i] = run_ns(empty, &input->frame);
		filter_ns[i] = run_ns(filter->program[direction], &input->frame);
	}
	printf("{\"path\": \"%s\", \"direction\": \"%s\", \"emptyNs\": %d, \"filterNs\": %d}\n", name,
	       direction == VMN_DIRECTION_FROM_VM ? "from-vm" : "to-vm", median(empty_ns), median(filter_ns));
}

int main(int argc, char **argv)
{
	struct kernel_filter filter;
	struct input input = {.policy = policy_plain()};

	if (argc != 2) {
		fprintf(stderr, "usage: vmn_cost OBJECT\n");
		return 2;
	}
	kernel_filter_load(&filter, argv[1]);
	input.policy.flags = VMN_POLICY_STRICT_WIREGUARD;
	for (int direction = 0; direction <= 1; direction++) {
		frame_udp(&input.frame, &input.policy, direction, ENDPOINT_ADDRESS, ENDPOINT_PORT, 4, 1456);
		measure(&filter, "allowed, strict", direction, &input);
		frame_udp(&input.frame, &input.policy, direction, ENDPOINT_ADDRESS, ENDPOINT_PORT + 1, 4, 1456);
		measure(&filter, "dropped by port", direction, &input);
	}
	kernel_filter_close(&filter);
	return 0;
}
