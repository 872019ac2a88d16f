// SPDX-License-Identifier: Apache-2.0
#include "counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
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
static int open_map(const char *dir, const char *name, uint32_t type, uint32_t value_bytes, uint32_t entries,
                    struct vmn_failure *failure)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_MAP, failure);

	if (fd < 0)
		return fd == VMN_NOT_PINNED ? vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/%s", dir, name) : -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s", name);
	else if (info.type != type || info.key_size != sizeof(uint32_t) || info.value_size != value_bytes ||
	         info.max_entries != entries)
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
	fd = open_map(dir, VMN_PIN_COUNTERS, BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(struct vmn_counter), VMN_COUNTER_SLOTS,
	              failure);
	if (fd < 0)
		return -1;
	result = read_all(fd, cpus, sums, failure);
	vmn_close(&fd);
	return result;
}

/* As bpf/maps.h has it, which is for the compiler of the filter. */
struct guarded_state {
	struct bpf_spin_lock lock;
	uint32_t abi;
	struct vmn_state state;
};

static const uint32_t first_entry;

/* Before there was a number none was written; that was this layout. */
#define ABI_UNMARKED 1

static bool is_ours(const struct guarded_state *guarded)
{
	return (guarded->abi ? guarded->abi : ABI_UNMARKED) == VMN_STATE_ABI;
}

int vmn_state_begin(int fd, struct vmn_failure *failure)
{
	const struct guarded_state fresh = {.abi = VMN_STATE_ABI};

	if (bpf_map_update_elem(fd, &first_entry, &fresh, BPF_F_LOCK))
		return vmn_fail(failure, errno, "bpf(BPF_MAP_UPDATE_ELEM)", VMN_PIN_STATE);
	return 0;
}

int vmn_state_is_ours(int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	struct guarded_state guarded;

	if (bpf_obj_get_info_by_fd(fd, &info, &length) || info.value_size != sizeof(guarded))
		return 0;
	if (bpf_map_lookup_elem_flags(fd, &first_entry, &guarded, BPF_F_LOCK))
		return 0;
	return is_ours(&guarded);
}

int vmn_state_read(const char *dir, struct vmn_state *state, struct vmn_failure *failure)
{
	int fd = open_map(dir, VMN_PIN_STATE, BPF_MAP_TYPE_ARRAY, sizeof(struct guarded_state), 1, failure);
	struct guarded_state guarded;
	int result = 0;

	if (fd < 0)
		return -1;
	/* Under its lock: all of one moment. */
	if (bpf_map_lookup_elem_flags(fd, &first_entry, &guarded, BPF_F_LOCK))
		result = vmn_fail(failure, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", "%s/" VMN_PIN_STATE, dir);
	else if (!is_ours(&guarded))
		result = vmn_fail(failure, EPROTO, "bpf(BPF_MAP_LOOKUP_ELEM)", "%s/" VMN_PIN_STATE ": ABI %u, not %u", dir,
		                  guarded.abi, VMN_STATE_ABI);
	vmn_close(&fd);
	if (!result)
		*state = guarded.state;
	return result;
}
