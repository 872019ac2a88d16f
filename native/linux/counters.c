// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pinned_map.h"
#include "pins.h"

static void sum_up(struct vmn_counter *sum, const struct vmn_counter *values, int cpus)
{
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum->packets += values[cpu].packets;
		sum->bytes += values[cpu].bytes;
	}
}

static int read_all(int fd, int cpus, struct vmn_counter sums[VMN_COUNTER_SLOTS], struct vmn_failure *failure)
{
	/* The kernel writes 8-byte multiples per possible CPU; the entry's size is one already. */
	struct vmn_counter *values = calloc((size_t)cpus, sizeof(*values));

	if (!values)
		return vmn_fail(failure, ENOMEM, "calloc", "counters");
	for (uint32_t slot = 0; slot < VMN_COUNTER_SLOTS; slot++) {
		if (bpf_map_lookup_elem(fd, &slot, values)) {
			vmn_fail(failure, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", "counters[%u]", slot);
			free(values);
			return -1;
		}
		sum_up(&sums[slot], values, cpus);
	}
	free(values);
	return 0;
}

int vmn_counters_read(const char *dir, struct vmn_counter sums[VMN_COUNTER_SLOTS], struct vmn_failure *failure)
{
	int cpus = libbpf_num_possible_cpus();
	int result;
	int fd;

	if (cpus < 1)
		return vmn_fail(failure, -cpus, "libbpf_num_possible_cpus", "counters");
	fd = vmn_pinned_map_open(dir, VMN_PIN_COUNTERS, BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct vmn_counter),
	                         VMN_COUNTER_SLOTS, failure);
	if (fd < 0)
		return -1;
	result = read_all(fd, cpus, sums, failure);
	vmn_close(&fd);
	return result;
}
