// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pins.h"

static void sum_up(struct vmn_counter *sum, const struct vmn_counter *values, int cpus)
{
	memset(sum, 0, sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum->packets += values[cpu].packets;
		sum->bytes += values[cpu].bytes;
		if (values[cpu].last_event_ns > sum->last_event_ns)
			sum->last_event_ns = values[cpu].last_event_ns;
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
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int cpus = libbpf_num_possible_cpus();
	int fd;
	int result;

	if (cpus < 1)
		return vmn_fail(failure, -cpus, "libbpf_num_possible_cpus", "counters");
	fd = vmn_pin_open(dir, VMN_PIN_COUNTERS, VMN_OBJECT_MAP, failure);
	if (fd < 0)
		return fd == VMN_NOT_PINNED ? vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/counters", dir) : -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		result = vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "counters");
	else if (info.value_size != sizeof(struct vmn_counter) || info.max_entries != VMN_COUNTER_SLOTS)
		/* Made by another version; reading it would overrun or mislead. */
		result = vmn_fail(failure, EPROTO, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s/counters: %u x %u bytes", dir,
		                  info.max_entries, info.value_size);
	else
		result = read_all(fd, cpus, sums, failure);
	vmn_close(&fd);
	return result;
}
