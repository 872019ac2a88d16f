/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The policy in force, NULL when nobody has decided yet. It may be another one a moment later; what was found stays readable. */
#ifndef VMN_BPF_POLICY_H
#define VMN_BPF_POLICY_H

#include "maps.h"

/* The benches compile the filter with other ways to find the policy, to compare them (native/bench). */
#ifdef VMN_POLICY_LOOKUP
#include VMN_POLICY_LOOKUP
#else
static __always_inline const struct vmn_policy *policy_in_force(void)
{
	__u32 zero = 0;
	void *policy = bpf_map_lookup_elem(&policy_slot, &zero);

	return policy ? bpf_map_lookup_elem(policy, &zero) : NULL;
}
#endif

#endif
