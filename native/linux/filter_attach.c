// SPDX-License-Identifier: Apache-2.0
#include "filter.h"

#include <stdio.h>

#include "filter_object.h"
#include "hook_record.h"
#include "pins.h"
#include "pins_other.h"

#define NO_INTERFACE 0

static const char *either(const char *dir, const char *next, int i)
{
	return i < 2 ? dir : next;
}

static int refuse_attached(const char *dir, const char *next, struct vmn_failure *failure)
{
	for (int i = 0; i < 4; i++) {
		struct vmn_hook hook;

		/* Whatever is attached to something is elsewhere than on no interface. */
		if (vmn_hook_open_here(either(dir, next, i), &vmn_directions[i % 2], NO_INTERFACE, &hook, failure))
			return -1;
		vmn_hook_close(&hook);
	}
	return 0;
}

int vmn_filter_remove(const char *dir, bool attached_too, struct vmn_failure *failure)
{
	char next[PATH_MAX];

	if (vmn_pin_next_dir(next, dir, failure))
		return -1;
	if (!attached_too &&
	    (refuse_attached(dir, next, failure) || vmn_pins_other_refuse_elsewhere(dir, NO_INTERFACE, failure) ||
	     vmn_pins_other_refuse_elsewhere(next, NO_INTERFACE, failure)))
		return -1;
	for (int i = 0; i < 4 && attached_too; i++)
		if (vmn_hook_detach(either(dir, next, i), &vmn_directions[i % 2], failure))
			return -1;
	return vmn_pin_remove_dir(next, failure) || vmn_pin_remove_dir(dir, failure) ? -1 : 0;
}

/* 1 when something pinned is attached to the interface, 0 when all that is pinned is stale. */
static int is_attached(const char *dir, const char *next, uint32_t ifindex, struct vmn_failure *failure)
{
	int attached = 0;

	for (int i = 0; i < 4; i++) {
		struct vmn_hook hook;

		if (vmn_hook_open_here(either(dir, next, i), &vmn_directions[i % 2], ifindex, &hook, failure))
			return -1;
		if (hook.state == VMN_HOOK_HERE)
			attached = 1;
		vmn_hook_close(&hook);
	}
	return attached;
}

/* 1 when pins are there that only another version can read: what they stand for may be attached. */
static int is_of_another_version(const char *dir, const char *next, struct vmn_failure *failure)
{
	struct vmn_hook_record record;
	int read = vmn_hook_record_read(dir, &record, failure);
	int exist;

	if (read < 0 || read == VMN_HOOK_RECORD_UNREADABLE)
		return read < 0 ? -1 : 1;
	exist = vmn_pins_other_exist(dir, failure);
	return exist ? exist : vmn_pins_other_exist(next, failure);
}

/* `existed` has what stood there before and must not be detached by undoing this. */
static int attach_and_pin(const struct vmn_filter_set *set, const struct vmn_site *site, enum vmn_hook_kind kind,
                          bool existed[2], struct vmn_failure *failure)
{
	if (vmn_pin_make_dir(site->dir, failure) || vmn_filter_pin(set, site->dir, failure) ||
	    vmn_hook_prepare(kind, site, failure))
		return -1;
	for (int i = 0; i < 2; i++) {
		const struct vmn_direction *direction = &vmn_directions[i];
		int result = vmn_hook_attach(kind, site, direction, vmn_program_for(set, direction), failure);

		if (result < 0)
			return -1;
		existed[i] = result > 0;
	}
	return 0;
}

static void undo(const char *dir, const bool existed[2])
{
	struct vmn_failure ignored = {};

	for (int i = 0; i < 2; i++)
		if (!existed[i])
			vmn_hook_detach(dir, &vmn_directions[i], &ignored);
	vmn_pin_remove_dir(dir, &ignored);
	vmn_failure_clear(&ignored);
}

int vmn_filter_attach_by(enum vmn_hook_kind kind, const char *dir, uint32_t ifindex, struct vmn_failure *failure)
{
	char next[PATH_MAX];
	const struct vmn_site site = {.dir = dir, .next = next, .ifindex = ifindex};
	struct vmn_filter_set set = VMN_FILTER_SET_NONE;
	bool existed[2] = {true, true};
	char events_path[PATH_MAX];
	int events;
	int result = -1;
	int attached;

	if (vmn_pin_next_dir(next, dir, failure) || vmn_pin_events_path(events_path, dir, failure))
		return -1;
	attached = is_attached(dir, next, ifindex, failure);
	if (!attached)
		attached = is_of_another_version(dir, next, failure);
	if (attached)
		return attached < 0 ? -1 : vmn_filter_replace_by(kind, dir, ifindex, NULL, failure);
	if (vmn_hook_choose(ifindex, kind, &kind, failure) || vmn_pin_remove_dir(next, failure) ||
	    vmn_pin_remove_dir(dir, failure))
		return -1;
	events = vmn_events_open(events_path, 1, failure);
	if (events < 0)
		return -1;
	if (!vmn_filter_load(events, NULL, &set, failure)) {
		result = attach_and_pin(&set, &site, kind, existed, failure);
		if (result)
			undo(dir, existed);
	}
	vmn_filter_close(&set);
	vmn_close(&events);
	return result;
}
