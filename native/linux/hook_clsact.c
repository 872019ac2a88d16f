// SPDX-License-Identifier: Apache-2.0
/*
 * clsact: a tc filter is the attachment, and stays when every pin and process is gone. It is found again by its name,
 * which is that of the folder of pins, or by its program, which is pinned there.
 *
 * Giving it another program is one request that swaps a pointer. Where somebody's filter runs before it, another filter of
 * ours is added, which runs first, and the former one is deleted; in between both judge, so that only what both let
 * through passes. A crash there leaves two, which reads back as an unknown policy, and the next update deletes the second.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clsact.h"
#include "hook_kind.h"
#include "hook_record.h"
#include "pins.h"
#include "tcx.h"

/* Our filters at one hook. */
struct view {
	char name[VMN_CLSACT_NAME_BYTES];
	struct vmn_clsact_filter front; /* the one that runs first; handle 0 when there is none */
	bool first;                     /* and no other filter before it */
	uint32_t others[VMN_CLSACT_HANDLES];
	unsigned int other_count;
	uint32_t free_handle; /* 0 when all are taken */
	struct vmn_others beside;
};

static void name_of(const char *dir, char name[VMN_CLSACT_NAME_BYTES])
{
	static const char prefix[] = "vmnetwork:";
	size_t room = VMN_CLSACT_NAME_BYTES - sizeof(prefix);
	size_t length = strlen(dir);

	snprintf(name, VMN_CLSACT_NAME_BYTES, "%s%s", prefix, length > room ? dir + length - room : dir);
}

/* Ids of the programs that are pinned for the direction, in the VM's folder and in that of its replacement. */
static int pinned_programs(const char *dir, const struct vmn_direction *direction, uint32_t ids[2],
                           struct vmn_failure *failure)
{
	struct vmn_program program;
	char next[PATH_MAX];
	int pinned;

	ids[0] = ids[1] = 0;
	if (vmn_pin_next_dir(next, dir, failure))
		return -1;
	for (int i = 0; i < 2; i++) {
		pinned = vmn_program_read_pin(i ? next : dir, direction->program_name, &program, failure);
		if (pinned < 0)
			return -1;
		ids[i] = pinned ? program.id : 0;
	}
	return 0;
}

static bool has_our_place(const struct vmn_clsact_filter *filter)
{
	return filter->priority == VMN_CLSACT_PRIORITY && filter->handle >= VMN_CLSACT_HANDLE &&
	       filter->handle < VMN_CLSACT_HANDLE + VMN_CLSACT_HANDLES;
}

static void sort_out(struct view *view, const struct vmn_clsact_filter *filters, size_t count, const uint32_t ids[2])
{
	unsigned int taken = 0;

	for (size_t i = 0; i < count; i++) {
		const struct vmn_clsact_filter *filter = &filters[i];
		uint32_t id = filter->program_id;

		if (has_our_place(filter))
			taken |= 1u << (filter->handle - VMN_CLSACT_HANDLE);
		if (!has_our_place(filter) || !id || (strcmp(filter->name, view->name) && id != ids[0] && id != ids[1])) {
			vmn_others_note(&view->beside, id);
			continue;
		}
		if (view->front.handle) {
			view->others[view->other_count++ % VMN_CLSACT_HANDLES] = filter->handle;
			continue;
		}
		view->front = *filter;
		/* Somebody else may have given it another way to work; then ours comes in front of it, and it goes. */
		view->first = i == 0 && filter->all_protocols && filter->direct_action;
	}
	for (unsigned int i = VMN_CLSACT_HANDLES; i-- > 0;)
		if (!(taken & 1u << i))
			view->free_handle = VMN_CLSACT_HANDLE + i;
}

static int look(const char *dir, const struct vmn_direction *direction, uint32_t ifindex, struct view *view,
                struct vmn_failure *failure)
{
	struct vmn_clsact_filter *filters;
	uint32_t ids[2];
	size_t count;

	*view = (struct view){};
	name_of(dir, view->name);
	if (pinned_programs(dir, direction, ids, failure) ||
	    vmn_clsact_filters(ifindex, direction->clsact_parent, &filters, &count, failure))
		return -1;
	sort_out(view, filters, count, ids);
	free(filters);
	return 0;
}

static int delete_others(const struct view *view, const struct vmn_direction *direction, uint32_t ifindex,
                         struct vmn_failure *failure)
{
	for (unsigned int i = 0; i < view->other_count; i++)
		if (vmn_clsact_delete(ifindex, direction->clsact_parent, view->others[i], failure))
			return -1;
	return 0;
}

/* Adds a filter in front. Those of ours that stood there before become others. */
static int add_in_front(struct view *view, const struct vmn_direction *direction, uint32_t ifindex, int program,
                        struct vmn_failure *failure)
{
	uint32_t handle = view->free_handle;

	if (!handle && view->other_count) {
		handle = view->others[--view->other_count];
		if (vmn_clsact_delete(ifindex, direction->clsact_parent, handle, failure))
			return -1;
	}
	if (vmn_clsact_add(ifindex, direction->clsact_parent, handle ? handle : VMN_CLSACT_HANDLE, view->name, program,
	                   failure))
		return -1;
	if (view->front.handle)
		view->others[view->other_count++] = view->front.handle;
	return 0;
}

/* The program first of all filters, in the only filter of ours. */
static int put_first(const struct vmn_site *site, const struct vmn_direction *direction, int program, struct view *view,
                     struct vmn_failure *failure)
{
	int result;

	if (look(site->dir, direction, site->ifindex, view, failure))
		return -1;
	if (view->front.handle && view->first)
		result = vmn_clsact_replace(site->ifindex, direction->clsact_parent, view->front.handle, view->name, program,
		                            failure);
	else
		result = add_in_front(view, direction, site->ifindex, program, failure);
	return result ? -1 : delete_others(view, direction, site->ifindex, failure);
}

/* 1 when the record is of this network namespace. */
static int is_of_this_netns(const struct vmn_hook_record *record, struct vmn_failure *failure)
{
	struct vmn_hook_record here;

	if (vmn_hook_record_here(&here, failure))
		return -1;
	return here.netns_device == record->netns_device && here.netns_inode == record->netns_inode;
}

/*
 * 1 with the record of the folder if it is of this namespace, OF_ANOTHER_NETNS, VMN_HOOK_RECORD_UNREADABLE, or 0 without
 * one.
 */
#define OF_ANOTHER_NETNS 3
static int read_record(const char *dir, struct vmn_hook_record *record, struct vmn_failure *failure)
{
	int pinned = vmn_hook_record_read(dir, record, failure);
	int here;

	if (pinned != 1)
		return pinned;
	here = is_of_this_netns(record, failure);
	return here == 0 ? OF_ANOTHER_NETNS : here;
}

int vmn_hook_clsact_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex,
                         struct vmn_hook *hook, struct vmn_failure *failure)
{
	struct vmn_hook_record record;
	struct view view;
	int pinned = read_record(dir, &record, failure);
	int before;

	if (pinned <= 0)
		return pinned;
	hook->kind = VMN_HOOK_CLSACT;
	hook->ingress = direction->clsact_parent == VMN_CLSACT_INGRESS;
	/* A filter of ours on the interface asked about is found by its name, and replaced, when one is to be attached there. */
	hook->state = VMN_HOOK_DEFUNCT;
	if (pinned == VMN_HOOK_RECORD_UNREADABLE)
		return 1;
	hook->state = VMN_HOOK_ELSEWHERE;
	/* What is there cannot be seen from here, not even whether the interface is gone. */
	if (pinned == OF_ANOTHER_NETNS)
		return 1;
	if (look(dir, direction, record.ifindex, &view, failure))
		return -1;
	hook->state = record.ifindex == ifindex ? VMN_HOOK_HERE : VMN_HOOK_ELSEWHERE;
	if (!view.front.handle) {
		hook->state = VMN_HOOK_DEFUNCT;
		return 1;
	}
	before = vmn_tcx_programs(record.ifindex, direction->tcx_type, failure);
	if (before < 0)
		return -1;
	hook->ifindex = record.ifindex;
	hook->program_id = view.front.program_id;
	memcpy(hook->tag, view.front.tag, sizeof(hook->tag));
	hook->first = view.first && !before;
	hook->doubled = view.other_count > 0;
	hook->others = view.beside;
	return 1;
}

static int prepare(const struct vmn_site *site, struct vmn_failure *failure)
{
	struct vmn_hook_record pinned;
	struct vmn_hook_record record;
	int read = vmn_hook_record_read(site->dir, &pinned, failure);

	if (read < 0 || vmn_hook_record_here(&record, failure))
		return -1;
	record.ifindex = site->ifindex;
	if (!read && vmn_hook_record_write(site->dir, site->dir, &record, failure))
		return -1;
	if (read && (read != 1 || memcmp(&pinned, &record, sizeof(record))) &&
	    vmn_hook_record_write(site->dir, site->next, &record, failure))
		return -1;
	return vmn_clsact_make(site->ifindex, failure);
}

static int attach(const struct vmn_site *site, const struct vmn_direction *direction, int program,
                  struct vmn_failure *failure)
{
	struct view view;

	if (put_first(site, direction, program, &view, failure))
		return -1;
	return view.front.handle ? 1 : 0;
}

static int update(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                  int program, struct vmn_failure *failure)
{
	struct view view;

	hook->revertible = true;
	return put_first(site, direction, program, &view, failure);
}

static int revert(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                  int program, struct vmn_failure *failure)
{
	struct view view;

	(void)hook;
	return put_first(site, direction, program, &view, failure);
}

int vmn_hook_clsact_detach(const char *dir, const struct vmn_direction *direction, struct vmn_failure *failure)
{
	struct vmn_hook_record record;
	struct view view;
	int pinned = read_record(dir, &record, failure);

	if (pinned != 1)
		return pinned < 0 ? -1 : 0;
	if (look(dir, direction, record.ifindex, &view, failure))
		return -1;
	if (view.front.handle && vmn_clsact_delete(record.ifindex, direction->clsact_parent, view.front.handle, failure))
		return -1;
	return delete_others(&view, direction, record.ifindex, failure);
}

const struct vmn_hook_operations vmn_hook_clsact = {prepare, attach, update, revert};
