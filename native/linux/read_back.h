/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel enforces for one VM, read from the kernel and from nothing else.
 */
#ifndef VMN_READ_BACK_H
#define VMN_READ_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "hook.h"
#include "policy.h"

struct vmn_enforced {
	struct vmn_hook hook;       /* state ABSENT: nothing is pinned; ELSEWHERE, ifindex: where it is attached */
	bool own_slot;              /* the program judges by the pinned policy slot, and no other of ours beside it */
	uint8_t tag[VMN_TAG_BYTES]; /* zero when the program is not pinned and may not be opened by its id */
};

struct vmn_read_back {
	struct vmn_enforced from_vm;
	struct vmn_enforced to_vm;
	enum vmn_policy_state policy_state;
	uint8_t policy[VMN_POLICY_BYTES];
};

int vmn_read_back(const char *dir, struct vmn_read_back *result, struct vmn_failure *failure);

#endif
