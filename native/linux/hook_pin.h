/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a filter as pinned: its link, and what the link holds on to. */
#ifndef VMN_HOOK_PIN_H
#define VMN_HOOK_PIN_H

#include <stdbool.h>

#include "failure.h"
#include "filter_object.h"
#include "tcx.h"

struct vmn_direction {
	const char *link_name;
	const char *program_name;
	uint32_t attach_type;
	bool from_vm;
};

extern const struct vmn_direction vmn_directions[2];

enum vmn_hook_state {
	VMN_HOOK_ABSENT,    /* no link is pinned */
	VMN_HOOK_DEFUNCT,   /* one is, and its interface is gone */
	VMN_HOOK_HERE,      /* it holds on to the interface asked about, at this direction's hook */
	VMN_HOOK_ELSEWHERE, /* it holds on to another interface, perhaps one that was renamed or is in another namespace */
};

struct vmn_hook_pin {
	int fd; /* the link, -1 when none is pinned */
	enum vmn_hook_state state;
	bool first; /* here, and nobody before it */
	struct vmn_tcx_link link;
};

static inline int vmn_program_for(const struct vmn_filter_set *set, const struct vmn_direction *direction)
{
	return direction->from_vm ? set->from_vm : set->to_vm;
}

/* Opens the pinned link of a direction and finds out what it does for the interface. Its absence is no failure. */
int vmn_hook_pin_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex,
                      struct vmn_hook_pin *pin, struct vmn_failure *failure);

/*
 * The same, refusing (EBUSY) a link that is elsewhere: whoever goes on would unpin it, and so open an interface that
 * somebody may still be using.
 */
int vmn_hook_pin_open_here(const char *dir, const struct vmn_direction *direction, uint32_t ifindex,
                           struct vmn_hook_pin *pin, struct vmn_failure *failure);

#endif
