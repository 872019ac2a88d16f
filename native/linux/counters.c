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

/* Opens a pinned map of this layout: reading another version's would overrun or mislead. */
static int open_map(const char *dir, const char *name, uint32_t value_bytes, uint32_t entries,
                    struct vmn_failure *failure)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_MAP, failure);

	if (fd < 0)
		return fd == VMN_NOT_PINNED ? vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/%s", dir, name) : -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s", name);
	else if (info.value_size != value_bytes || info.max_entries != entries)
		vmn_fail(failure, EPROTO, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s/%s: %u x %u bytes", dir, name, info.max_entries,
		         info.value_size);
	else
		return fd;
	vmn_close(&fd);
	return -1;
}

int vmn_counters_read(const char *dir, struct vmn_counter sums[VMN_COUNTER_SLOTS], struct vmn_failure *failure)
{
	int cpus = libbpf_num_possible_cpus();
	int result;
	int fd;

	if (cpus < 1)
		return vmn_fail(failure, -cpus, "libbpf_num_possible_cpus", "counters");
	fd = open_map(dir, VMN_PIN_COUNTERS, sizeof(struct vmn_counter), VMN_COUNTER_SLOTS, failure);
	if (fd < 0)
		return -1;
	result = read_all(fd, cpus, sums, failure);
	vmn_close(&fd);
	return result;
}

/* As bpf/maps.h has it, which is for the compiler of the filter. */
struct guarded_state {
	struct bpf_spin_lock lock;
	uint32_t reserved;
	struct vmn_state state;
};

int vmn_state_read(const char *dir, struct vmn_state *state, struct vmn_failure *failure)
{
	int fd = open_map(dir, VMN_PIN_STATE, sizeof(struct guarded_state), 1, failure);
	const uint32_t first_entry = 0;
	struct guarded_state guarded;
	int result = 0;

	if (fd < 0)
		return -1;
	/* Under its lock: all of one moment. */
	if (bpf_map_lookup_elem_flags(fd, &first_entry, &guarded, BPF_F_LOCK))
		result = vmn_fail(failure, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", "%s/" VMN_PIN_STATE, dir);
	vmn_close(&fd);
	if (!result)
		*state = guarded.state;
	return result;
}
