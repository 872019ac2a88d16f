// SPDX-License-Identifier: Apache-2.0
#include "filter.h"

#include <errno.h>
#include <stddef.h>

#include "hook.h"
#include "pins.h"
#include "policy.h"
#include "program.h"

/* Whatever is attached is elsewhere than there. */
#define NO_INTERFACE 0

/* A folder with pins: that of the VM, or that of its replacement under way. */
struct place {
	const char *dir;
	uint32_t slot_id; /* 0 when no slot is pinned there */
};

/* Writes in a place, if it has a slot. */
static int write_in(struct place *place, const void *policy, struct vmn_failure *failure)
{
	int slot = vmn_policy_open_slot(place->dir, failure);
	int result;

	if (slot == VMN_NOT_PINNED)
		return 0;
	if (slot < 0)
		return -1;
	result = vmn_policy_write(slot, place->dir, policy, failure);
	place->slot_id = vmn_map_id(slot, failure);
	vmn_close(&slot);
	return result || !place->slot_id ? -1 : 0;
}

static int find_slot(struct place *place, struct vmn_failure *failure)
{
	int slot = vmn_policy_open_slot(place->dir, failure);

	if (slot < 0)
		return slot == VMN_NOT_PINNED ? 0 : -1;
	place->slot_id = vmn_map_id(slot, failure);
	vmn_close(&slot);
	return place->slot_id ? 0 : -1;
}

/* 1 when the program with this id is pinned in one of the places and looks into one of their slots. */
static int looks_into(const struct place *places, int count, const char *name, uint32_t id, struct vmn_failure *failure)
{
	for (int i = 0; i < count; i++) {
		struct vmn_program program;
		int pinned = vmn_program_read_pin(places[i].dir, name, &program, failure);

		if (pinned < 0)
			return -1;
		if (!pinned || program.id != id)
			continue;
		for (int j = 0; j < count; j++)
			if (vmn_program_uses(&program, places[j].slot_id))
				return 1;
	}
	return 0;
}

/* Fails with ESTALE when an attached program does not look into these slots: writing there would change nothing. */
static int check_in_force(const char *dir, const struct place *places, int count, struct vmn_failure *failure)
{
	for (int i = 0; i < 2; i++) {
		const struct vmn_direction *direction = &vmn_directions[i];
		struct vmn_hook hook;
		int looks;

		if (vmn_hook_open(dir, direction, NO_INTERFACE, &hook, failure))
			return -1;
		vmn_hook_close(&hook);
		if (hook.state != VMN_HOOK_ELSEWHERE)
			continue;
		looks = hook.doubled ? 0 : looks_into(places, count, direction->program_name, hook.program_id, failure);
		if (looks < 0)
			return -1;
		if (!looks)
			return vmn_fail(failure, ESTALE, "bpf(BPF_OBJ_GET_INFO_BY_FD)",
			                "%s: ifindex %u runs program %u, which is not %s pinned", dir, hook.ifindex,
			                hook.program_id, direction->program_name);
	}
	return 0;
}

static int set_policy(const char *dir, const void *policy, struct vmn_failure *failure)
{
	struct place place = {.dir = dir};

	if (find_slot(&place, failure))
		return -1;
	if (!place.slot_id)
		return vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/" VMN_PIN_POLICY_SLOT, dir);
	if (check_in_force(dir, &place, 1, failure))
		return -1;
	return write_in(&place, policy, failure);
}

/* Closing goes on after a failure: what can be closed shall be. */
static int empty_policy(const char *dir, struct vmn_failure *failure)
{
	char next[PATH_MAX];
	struct place places[2] = {{.dir = dir}, {.dir = next}};

	if (vmn_pin_next_dir(next, dir, failure))
		return -1;
	if (write_in(&places[0], NULL, failure) | write_in(&places[1], NULL, failure))
		return -1;
	if (!places[0].slot_id && !places[1].slot_id)
		return vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/" VMN_PIN_POLICY_SLOT, dir);
	return check_in_force(dir, places, 2, failure);
}

int vmn_filter_write_policy(const char *dir, const void *policy, struct vmn_failure *failure)
{
	return policy ? set_policy(dir, policy, failure) : empty_policy(dir, failure);
}
