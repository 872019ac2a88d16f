/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of one VM, as the filter sees it: `policy_slot` is an array of maps with one entry, the entry an array with
 * one `struct vmn_policy` that was frozen before it was put there. Changing policy is swapping the entry, one pointer for
 * both directions; no entry means that nothing passes (docs/adr/0002).
 */
#ifndef VMN_POLICY_H
#define VMN_POLICY_H

#include <stdint.h>

#include "failure.h"

#define VMN_POLICY_BYTES 4232

enum vmn_policy_state {
	VMN_POLICY_EMPTY, /* deny-all */
	VMN_POLICY_SET,
	VMN_POLICY_UNKNOWN, /* the kernel's policy is not one that we can read */
};

/*
 * Puts a policy in force and returns when no program judges by the old one any more. On failure the old one is intact.
 * NULL empties the slot. `dir` holds the pins `policy` and `policy_next`.
 */
int vmn_policy_write(int slot_fd, const char *dir, const void *policy, struct vmn_failure *failure);

/* The same for a slot that is not pinned: nobody can read it back. */
int vmn_policy_put(int slot_fd, const void *policy, struct vmn_failure *failure);

/*
 * Opens the slot that is pinned in the folder. VMN_NOT_PINNED when there is none, or one of another version's that is not
 * such a map: nothing must be written to that, nor read into as little room.
 */
int vmn_policy_open_slot(const char *dir, struct vmn_failure *failure);

/* What the slot holds now. */
int vmn_policy_read(int slot_fd, const char *dir, uint8_t policy[VMN_POLICY_BYTES], enum vmn_policy_state *state,
                    struct vmn_failure *failure);

#endif
