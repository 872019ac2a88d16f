/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Mode Direct: the guest is who it says it is and talks to whomever it likes, but to those whom nobody may talk to. They are
 * asked for in both directions, so that what is denied from now on is silent from now on, whoever spoke first.
 *
 * In order: towards the VM the guest's address; the remote side against the denied ranges; a checksum that the host shall
 * fill in elsewhere; super-frame. That nobody talks to the guest who was not talked to is known to connection tracking
 * alone, as in every mode (docs/adr/0004).
 */
#ifndef VMN_DIRECT_H
#define VMN_DIRECT_H

#include "vmn/identity.h"

/*
 * Whether the address, in host byte order, lies in a denied range: in the last one that does not begin behind it. The ranges are in order
 * and apart, so it can lie in no other.
 */
VMN_RARE int vmn_is_denied(const struct vmn_policy *policy, __u32 address)
{
	__u32 found = 0;

	/* `found` ranges begin at or before the address; each step may add as many to them as half of the one before. */
	for (__u32 step = VMN_DENIED_MAX; step; step /= 2) {
		__u32 more = found + step;
		__s64 below = (__s64)address - policy->denied[(more - 1) & (VMN_DENIED_MAX - 1)].first;
		__s64 missing = (__s64)policy->denied_count - more;

		/* By sign, not by branch: the verifier walks each way, and ten branches in a row make a thousand. */
		below |= missing;
		VMN_OPAQUE(below);
		found += step & ~(__u32)(below >> 63);
	}
	return found && address <= policy->denied[(found - 1) & (VMN_DENIED_MAX - 1)].last;
}

VMN_RARE enum vmn_reason vmn_judge_direct(const struct vmn_policy *policy, const struct vmn_meta *meta, __u32 direction,
                                          const struct vmn_ipv4 *ip)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;

	if (!from_vm && ip->destination_be != policy->guest_address_be)
		return VMN_REASON_DESTINATION_ADDRESS;
	if (vmn_is_denied(policy, VMN_NET32(from_vm ? ip->destination_be : ip->source_be)))
		return VMN_REASON_DENIED_NETWORK;
	if (!vmn_checksum_stays_in_place(meta, ip->protocol))
		return VMN_REASON_CHECKSUM_OFFLOAD;
	if (vmn_is_super_frame(meta) && !vmn_super_frame_is_sound(policy, meta, ip->protocol, ip->total_bytes))
		return VMN_REASON_SUPER_FRAME;
	return VMN_REASON_ALLOWED_DIRECT;
}

#endif
