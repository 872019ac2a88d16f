/* SPDX-License-Identifier: Apache-2.0 */
/* The real eBPF programs, loaded for a test: policy in, verdicts and counters out. Needs root. */
#ifndef VMN_TEST_KERNEL_FILTER_H
#define VMN_TEST_KERNEL_FILTER_H

#include <stdbool.h>

#include <bpf/libbpf.h>

#include "cases.h"

struct kernel_filter {
	struct bpf_object *object;
	int program[2]; /* by direction */
	int shaped[2];  /* the same, behind a program that shapes the frame as BPF_PROG_TEST_RUN cannot */
	int policy_slot;
	int counters;
	int state;
	int events;
};

/* What BPF_PROG_TEST_RUN gives back. */
struct outcome {
	int error; /* errno of the call; the rest is unset then */
	int action;
	unsigned int reason;
	bool audited;
	uint64_t nonce; /* that the program took; 0 unless in mode Sampled */
	uint32_t mark;
	uint32_t length;
	uint8_t bytes[FRAME_BYTES_MAX + 256];
};

/* Loads the object file. Ends the process with a message when that fails: nothing can be tested then. */
void kernel_filter_load(struct kernel_filter *filter, const char *path);
void kernel_filter_close(struct kernel_filter *filter);

/* Puts a policy into force, as the agent does: new inner map, frozen, one swap. NULL empties the slot. */
void kernel_filter_set_policy(struct kernel_filter *filter, const struct vmn_policy *policy);

/* Runs the program on the input's frame. Its policy is not looked at: set it before. */
void kernel_filter_run(struct kernel_filter *filter, int direction, const struct input *input, struct outcome *outcome);

/* Sums over CPUs. `block`: a direction, or 2 + direction for audited frames. */
struct vmn_counter kernel_filter_counter(struct kernel_filter *filter, int block, unsigned int reason);

/* Limits and violations; `forget` starts them anew. */
struct vmn_state kernel_filter_state(struct kernel_filter *filter);
void kernel_filter_forget(struct kernel_filter *filter);

uint64_t monotonic_ns(void);

#endif
