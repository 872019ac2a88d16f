// SPDX-License-Identifier: Apache-2.0
/*
 * Replacing a running filter.
 *
 * Goal: at no instant is a direction without a program, nor with a program that has not the desired policy (the former
 * one is in force until then). The steps:
 *
 *   1. A fresh set of programs and maps is loaded, its policy slot empty. Counters, state and tunnel are the old ones where they
 *      fit. A direction where nothing of ours is attached, or nothing that this version knows, gets the fresh program in
 *      front of all: closed.
 *   2. The fresh set is pinned in `<dir>_next`, where what an earlier attempt left is removed only now.
 *   3. The desired policy is put in the fresh slot.
 *   4. What is attached is given the fresh program, one pointer swap in the kernel for each direction. If somebody
 *      attached in front of us, we attach in front of them first and then give up the place behind (hook_tcx.c,
 *      hook_clsact.c).
 *   5. What another version pinned beside ours goes, and the pins of the fresh set are moved over those of the old one.
 *
 * A crash in 1 may leave a direction that runs a program which is not pinned, closed, and reads back as unknown. A crash
 * before 4 leaves the old filter and an idle `<dir>_next`. A crash from 4 on leaves fresh programs, with the
 * desired policy, on one or both hooks, while the pins are of two sets; reading back tells by ids that they are (policy
 * unknown), and replacing again starts at 1 with yet another set. What was pinned is not needed for enforcement: a link
 * or a tc filter holds its program, the program its maps.
 */
#include "filter.h"

#include <bpf/bpf.h>
#include <stddef.h>
#include <unistd.h>

#include "filter_object.h"
#include "hook_record.h"
#include "pins.h"
#include "pins_other.h"
#include "policy.h"

struct replacement {
	struct vmn_site site;
	char next[PATH_MAX];
	enum vmn_hook_kind kind;
	struct vmn_filter_set fresh;
	struct vmn_hook hooks[2]; /* as they were found; state HERE where something is attached */
	bool updated[2];          /* runs the fresh program, perhaps */
	bool staged;              /* `<dir>_next` holds the fresh set, or a part of it, and nothing else */
	bool committed;           /* a direction runs the fresh program and cannot be given the old one back */
};

/* 1 when `<dir>_next` held a link of an interrupted step 4: it is in front already and only lacked its final name. */
static int adopt_staged_link(struct replacement *r, const struct vmn_direction *direction, struct vmn_failure *failure)
{
	const struct vmn_site *site = &r->site;
	struct vmn_hook staged;

	if (vmn_hook_open_here(site->next, direction, site->ifindex, &staged, failure))
		return -1;
	vmn_hook_close(&staged);
	if (staged.kind != VMN_HOOK_TCX || staged.state != VMN_HOOK_HERE)
		return 0;
	return vmn_pin_rename(site->next, direction->link_name, site->dir, direction->link_name, failure) ? -1 : 1;
}

static int find_hook(struct replacement *r, const struct vmn_direction *direction, struct vmn_hook *hook,
                     struct vmn_failure *failure)
{
	const struct vmn_site *site = &r->site;
	int adopted;

	if (vmn_hook_open_here(site->dir, direction, site->ifindex, hook, failure))
		return -1;
	adopted = adopt_staged_link(r, direction, failure);
	if (adopted < 0)
		return -1;
	if (adopted) {
		vmn_hook_close(hook);
		return vmn_hook_open_here(site->dir, direction, site->ifindex, hook, failure);
	}
	return 0;
}

/*
 * Where the filters of a record are that cannot be read is not known. Wherever it is, they are closed, if by anything that
 * can be reached from here.
 */
static int close_unknown(struct replacement *r, struct vmn_failure *failure)
{
	struct vmn_hook_record record;
	int read = vmn_hook_record_read(r->site.dir, &record, failure);
	int result;
	int slot;

	if (read != VMN_HOOK_RECORD_UNREADABLE)
		return read < 0 ? -1 : 0;
	slot = vmn_policy_open_slot(r->site.dir, failure);
	if (slot < 0)
		return slot == VMN_NOT_PINNED ? 0 : -1;
	result = vmn_policy_write(slot, r->site.dir, NULL, failure);
	vmn_close(&slot);
	return result;
}

/* What is pinned decides how missing directions are attached, even when it is stale. */
static int find_hooks(struct replacement *r, struct vmn_failure *failure)
{
	for (int i = 0; i < 2; i++) {
		if (find_hook(r, &vmn_directions[i], &r->hooks[i], failure))
			return -1;
		if (r->hooks[i].state != VMN_HOOK_ABSENT)
			r->kind = r->hooks[i].kind;
	}
	return vmn_hook_choose(r->site.ifindex, r->kind, &r->kind, failure);
}

/* Loading is what may well fail (memory, the verifier), so what an earlier attempt left is removed only after it. */
static int load_fresh(struct replacement *r, struct vmn_failure *failure)
{
	char events_path[PATH_MAX];
	int events;
	int result;

	if (vmn_pin_events_path(events_path, r->site.dir, failure))
		return -1;
	events = vmn_events_open(events_path, 1, failure);
	if (events < 0)
		return -1;
	result = vmn_filter_load(events, r->site.dir, &r->fresh, failure);
	vmn_close(&events);
	return result;
}

static int pin_fresh(struct replacement *r, struct vmn_failure *failure)
{
	if (vmn_pin_remove_dir(r->next, failure) || vmn_pin_make_dir(r->next, failure))
		return -1;
	r->staged = true;
	return vmn_filter_pin(&r->fresh, r->next, failure);
}

static int attach_missing(struct replacement *r, struct vmn_failure *failure)
{
	bool prepared = false;

	for (int i = 0; i < 2; i++) {
		const struct vmn_direction *direction = &vmn_directions[i];

		if (r->hooks[i].state == VMN_HOOK_HERE)
			continue;
		if (!prepared && vmn_hook_prepare(r->kind, &r->site, failure))
			return -1;
		prepared = true;
		r->committed = true;
		if (vmn_hook_attach(r->kind, &r->site, direction, vmn_program_for(&r->fresh, direction), failure) < 0)
			return -1;
	}
	return 0;
}

static int update_hooks(struct replacement *r, struct vmn_failure *failure)
{
	for (int i = 0; i < 2; i++) {
		const struct vmn_direction *direction = &vmn_directions[i];
		struct vmn_hook *hook = &r->hooks[i];

		if (hook->state != VMN_HOOK_HERE)
			continue;
		r->updated[i] = true;
		if (vmn_hook_update(hook, &r->site, direction, vmn_program_for(&r->fresh, direction), failure))
			return -1;
	}
	return 0;
}

/* Gives an updated hook its former program back. */
static int revert(struct replacement *r, int i, struct vmn_failure *ignored)
{
	struct vmn_hook *hook = &r->hooks[i];
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	int result = -1;
	int old;

	if (!hook->revertible)
		return -1;
	old = vmn_pin_open(r->site.dir, vmn_directions[i].program_name, VMN_OBJECT_PROGRAM, ignored);
	if (old >= 0 && !bpf_obj_get_info_by_fd(old, &info, &length) && info.id == hook->program_id)
		result = vmn_hook_revert(hook, &r->site, &vmn_directions[i], old, ignored);
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
	if (r->staged)
		vmn_pin_remove_dir(r->next, &ignored);
	else
		rmdir(r->next); /* if it is empty: what else is there may be what keeps the VM closed */
	vmn_failure_clear(&ignored);
}

static int take_over_pins(struct replacement *r, bool with_policy, struct vmn_failure *failure)
{
	static const char *const names[] = {VMN_PIN_FROM_VM, VMN_PIN_TO_VM,  VMN_PIN_COUNTERS,
	                                    VMN_PIN_STATE,   VMN_PIN_TUNNEL, VMN_PIN_POLICY_SLOT};
	const char *dir = r->site.dir;

	/* From here on all that passes passes through the fresh programs. A folder would be in the way of a pin. */
	if (vmn_pins_other_remove(dir, failure))
		return -1;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (vmn_pin_rename(r->next, names[i], dir, names[i], failure))
			return -1;
	if (with_policy ? vmn_pin_rename(r->next, VMN_PIN_POLICY, dir, VMN_PIN_POLICY, failure)
	                : vmn_unpin(dir, VMN_PIN_POLICY, failure))
		return -1;
	if (vmn_unpin(dir, VMN_PIN_POLICY_NEXT, failure))
		return -1;
	return vmn_pin_remove_dir(r->next, failure);
}

/* What another version pinned goes in the end. */
static int refuse_elsewhere(const struct replacement *r, struct vmn_failure *failure)
{
	if (vmn_pins_other_refuse_elsewhere(r->site.dir, r->site.ifindex, failure))
		return -1;
	return vmn_pins_other_refuse_elsewhere(r->next, r->site.ifindex, failure);
}

static int replace(struct replacement *r, const void *policy, struct vmn_failure *failure)
{
	if (vmn_pin_make_dir(r->site.dir, failure) || refuse_elsewhere(r, failure) || find_hooks(r, failure) ||
	    load_fresh(r, failure) || vmn_pin_make_dir(r->next, failure))
		return -1;
	if (close_unknown(r, failure) || attach_missing(r, failure) || pin_fresh(r, failure))
		goto undo;
	if (policy && vmn_policy_write(r->fresh.policy_slot, r->next, policy, failure))
		goto undo;
	if (update_hooks(r, failure))
		goto undo;
	return take_over_pins(r, policy != NULL, failure);
undo:
	undo(r);
	return -1;
}

int vmn_filter_replace_by(enum vmn_hook_kind kind, const char *dir, uint32_t ifindex, const void *policy,
                          struct vmn_failure *failure)
{
	struct replacement r = {
		.kind = kind,
		.fresh = VMN_FILTER_SET_NONE,
		.hooks = {VMN_HOOK_NONE, VMN_HOOK_NONE},
	};
	int result = -1;

	r.site = (struct vmn_site){.dir = dir, .next = r.next, .ifindex = ifindex};
	if (!vmn_pin_next_dir(r.next, dir, failure))
		result = replace(&r, policy, failure);
	vmn_hook_close(&r.hooks[0]);
	vmn_hook_close(&r.hooks[1]);
	vmn_filter_close(&r.fresh);
	return result;
}
