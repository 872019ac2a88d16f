// SPDX-License-Identifier: Apache-2.0
/*
 * Replacing a running filter.
 *
 * Goal: at no instant is a direction without a program, nor with a program that has not the desired policy (the former
 * one is in force until then). The steps:
 *
 *   1. A fresh set of programs and maps is pinned in `<dir>_next`, its policy slot empty.
 *   2. A direction without a live link gets a link with the fresh program: closed.
 *   3. The desired policy is put in the fresh slot.
 *   4. Each live link is updated to the fresh program, one pointer swap in the kernel. If somebody attached in front of
 *      us, a new link in front of them is made and pinned over the old one, which then goes.
 *   5. The pins of the fresh set are moved over those of the old one.
 *
 * A crash before 4 leaves the old filter and an idle `<dir>_next`. A crash from 4 on leaves fresh programs, with the
 * desired policy, on one or both hooks, while the pins are of two sets; reading back tells by ids that they are (policy
 * unknown), and replacing again starts at 1 with yet another set. What was pinned is not needed for enforcement: a link
 * holds its program, the program its maps.
 */
#include "filter.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <unistd.h>

#include "hook_pin.h"
#include "pins.h"
#include "policy.h"
#include "vmn/abi.h"

struct replacement {
	const char *dir;
	char next[PATH_MAX];
	uint32_t ifindex;
	struct vmn_filter_set fresh;
	struct vmn_hook_pin pins[2]; /* links as they were found; fd -1 where none is live */
	bool updated[2];             /* runs the fresh program and can be given the old one back */
	bool committed;              /* a direction runs the fresh program and cannot */
};

/* 1 when `<dir>_next` held a link of an interrupted step 4: it is in front already and only lacked its final name. */
static int adopt_staged_link(struct replacement *r, const struct vmn_direction *direction, struct vmn_failure *failure)
{
	struct vmn_hook_pin staged;

	if (vmn_hook_pin_open_here(r->next, direction, r->ifindex, &staged, failure))
		return -1;
	vmn_close(&staged.fd);
	if (staged.state != VMN_HOOK_HERE)
		return 0;
	return vmn_pin_rename(r->next, direction->link_name, r->dir, direction->link_name, failure) ? -1 : 1;
}

static int find_link(struct replacement *r, const struct vmn_direction *direction, struct vmn_hook_pin *pin,
                     struct vmn_failure *failure)
{
	int adopted;

	if (vmn_hook_pin_open_here(r->dir, direction, r->ifindex, pin, failure))
		return -1;
	adopted = adopt_staged_link(r, direction, failure);
	if (adopted < 0)
		return -1;
	if (adopted) {
		vmn_close(&pin->fd);
		if (vmn_hook_pin_open_here(r->dir, direction, r->ifindex, pin, failure))
			return -1;
	}
	if (pin->state != VMN_HOOK_HERE)
		vmn_close(&pin->fd);
	return 0;
}

static int find_links(struct replacement *r, struct vmn_failure *failure)
{
	for (int i = 0; i < 2; i++)
		if (find_link(r, &vmn_directions[i], &r->pins[i], failure))
			return -1;
	return 0;
}

/* The old counters if they are of the present layout, so that counts survive an upgrade; else -1. */
static int old_counters(const char *dir)
{
	struct vmn_failure ignored = {};
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int fd = vmn_pin_open(dir, VMN_PIN_COUNTERS, VMN_OBJECT_MAP, &ignored);

	if (fd < 0)
		return -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &length) || info.type != BPF_MAP_TYPE_PERCPU_ARRAY ||
	    info.key_size != sizeof(uint32_t) || info.value_size != sizeof(struct vmn_counter) ||
	    info.max_entries != VMN_COUNTER_SLOTS)
		vmn_close(&fd);
	return fd;
}

/* Loading is what may well fail (memory, the verifier), so what an earlier attempt left is removed only after it. */
static int load_fresh(struct replacement *r, struct vmn_failure *failure)
{
	char events_path[PATH_MAX];
	int counters;
	int events;
	int result;

	if (vmn_pin_events_path(events_path, r->dir, failure))
		return -1;
	events = vmn_events_open(events_path, 1, failure);
	if (events < 0)
		return -1;
	counters = old_counters(r->dir);
	result = vmn_filter_load(events, counters, &r->fresh, failure);
	vmn_close(&counters);
	vmn_close(&events);
	return result;
}

static int pin_fresh(struct replacement *r, struct vmn_failure *failure)
{
	if (vmn_pin_remove_dir(r->next, failure) || vmn_pin_make_dir(r->next, failure))
		return -1;
	return vmn_filter_pin(&r->fresh, r->next, failure);
}

static int attach_missing(struct replacement *r, struct vmn_failure *failure)
{
	for (int i = 0; i < 2; i++) {
		const struct vmn_direction *direction = &vmn_directions[i];
		int link;
		int result;

		if (r->pins[i].fd >= 0)
			continue;
		if (vmn_unpin(r->dir, direction->link_name, failure))
			return -1;
		link = vmn_tcx_attach(vmn_program_for(&r->fresh, direction), r->ifindex, direction->attach_type, failure);
		if (link < 0)
			return -1;
		r->committed = true;
		result = vmn_pin(link, r->dir, direction->link_name, failure);
		vmn_close(&link);
		if (result)
			return -1;
	}
	return 0;
}

static int overtake(struct replacement *r, const struct vmn_direction *direction, struct vmn_hook_pin *old,
                    struct vmn_failure *failure)
{
	int result = -1;
	int link = vmn_tcx_attach(vmn_program_for(&r->fresh, direction), r->ifindex, direction->attach_type, failure);

	if (link < 0)
		return -1;
	if (!vmn_pin(link, r->next, direction->link_name, failure))
		result = vmn_pin_rename(r->next, direction->link_name, r->dir, direction->link_name, failure);
	vmn_close(&link);
	if (!result) {
		r->committed = true;
		vmn_close(&old->fd);
	}
	return result;
}

static int update_links(struct replacement *r, struct vmn_failure *failure)
{
	for (int i = 0; i < 2; i++) {
		const struct vmn_direction *direction = &vmn_directions[i];
		struct vmn_hook_pin *pin = &r->pins[i];

		if (pin->fd < 0)
			continue;
		if (!pin->first) {
			if (overtake(r, direction, pin, failure))
				return -1;
			continue;
		}
		if (bpf_link_update(pin->fd, vmn_program_for(&r->fresh, direction), NULL))
			return vmn_fail(failure, errno, "bpf(BPF_LINK_UPDATE)", "%s/%s", r->dir, direction->link_name);
		r->updated[i] = true;
	}
	return 0;
}

/* Gives an updated link its former program back. */
static int revert(struct replacement *r, int i, struct vmn_failure *ignored)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	int old = vmn_pin_open(r->dir, vmn_directions[i].program_name, VMN_OBJECT_PROGRAM, ignored);
	int result = -1;

	if (old >= 0 && !bpf_obj_get_info_by_fd(old, &info, &length) && info.id == r->pins[i].link.program_id)
		result = bpf_link_update(r->pins[i].fd, old, NULL);
	vmn_close(&old);
	return result;
}

/*
 * Back to what was, where that can be had. A direction that cannot go back runs the fresh program, and is closed by
 * emptying the fresh slot, so that a failure never lets more through than before.
 */
static void undo(struct replacement *r)
{
	struct vmn_failure ignored = {};

	for (int i = 0; i < 2; i++)
		if (r->updated[i] && revert(r, i, &ignored))
			r->committed = true;
	if (r->committed)
		vmn_policy_write(r->fresh.policy_slot, r->next, NULL, &ignored);
	vmn_pin_remove_dir(r->next, &ignored);
	vmn_failure_clear(&ignored);
}

static int take_over_pins(struct replacement *r, bool with_policy, struct vmn_failure *failure)
{
	static const char *const names[] = {VMN_PIN_FROM_VM, VMN_PIN_TO_VM, VMN_PIN_COUNTERS, VMN_PIN_POLICY_SLOT};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (vmn_pin_rename(r->next, names[i], r->dir, names[i], failure))
			return -1;
	if (with_policy ? vmn_pin_rename(r->next, VMN_PIN_POLICY, r->dir, VMN_PIN_POLICY, failure)
	                : vmn_unpin(r->dir, VMN_PIN_POLICY, failure))
		return -1;
	if (vmn_unpin(r->dir, VMN_PIN_POLICY_NEXT, failure))
		return -1;
	return vmn_pin_remove_dir(r->next, failure);
}

static int replace(struct replacement *r, const void *policy, struct vmn_failure *failure)
{
	if (vmn_pin_make_dir(r->dir, failure) || find_links(r, failure) || load_fresh(r, failure))
		return -1;
	if (pin_fresh(r, failure) || attach_missing(r, failure))
		goto undo;
	if (policy && vmn_policy_write(r->fresh.policy_slot, r->next, policy, failure))
		goto undo;
	if (update_links(r, failure))
		goto undo;
	return take_over_pins(r, policy != NULL, failure);
undo:
	undo(r);
	return -1;
}

int vmn_filter_replace(const char *dir, uint32_t ifindex, const void *policy, struct vmn_failure *failure)
{
	struct replacement r = {
		.dir = dir,
		.ifindex = ifindex,
		.fresh = VMN_FILTER_SET_NONE,
		.pins = {{.fd = -1}, {.fd = -1}},
	};
	int result = -1;

	if (!vmn_pin_next_dir(r.next, dir, failure))
		result = replace(&r, policy, failure);
	vmn_close(&r.pins[0].fd);
	vmn_close(&r.pins[1].fd);
	vmn_filter_close(&r.fresh);
	return result;
}
