/* SPDX-License-Identifier: Apache-2.0 */
/* What hook.c asks of a kind of hook; hook.h has what each is for. */
#ifndef VMN_HOOK_KIND_H
#define VMN_HOOK_KIND_H

#include "hook.h"

struct vmn_hook_operations {
	int (*prepare)(const struct vmn_site *site, struct vmn_failure *failure);
	int (*attach)(const struct vmn_site *site, const struct vmn_direction *direction, int program,
	              struct vmn_failure *failure);
	int (*update)(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
	              int program, struct vmn_failure *failure);
	int (*revert)(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
	              int program, struct vmn_failure *failure);
};

extern const struct vmn_hook_operations vmn_hook_tcx;
extern const struct vmn_hook_operations vmn_hook_clsact;

/* 1 when the folder pins this kind for the direction, and then `*hook` is filled in; 0 when not. */
int vmn_hook_tcx_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex, struct vmn_hook *hook,
                      struct vmn_failure *failure);
int vmn_hook_clsact_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex,
                         struct vmn_hook *hook, struct vmn_failure *failure);

/* Removing the pin would detach as well, but some time later, and not while anybody holds the link open. */
int vmn_hook_tcx_detach(const char *dir, const struct vmn_direction *direction, struct vmn_failure *failure);

/* Deletes the filters of ours that the folder's record points to, if it points into this network namespace. */
int vmn_hook_clsact_detach(const char *dir, const struct vmn_direction *direction, struct vmn_failure *failure);

#endif
