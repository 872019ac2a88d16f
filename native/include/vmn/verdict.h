/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The decision about one frame. Every engine compiles this text: the eBPF programs, the host library behind `vmnetctl
 * explain`, the tests.
 *
 * Theory of operation. A frame is judged in one fixed order, from the outside in, and the first rule that it breaks
 * names the reason. Whatever is not recognised is dropped: each parse failure has its reason. There are two kinds of
 * rules. Those of identity.h say who the guest is; they hold in every mode. Those of destination.h say whom it may talk to:
 *
 *   Filtered   every frame is judged by them
 *   Conntrack  the first frame of a flow is, and the flow is remembered (flow.h)
 *   Sampled    a frame is with the policy's probability (sample.h), else it passes as ALLOWED_UNSAMPLED
 *   Direct     none is: instead of them a frame is judged by whom nobody may talk to (direct.h)
 *   Audit      (a flag, with any mode but Direct) what they would drop passes and is marked `audited`
 *
 * In order: policy usable (present, known ABI, mode and flags, not quarantined); Ethernet (length, source, destination, no
 * VLAN); ARP; IPv6; any other EtherType; IPv4 header (length, version, header length, options, total length, fragments,
 * checksum, TTL, size); from the VM its source address; then the destination rules.
 *
 * Towards the VM the same rules hold with the roles turned: the remote side is the source. That a datagram from the
 * endpoint belongs to a flow of this VM is known to connection tracking alone (docs/adr/0004).
 *
 * What a VM may send in a second (limit.h) and when its violations add up (violation.h) need a memory that an engine has
 * to guard, so the engine asks for them after the judgement.
 */
#ifndef VMN_VERDICT_H
#define VMN_VERDICT_H

#include "vmn/destination.h"
#include "vmn/direct.h"
#include "vmn/identity.h"
#include "vmn/limit.h"
#include "vmn/plain.h"
#include "vmn/sample.h"
#include "vmn/violation.h"

struct vmn_judgement {
	enum vmn_reason reason;
	__u32 audited; /* `reason` would drop the frame; it passes */
};

VMN_INLINE int vmn_passes(const struct vmn_judgement *judgement)
{
	return judgement->audited || !vmn_is_drop(judgement->reason);
}

VMN_INLINE struct vmn_judgement vmn_judged(enum vmn_reason reason)
{
	struct vmn_judgement judgement = {reason, 0};

	return judgement;
}

/* ALLOWED when the frame is an IPv4 packet that the destination rules shall look at; `ip` is then filled in. */
VMN_INLINE enum vmn_reason vmn_judge_identity(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                              __u32 direction, const __u8 *data, const __u8 *data_end,
                                              struct vmn_ipv4 *ip)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;
	struct vmn_ethernet ethernet;
	enum vmn_reason reason = vmn_judge_policy(policy);

	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (vmn_parse_ethernet(data, data_end, &ethernet) != VMN_PARSE_OK)
		return VMN_REASON_FRAME_TOO_SHORT;
	reason = vmn_judge_ethernet(&ethernet, from_vm ? policy->guest_mac : policy->gateway_mac,
	                            from_vm ? policy->gateway_mac : policy->guest_mac, meta);
	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (ethernet.ethertype == VMN_ETHERTYPE_ARP)
		return from_vm ? vmn_judge_arp_from_vm(policy, meta, data, data_end)
		               : vmn_judge_arp_to_vm(policy, meta, data, data_end);
	if (ethernet.ethertype == VMN_ETHERTYPE_IPV6)
		return VMN_REASON_IPV6;
	if (ethernet.ethertype != VMN_ETHERTYPE_IPV4)
		return VMN_REASON_ETHERTYPE;
	reason = vmn_judge_ipv4_header(policy, meta, data, data_end, ip);
	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (from_vm && ip->source_be != policy->guest_address_be)
		return VMN_REASON_SOURCE_ADDRESS;
	return VMN_REASON_ALLOWED;
}

/* By one rule after the other. */
VMN_INLINE struct vmn_judgement vmn_judge_by_rules(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                                   __u32 direction, const __u8 *data, const __u8 *data_end)
{
	struct vmn_judgement judgement;
	struct vmn_ipv4 ip;

	judgement = vmn_judged(vmn_judge_identity(policy, meta, direction, data, data_end, &ip));
	if (judgement.reason != VMN_REASON_ALLOWED)
		return judgement;
	if (policy->mode == VMN_MODE_DIRECT)
		return vmn_judged(vmn_judge_direct(policy, meta, direction, &ip));
	if (policy->mode == VMN_MODE_SAMPLED && !vmn_is_drawn(policy, vmn_nonce(meta)) &&
	    vmn_identity_holds(policy, meta, direction, &ip))
		return vmn_judged(VMN_REASON_ALLOWED_UNSAMPLED);

	judgement.reason = vmn_judge_destination(policy, meta, direction, data, data_end, &ip);
	if (policy->flags & VMN_POLICY_AUDIT && vmn_is_drop(judgement.reason))
		judgement.audited = vmn_identity_holds(policy, meta, direction, &ip);
	return judgement;
}

#ifdef __bpf__
/* `vmn_judge_by_rules` in a subprogram of its own, defined by the engine (bpf/vmn_filter.bpf.c). */
VMN_INLINE struct vmn_judgement vmn_judge_apart(const struct vmn_meta *meta, __u32 direction);
#endif

/*
 * `policy` may be NULL: nobody has decided yet, so nothing passes. `data`..`data_end`: the frame from its Ethernet header
 * on, readable at least up to VMN_JUDGED_BYTES or its end.
 */
VMN_INLINE struct vmn_judgement vmn_judge(const struct vmn_policy *policy, const struct vmn_meta *meta, __u32 direction,
                                          const __u8 *data, const __u8 *data_end)
{
	if (vmn_is_plain(policy, meta, direction, data, data_end))
		return vmn_judged(VMN_REASON_ALLOWED);
#ifdef __bpf__
	return vmn_judge_apart(meta, direction);
#else
	return vmn_judge_by_rules(policy, meta, direction, data, data_end);
#endif
}

/* Whether a frame that was judged so counts against the limits of its VM. */
VMN_INLINE int vmn_is_limited(const struct vmn_policy *policy, __u32 direction, const struct vmn_judgement *judgement)
{
	return direction == VMN_DIRECTION_FROM_VM && !vmn_is_drop(judgement->reason) &&
	       judgement->reason != VMN_REASON_ARP_ANSWERED &&
	       (policy->egress_bits_per_second || policy->packets_per_second);
}

/* Ethernet, IPv4 and the largest TCP header. */
#define VMN_LARGEST_HEADERS_BYTES (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + 60)

/* What is charged are the packets as they leave, each with its headers; those of TCP are taken as the largest there are. */
VMN_INLINE __u32 vmn_wire_packets(const struct vmn_meta *meta)
{
	if (!vmn_is_super_frame(meta) || !vmn_segment_bytes(meta) || vmn_frame_bytes(meta) <= VMN_UDP_PAYLOAD_OFFSET)
		return 1;
	return (vmn_frame_bytes(meta) - VMN_UDP_PAYLOAD_OFFSET - 1) / vmn_segment_bytes(meta) + 1;
}

VMN_INLINE __u32 vmn_wire_bytes(const struct vmn_meta *meta)
{
	__u32 packets = vmn_wire_packets(meta);

	if (packets == 1)
		return vmn_frame_bytes(meta);
	return vmn_frame_bytes(meta) +
	       (packets - 1) *
	           (vmn_super_frame_kind(meta) == VMN_SUPER_UDP ? VMN_UDP_PAYLOAD_OFFSET : VMN_LARGEST_HEADERS_BYTES);
}

/* `asked`: what the limits said about a frame that counts against them. */
VMN_INLINE void vmn_judge_limited(const struct vmn_policy *policy, struct vmn_judgement *judgement,
                                  enum vmn_reason asked)
{
	if (asked == VMN_REASON_ALLOWED)
		return;
	judgement->reason = asked;
	judgement->audited = (policy->flags & VMN_POLICY_AUDIT) != 0;
}

#endif
