// SPDX-License-Identifier: Apache-2.0
#include "policy.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "pins.h"
#include "program.h"
#include "vmn/abi.h"

_Static_assert(sizeof(struct vmn_policy) == VMN_POLICY_BYTES, "one policy, one size");

static const uint32_t first_entry;

/* The inner map with the policy in it, closed to writes from user space for good. */
static int make_policy_map(const void *policy, struct vmn_failure *failure)
{
	/* Must equal the template in bpf/maps.h, or the slot refuses it. */
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_RDONLY_PROG);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "policy", sizeof(uint32_t), VMN_POLICY_BYTES, 1, &options);

	if (fd < 0)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", "policy");
	if (bpf_map_update_elem(fd, &first_entry, policy, BPF_ANY))
		vmn_fail(failure, errno, "bpf(BPF_MAP_UPDATE_ELEM)", "policy");
	else if (bpf_map_freeze(fd))
		vmn_fail(failure, errno, "bpf(BPF_MAP_FREEZE)", "policy");
	else
		return fd;
	vmn_close(&fd);
	return -1;
}

int vmn_policy_open_slot(const char *dir, struct vmn_failure *failure)
{
	int fd = vmn_pin_open(dir, VMN_PIN_POLICY_SLOT, VMN_OBJECT_MAP, failure);
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &length)) {
		vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s/" VMN_PIN_POLICY_SLOT, dir);
		vmn_close(&fd);
		return -1;
	}
	if (info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS && info.key_size == sizeof(first_entry) &&
	    info.value_size == sizeof(uint32_t) && info.max_entries == 1)
		return fd;
	vmn_close(&fd);
	return VMN_NOT_PINNED;
}

/* Id of the inner map in the slot, 0 when it is empty. */
static int slot_holds(int slot_fd, uint32_t *id, struct vmn_failure *failure)
{
	*id = 0;
	if (bpf_map_lookup_elem(slot_fd, &first_entry, id) && errno != ENOENT)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", "policy_slot");
	return 0;
}

/* Id of the map pinned under the name, 0 when none is. */
static int pinned_id(const char *dir, const char *name, uint32_t *id, struct vmn_failure *failure)
{
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_MAP, failure);

	*id = 0;
	if (fd == VMN_NOT_PINNED)
		return 0;
	if (fd < 0)
		return -1;
	*id = vmn_map_id(fd, failure);
	vmn_close(&fd);
	return *id ? 0 : -1;
}

/* A `policy_next` left by a crash is either in force already, then it is the policy, or was never used. */
static int settle(int slot_fd, const char *dir, struct vmn_failure *failure)
{
	uint32_t in_force;
	uint32_t next;

	if (pinned_id(dir, VMN_PIN_POLICY_NEXT, &next, failure) || slot_holds(slot_fd, &in_force, failure))
		return -1;
	if (!next)
		return 0;
	if (next == in_force)
		return vmn_pin_rename(dir, VMN_PIN_POLICY_NEXT, dir, VMN_PIN_POLICY, failure);
	return vmn_unpin(dir, VMN_PIN_POLICY_NEXT, failure);
}

static int empty_slot(int slot_fd, struct vmn_failure *failure)
{
	if (bpf_map_delete_elem(slot_fd, &first_entry) && errno != ENOENT)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_DELETE_ELEM)", "policy_slot");
	return 0;
}

/* The commit. The kernel waits here until running programs have left the old map. */
static int fill_slot(int slot_fd, int policy_fd, struct vmn_failure *failure)
{
	if (bpf_map_update_elem(slot_fd, &first_entry, &policy_fd, BPF_ANY))
		return vmn_fail(failure, errno, "bpf(BPF_MAP_UPDATE_ELEM)", "policy_slot");
	return 0;
}

static int empty(int slot_fd, const char *dir, struct vmn_failure *failure)
{
	if (empty_slot(slot_fd, failure) || vmn_unpin(dir, VMN_PIN_POLICY, failure))
		return -1;
	return vmn_unpin(dir, VMN_PIN_POLICY_NEXT, failure);
}

int vmn_policy_write(int slot_fd, const char *dir, const void *policy, struct vmn_failure *failure)
{
	int fd;

	if (!policy)
		return empty(slot_fd, dir, failure);
	if (settle(slot_fd, dir, failure))
		return -1;
	fd = make_policy_map(policy, failure);
	if (fd < 0)
		return -1;
	if (vmn_pin(fd, dir, VMN_PIN_POLICY_NEXT, failure)) {
		vmn_close(&fd);
		return -1;
	}
	if (fill_slot(slot_fd, fd, failure)) {
		vmn_unpin(dir, VMN_PIN_POLICY_NEXT, failure);
		vmn_close(&fd);
		return -1;
	}
	vmn_close(&fd);
	return vmn_pin_rename(dir, VMN_PIN_POLICY_NEXT, dir, VMN_PIN_POLICY, failure);
}

int vmn_policy_put(int slot_fd, const void *policy, struct vmn_failure *failure)
{
	int result;
	int fd;

	if (!policy)
		return empty_slot(slot_fd, failure);
	fd = make_policy_map(policy, failure);
	if (fd < 0)
		return -1;
	result = fill_slot(slot_fd, fd, failure);
	vmn_close(&fd);
	return result;
}

/* Reads the map pinned under the name if it is the one in force; `*state` stays as it was if not. */
static int read_if(uint32_t in_force, const char *dir, const char *name, uint8_t policy[VMN_POLICY_BYTES],
                   enum vmn_policy_state *state, struct vmn_failure *failure)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_MAP, failure);
	int result = 0;

	if (fd == VMN_NOT_PINNED)
		return 0;
	if (fd < 0)
		return -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		result = vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s", name);
	else if (info.id == in_force && info.type == BPF_MAP_TYPE_ARRAY && info.key_size == sizeof(first_entry) &&
	         info.value_size == VMN_POLICY_BYTES && info.max_entries == 1) {
		if (bpf_map_lookup_elem(fd, &first_entry, policy))
			result = vmn_fail(failure, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", "%s", name);
		else
			*state = VMN_POLICY_SET;
	}
	vmn_close(&fd);
	return result;
}

int vmn_policy_read(int slot_fd, const char *dir, uint8_t policy[VMN_POLICY_BYTES], enum vmn_policy_state *state,
                    struct vmn_failure *failure)
{
	uint32_t in_force;

	if (slot_holds(slot_fd, &in_force, failure))
		return -1;
	if (!in_force) {
		*state = VMN_POLICY_EMPTY;
		return 0;
	}
	*state = VMN_POLICY_UNKNOWN;
	if (read_if(in_force, dir, VMN_PIN_POLICY, policy, state, failure))
		return -1;
	if (*state == VMN_POLICY_UNKNOWN)
		return read_if(in_force, dir, VMN_PIN_POLICY_NEXT, policy, state, failure);
	return 0;
}
