/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The flows of mode Conntrack: which conversations have been judged already.
 *
 * A flow is (remote address, remote port, guest port); the guest's own address is pinned and the protocol is UDP. What is
 * kept of it is a fingerprint under the policy's secret, over the policy's generation too: after a change of policy no old
 * fingerprint can be found again, so old flows end with the very write that changes the policy. Two flows with one
 * fingerprint would take a guest 2^60 frames to find, without seeing what it looks for.
 *
 * The table is bounded like a processor's cache: a flow has its set, and within the set the least recently used goes out.
 * A flow that went out is judged anew. A guest can only push out its own.
 */
#ifndef VMN_FLOW_H
#define VMN_FLOW_H

#include <stddef.h>

#include "vmn/abi.h"
#include "vmn/siphash.h"

/* `ports`: the guest's in the upper half, the remote one's in the lower. Never 0. */
VMN_RARE __u64 vmn_flow_fingerprint(const struct vmn_policy *policy, __u32 remote_be, __u32 ports)
{
	__u64 words[2] = {remote_be | (__u64)ports << 32, policy->generation};
	__u64 fingerprint = vmn_siphash13(policy->secret, words, 2);

	return fingerprint ? fingerprint : 1;
}

/* NULL without a table. */
VMN_INLINE struct vmn_flow_set *vmn_flow_set_of(struct vmn_flows *flows, __u64 fingerprint)
{
	return flows ? &flows->sets[fingerprint & (VMN_FLOW_SETS - 1)] : NULL;
}

/* Whether the flow is known; it is then the most recently used of its set. */
VMN_RARE int vmn_flow_is_known(struct vmn_flow_set *set, __u64 fingerprint)
{
	if (set->fingerprints[0] == fingerprint)
		return 1;
	for (int place = 1; place < VMN_FLOW_WAYS; place++) {
		if (set->fingerprints[place] != fingerprint)
			continue;
		for (int i = VMN_FLOW_WAYS - 1; i > 0; i--)
			if (i <= place)
				set->fingerprints[i] = set->fingerprints[i - 1];
		set->fingerprints[0] = fingerprint;
		return 1;
	}
	return 0;
}

/* Of a flow that is not known: it comes first, and the last of its set is forgotten. */
VMN_RARE void vmn_flow_remember(struct vmn_flow_set *set, __u64 fingerprint)
{
	for (int i = VMN_FLOW_WAYS - 1; i > 0; i--)
		set->fingerprints[i] = set->fingerprints[i - 1];
	set->fingerprints[0] = fingerprint;
}

#endif
