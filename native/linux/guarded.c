// SPDX-License-Identifier: Apache-2.0
#include "guarded.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "pinned_map.h"
#include "pins.h"

/* As bpf/maps.h has it, which is for the compiler of the filter. */
struct head {
	struct bpf_spin_lock lock;
	uint32_t abi;
};

union entry {
	struct head head;
	struct {
		struct head head;
		struct vmn_state state;
	} state;
	struct {
		struct head head;
		struct vmn_tunnel tunnel;
	} tunnel;
};

static const struct guarded {
	const char *name;
	uint32_t abi;
	uint32_t value_bytes;
} guarded[] = {
	{VMN_PIN_STATE, VMN_STATE_ABI, sizeof((union entry){}.state)},
	{VMN_PIN_TUNNEL, VMN_TUNNEL_ABI, sizeof((union entry){}.tunnel)},
};

static const uint32_t first_entry;

/* Before there was a number none was written; that was this layout. */
#define ABI_UNMARKED 1

static const struct guarded *find(const char *name)
{
	for (size_t i = 0; i < sizeof(guarded) / sizeof(guarded[0]); i++)
		if (!strcmp(guarded[i].name, name))
			return &guarded[i];
	return NULL;
}

static int is_of_version(const struct guarded *what, const union entry *entry)
{
	return (entry->head.abi ? entry->head.abi : ABI_UNMARKED) == what->abi;
}

int vmn_is_guarded(const char *name)
{
	return find(name) != NULL;
}

int vmn_guarded_begin(const char *name, int fd, struct vmn_failure *failure)
{
	const struct guarded *what = find(name);
	const union entry fresh = {.head.abi = what ? what->abi : 0};

	if (!what || bpf_map_update_elem(fd, &first_entry, &fresh, BPF_F_LOCK))
		return vmn_fail(failure, what ? errno : EINVAL, "bpf(BPF_MAP_UPDATE_ELEM)", "%s", name);
	return 0;
}

int vmn_guarded_is_ours(const char *name, int fd)
{
	const struct guarded *what = find(name);
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	union entry entry;

	if (!what || bpf_obj_get_info_by_fd(fd, &info, &length) || info.value_size != what->value_bytes)
		return 0;
	if (bpf_map_lookup_elem_flags(fd, &first_entry, &entry, BPF_F_LOCK))
		return 0;
	return is_of_version(what, &entry);
}

static int read_pinned(const char *dir, const char *name, union entry *entry, struct vmn_failure *failure)
{
	const struct guarded *what = find(name);
	int fd = vmn_pinned_map_open(dir, name, BPF_MAP_TYPE_ARRAY, what->value_bytes, 1, failure);
	int result = 0;

	if (fd < 0)
		return -1;
	/* Under its lock: all of one moment. */
	if (bpf_map_lookup_elem_flags(fd, &first_entry, entry, BPF_F_LOCK))
		result = vmn_fail(failure, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", "%s/%s", dir, name);
	else if (!is_of_version(what, entry))
		result = vmn_fail(failure, EPROTO, "bpf(BPF_MAP_LOOKUP_ELEM)", "%s/%s: ABI %u, not %u", dir, name,
		                  entry->head.abi, what->abi);
	vmn_close(&fd);
	return result;
}

int vmn_state_read(const char *dir, struct vmn_state *state, struct vmn_failure *failure)
{
	union entry entry;

	if (read_pinned(dir, VMN_PIN_STATE, &entry, failure))
		return -1;
	*state = entry.state.state;
	return 0;
}

int vmn_tunnel_read(const char *dir, struct vmn_tunnel *tunnel, struct vmn_failure *failure)
{
	union entry entry;

	if (read_pinned(dir, VMN_PIN_TUNNEL, &entry, failure))
		return -1;
	*tunnel = entry.tunnel.tunnel;
	return 0;
}
