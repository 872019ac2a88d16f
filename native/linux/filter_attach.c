// SPDX-License-Identifier: Apache-2.0
#include "filter.h"

#include <errno.h>
#include <stdio.h>

#include "hook_pin.h"
#include "pins.h"
#include "policy.h"

#define NO_INTERFACE 0

static const char *either(const char *dir, const char *next, int i)
{
	return i < 2 ? dir : next;
}

int vmn_filter_remove(const char *dir, bool attached_too, struct vmn_failure *failure)
{
	char next[PATH_MAX];

	if (vmn_pin_next_dir(next, dir, failure))
		return -1;
	for (int i = 0; i < 4 && !attached_too; i++) {
		struct vmn_hook_pin pin;

		/* Any link that holds on to something is elsewhere than on no interface. */
		if (vmn_hook_pin_open_here(either(dir, next, i), &vmn_directions[i % 2], NO_INTERFACE, &pin, failure))
			return -1;
		vmn_close(&pin.fd);
	}
	return vmn_pin_remove_dir(next, failure) || vmn_pin_remove_dir(dir, failure) ? -1 : 0;
}

/* 1 when a pinned link holds on to the interface, 0 when all that is pinned is stale. */
static int is_attached(const char *dir, const char *next, uint32_t ifindex, struct vmn_failure *failure)
{
	int attached = 0;

	for (int i = 0; i < 4; i++) {
		struct vmn_hook_pin pin;

		if (vmn_hook_pin_open_here(either(dir, next, i), &vmn_directions[i % 2], ifindex, &pin, failure))
			return -1;
		if (pin.state == VMN_HOOK_HERE)
			attached = 1;
		vmn_close(&pin.fd);
	}
	return attached;
}

static int attach_and_pin(const struct vmn_filter_set *set, int links[2], const char *dir, uint32_t ifindex,
                          struct vmn_failure *failure)
{
	if (vmn_pin_make_dir(dir, failure) || vmn_filter_pin(set, dir, failure))
		return -1;
	for (int i = 0; i < 2; i++) {
		const struct vmn_direction *direction = &vmn_directions[i];

		links[i] = vmn_tcx_attach(vmn_program_for(set, direction), ifindex, direction->attach_type, failure);
		if (links[i] < 0 || vmn_pin(links[i], dir, direction->link_name, failure))
			return -1;
	}
	return 0;
}

int vmn_filter_attach(const char *dir, uint32_t ifindex, struct vmn_failure *failure)
{
	struct vmn_failure undoing = {};
	struct vmn_filter_set set = VMN_FILTER_SET_NONE;
	int links[2] = {-1, -1};
	char events_path[PATH_MAX];
	char next[PATH_MAX];
	int events = -1;
	int result = -1;
	int attached;

	if (vmn_pin_next_dir(next, dir, failure) || vmn_pin_events_path(events_path, dir, failure))
		return -1;
	attached = is_attached(dir, next, ifindex, failure);
	if (attached)
		return attached < 0 ? -1 : vmn_filter_replace(dir, ifindex, NULL, failure);
	if (vmn_pin_remove_dir(next, failure) || vmn_pin_remove_dir(dir, failure))
		return -1;
	events = vmn_events_open(events_path, 1, failure);
	if (events < 0)
		return -1;
	if (vmn_filter_load(events, -1, &set, failure))
		goto out;
	result = attach_and_pin(&set, links, dir, ifindex, failure);
	if (result)
		vmn_pin_remove_dir(dir, &undoing);
out:
	vmn_close(&links[0]);
	vmn_close(&links[1]);
	vmn_filter_close(&set);
	vmn_close(&events);
	vmn_failure_clear(&undoing);
	return result;
}
