/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of one VM: attach, replace, change policy, remove. `dir` is its folder in bpffs (pins.h).
 *
 * Two calls for the same `dir` must not run at once; the agent holds a lock for that. Any of them may be interrupted at
 * any point, by SIGKILL too: what stands then is enforced and is read back correctly or as unknown, and doing it again
 * repairs it.
 *
 * A pinned link may hold on to another interface than the one given, say a tap that was renamed under a running VM.
 * Unpinning it would open that one, so attach and replace fail with EBUSY then.
 */
#ifndef VMN_FILTER_H
#define VMN_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

/*
 * Attaches a fresh, deny-all filter. Pins whose links do not hold on to this interface are stale and removed first; a
 * link that does is never taken away, the filter is replaced instead. On failure nothing of the attempt stays behind.
 */
int vmn_filter_attach(const char *dir, uint32_t ifindex, struct vmn_failure *failure);

/*
 * Puts the embedded programs in place of those attached, with `policy` (NULL: deny-all) in force from their first
 * packet. Attached links are updated, never detached; a direction without one is attached, closed first. Counters go
 * on. On failure the directions that were attached keep their programs and policy.
 */
int vmn_filter_replace(const char *dir, uint32_t ifindex, const void *policy, struct vmn_failure *failure);

/* Changes the policy of the filter in force. NULL closes whatever is pinned, a half-done replacement included. */
int vmn_filter_write_policy(const char *dir, const void *policy, struct vmn_failure *failure);

/* Removes the pins, with them a filter that is attached. Fails with EBUSY if one is, unless `attached_too`. */
int vmn_filter_remove(const char *dir, bool attached_too, struct vmn_failure *failure);

#endif
