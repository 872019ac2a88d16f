/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel enforces for one VM, read from the kernel and from nothing else.
 */
#ifndef VMN_READ_BACK_H
#define VMN_READ_BACK_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "filter_object.h"
#include "policy.h"
#include "tcx.h"

struct vmn_hook {
	bool present;  /* a link is pinned; whether it holds on to an interface is link.ifindex */
	bool first;    /* and its program is the first to run there, seen from this network namespace */
	bool own_slot; /* and it judges by the pinned policy slot */
	struct vmn_tcx_link link;
	uint8_t tag[VMN_TAG_BYTES]; /* zero when the program is not pinned and may not be opened by its id */
};

struct vmn_read_back {
	struct vmn_hook from_vm;
	struct vmn_hook to_vm;
	enum vmn_policy_state policy_state;
	uint8_t policy[VMN_POLICY_BYTES];
};

int vmn_read_back(const char *dir, struct vmn_read_back *result, struct vmn_failure *failure);

#endif
