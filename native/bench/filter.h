/* SPDX-License-Identifier: Apache-2.0 */
/* One instance of the real eBPF filter with a policy in force, whichever way its object looks the policy up. */
#ifndef VMN_BENCH_FILTER_H
#define VMN_BENCH_FILTER_H

#include <bpf/libbpf.h>

#include "plan.h"

struct filter {
	struct bpf_object *object;
	int program;
	int counters;
	uint32_t counter_bytes;
};

/* All of these end the process with a message when the kernel refuses. */
void filter_load(struct filter *filter, const struct subject *subject);

/* Frames that the subject's slots have counted so far, over all CPUs. */
uint64_t filter_counted(const struct filter *filter, const struct subject *subject);

/* A tc program that does nothing: what every cost is compared with. */
int filter_load_empty(void);

#endif
