/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of one VM: attach, replace, change policy, remove. `dir` is its folder in bpffs (pins.h). `kind` is how to
 * attach (hook.h) where nothing is attached yet: VMN_HOOK_BEST but in tests, which try both.
 *
 * Two calls for the same `dir` must not run at once; the agent holds a lock for that. Any of them may be interrupted at
 * any point, by SIGKILL too: what stands then is enforced and is read back correctly or as unknown, and doing it again
 * repairs it.
 *
 * What is pinned may be attached to another interface than the one given, say to a tap that was renamed under a running
 * VM. Giving it up would open that one, or leave it with a policy that nobody can change: attach and replace fail with
 * EBUSY then.
 */
#ifndef VMN_FILTER_H
#define VMN_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "hook.h"

/*
 * Attaches a fresh, deny-all filter. Pins of what is attached nowhere are stale and removed first; what is attached to
 * this interface is never taken away, the filter is replaced instead. On failure nothing of the attempt stays behind.
 */
int vmn_filter_attach_by(enum vmn_hook_kind kind, const char *dir, uint32_t ifindex, struct vmn_failure *failure);

static inline int vmn_filter_attach(const char *dir, uint32_t ifindex, struct vmn_failure *failure)
{
	return vmn_filter_attach_by(VMN_HOOK_BEST, dir, ifindex, failure);
}

/*
 * Puts the embedded programs in place of those attached, with `policy` (NULL: deny-all) in force from their first
 * packet. What is attached is given other programs, never detached; a direction without any is attached, closed first.
 * Counters and limits go on. On failure the directions that were attached keep their programs and policy.
 */
int vmn_filter_replace_by(enum vmn_hook_kind kind, const char *dir, uint32_t ifindex, const void *policy,
                          struct vmn_failure *failure);

static inline int vmn_filter_replace(const char *dir, uint32_t ifindex, const void *policy, struct vmn_failure *failure)
{
	return vmn_filter_replace_by(VMN_HOOK_BEST, dir, ifindex, policy, failure);
}

/* Changes the policy of the filter in force. NULL closes whatever is pinned, a half-done replacement included. */
int vmn_filter_write_policy(const char *dir, const void *policy, struct vmn_failure *failure);

/*
 * Removes the pins, with them a filter that is attached. Fails with EBUSY if one is, unless `attached_too`. A clsact
 * qdisc stays, whoever made it: it goes with the interface. So do tc filters in another network namespace, which cannot
 * be reached from here: that interface stays as closed as it was.
 */
int vmn_filter_remove(const char *dir, bool attached_too, struct vmn_failure *failure);

#endif
