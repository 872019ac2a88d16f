/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The decision about one frame, mode Filtered. Every engine compiles this text: the eBPF programs, the host library
 * behind `vmnetctl explain`, the tests.
 *
 * Theory of operation. A frame is judged in one fixed order, from the outside in, and the first rule that it breaks
 * names the reason. Nothing is remembered between frames and nothing is taken from a frame to judge another. Whatever is
 * not recognised is dropped: each parse failure has its reason, and the only ways to pass are the returns of ALLOWED,
 * ALLOWED_PREVIOUS and ARP_ANSWERED below.
 *
 * In order: policy usable (present, known ABI and mode, not quarantined); Ethernet (length, source, destination, no
 * VLAN); ARP; IPv6; any other EtherType; IPv4 header (length, version, header length, options, total length, fragments,
 * checksum, TTL); source address; protocol; UDP length; a checksum that the host shall fill in elsewhere; super-frame;
 * the remote side against the endpoint and, within its grace, the previous one; ports that must not be zero; strict:
 * the shape of WireGuard.
 *
 * Towards the VM the same checks hold with the roles turned: the remote side is the source. That a datagram from the
 * endpoint belongs to a flow of this VM is known to connection tracking alone (docs/adr/0004).
 */
#ifndef VMN_VERDICT_H
#define VMN_VERDICT_H

#include "vmn/abi.h"
#include "vmn/arp.h"
#include "vmn/checksum.h"
#include "vmn/parse.h"
#include "vmn/reason.h"
#include "vmn/wireguard.h"

/* What a judgement may read, counted from the start of the frame. The kernel side pulls as much into linear memory. */
#define VMN_JUDGED_BYTES (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + VMN_UDP_BYTES + VMN_WIREGUARD_HEAD_BYTES)

/* Where the checksum of a UDP datagram without IP options stands, and the only place where one may be pending. */
#define VMN_UDP_CHECKSUM_OFFSET (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + 6)

/* What is known about a frame besides its bytes. */
struct vmn_meta {
	__u64 now_ns;      /* CLOCK_MONOTONIC; only read when the policy has a previous endpoint */
	__u32 frame_bytes; /* whole length; data..data_end may be shorter */
	/*
	 * Where the host will still write a checksum into this frame, after it was judged; 0: nowhere. The sender of a
	 * frame with a virtio-net header chooses that place, so a guest could have its port rewritten behind our back.
	 */
	__u32 pending_checksum_offset;
	__u8 vlan_in_metadata; /* the tag was taken off the frame and stands beside it */
	__u8 super_frame;      /* more than one packet in one frame (segmentation offload) */
	__u8 own_answer;       /* marked VMN_MARK_ANSWER by the from-VM program */
};

VMN_INLINE int vmn_is_drop(enum vmn_reason reason)
{
	return reason >= VMN_REASON_FIRST_DROP;
}

VMN_INLINE enum vmn_reason vmn_judge_policy(const struct vmn_policy *policy)
{
	if (!policy)
		return VMN_REASON_NO_POLICY;
	if (policy->abi != VMN_POLICY_ABI || policy->mode != VMN_MODE_FILTERED ||
	    policy->flags & ~(VMN_POLICY_QUARANTINED | VMN_POLICY_STRICT_WIREGUARD))
		return VMN_REASON_POLICY_ABI;
	if (policy->flags & VMN_POLICY_QUARANTINED)
		return VMN_REASON_QUARANTINED;
	return VMN_REASON_ALLOWED;
}

/* Addresses and tags of the Ethernet header. `from` and `to`: the only MACs that may stand there. */
VMN_INLINE enum vmn_reason vmn_judge_ethernet(const struct vmn_ethernet *ethernet, const __u8 *from, const __u8 *to,
                                              const struct vmn_meta *meta)
{
	if (!vmn_same_mac(ethernet->source, from))
		return VMN_REASON_SOURCE_MAC;
	if (!vmn_same_mac(ethernet->destination, to)) {
		if (!vmn_is_group_mac(ethernet->destination))
			return VMN_REASON_DESTINATION_MAC;
		if (!vmn_is_broadcast_mac(ethernet->destination) || ethernet->ethertype != VMN_ETHERTYPE_ARP)
			return VMN_REASON_GROUP_MAC;
	}
	if (meta->vlan_in_metadata || vmn_is_vlan(ethernet->ethertype))
		return VMN_REASON_VLAN;
	return VMN_REASON_ALLOWED;
}

VMN_INLINE enum vmn_reason vmn_judge_arp_from_vm(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                                 const __u8 *data, const __u8 *data_end)
{
	struct vmn_arp arp;

	if (vmn_parse_arp(data, data_end, VMN_ETHERNET_BYTES, &arp) != VMN_PARSE_OK)
		return VMN_REASON_ARP_MALFORMED;
	if (arp.operation != VMN_ARP_REQUEST && arp.operation != VMN_ARP_REPLY)
		return VMN_REASON_ARP_MALFORMED;
	if (meta->super_frame || meta->pending_checksum_offset)
		return VMN_REASON_ARP_MALFORMED;
	if (!vmn_same_mac(arp.sender_mac, policy->guest_mac) || arp.sender_address_be != policy->guest_address_be)
		return VMN_REASON_ARP_SPOOFED;
	if (arp.operation != VMN_ARP_REQUEST || arp.target_address_be != policy->gateway_address_be)
		return VMN_REASON_ARP_NOT_GATEWAY;
	return VMN_REASON_ARP_ANSWERED;
}

/* Nothing but our own answer, to the byte: a mark alone does not open this door. */
VMN_INLINE enum vmn_reason vmn_judge_arp_to_vm(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                               const __u8 *data, const __u8 *data_end)
{
	struct vmn_arp arp;

	if (!meta->own_answer || meta->super_frame || meta->pending_checksum_offset ||
	    meta->frame_bytes != VMN_ARP_FRAME_BYTES)
		return VMN_REASON_ARP_FROM_HOST;
	if (vmn_parse_arp(data, data_end, VMN_ETHERNET_BYTES, &arp) != VMN_PARSE_OK)
		return VMN_REASON_ARP_FROM_HOST;
	if (!vmn_same_mac(data, policy->guest_mac) || arp.operation != VMN_ARP_REPLY ||
	    !vmn_same_mac(arp.sender_mac, policy->gateway_mac) || arp.sender_address_be != policy->gateway_address_be ||
	    !vmn_same_mac(arp.target_mac, policy->guest_mac) || arp.target_address_be != policy->guest_address_be)
		return VMN_REASON_ARP_FROM_HOST;
	return VMN_REASON_ARP_ANSWERED;
}

VMN_INLINE enum vmn_reason vmn_judge_ipv4_header(const __u8 *data, const __u8 *data_end, const struct vmn_meta *meta,
                                                 struct vmn_ipv4 *ip)
{
	enum vmn_parse parse = vmn_parse_ipv4(data, data_end, meta->frame_bytes, VMN_ETHERNET_BYTES, ip);

	if (parse == VMN_PARSE_IP_TOO_SHORT)
		return VMN_REASON_FRAME_TOO_SHORT;
	if (parse == VMN_PARSE_IP_VERSION)
		return VMN_REASON_IP_VERSION;
	if (parse == VMN_PARSE_IP_HEADER_LENGTH)
		return VMN_REASON_IP_HEADER_LENGTH;
	if (ip->header_bytes != VMN_IPV4_BYTES)
		return VMN_REASON_IP_OPTIONS;
	if (parse != VMN_PARSE_OK)
		return VMN_REASON_IP_TOTAL_LENGTH;
	if (vmn_is_fragment(ip) || ip->fragment & VMN_IPV4_RESERVED)
		return VMN_REASON_IP_FRAGMENT;
	if (!vmn_ipv4_checksum_right(data + VMN_ETHERNET_BYTES))
		return VMN_REASON_IP_CHECKSUM;
	if (!ip->ttl)
		return VMN_REASON_IP_TTL;
	return VMN_REASON_ALLOWED;
}

/* The datagram fills its packet exactly, and the host will touch none of it but its checksum. */
VMN_INLINE enum vmn_reason vmn_judge_udp_header(const __u8 *data, const __u8 *data_end, const struct vmn_meta *meta,
                                                const struct vmn_ipv4 *ip, struct vmn_transport *udp)
{
	__u32 payload_bytes = ip->total_bytes - VMN_IPV4_BYTES;

	if (vmn_parse_udp(data, data_end, VMN_ETHERNET_BYTES + VMN_IPV4_BYTES, payload_bytes, udp) != VMN_PARSE_OK ||
	    udp->udp_bytes != payload_bytes)
		return VMN_REASON_UDP_LENGTH;
	if (meta->pending_checksum_offset && meta->pending_checksum_offset != VMN_UDP_CHECKSUM_OFFSET)
		return VMN_REASON_CHECKSUM_OFFLOAD;
	if (meta->super_frame)
		return VMN_REASON_SUPER_FRAME;
	return VMN_REASON_ALLOWED;
}

VMN_INLINE int vmn_same_endpoint(const struct vmn_endpoint *endpoint, __u32 address_be, __u16 port)
{
	return endpoint->address_be && endpoint->port_be && endpoint->address_be == address_be &&
	       endpoint->port_be == VMN_NET16(port);
}

/* The far side of the datagram. An endpoint of zeros matches nothing. */
VMN_INLINE enum vmn_reason vmn_judge_remote(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                            __u32 address_be, __u16 port, enum vmn_reason wrong_address,
                                            enum vmn_reason wrong_port)
{
	if (vmn_same_endpoint(&policy->endpoint, address_be, port))
		return VMN_REASON_ALLOWED;
	if (vmn_same_endpoint(&policy->previous, address_be, port))
		return meta->now_ns < policy->previous_until_ns ? VMN_REASON_ALLOWED_PREVIOUS : VMN_REASON_PREVIOUS_EXPIRED;
	if (policy->endpoint.address_be && policy->endpoint.address_be == address_be)
		return wrong_port;
	return wrong_address;
}

/* Whether a strict policy lets this payload through; any payload does when the policy is not strict. */
VMN_INLINE int vmn_payload_fits(const struct vmn_policy *policy, const __u8 *data, const __u8 *data_end,
                                const struct vmn_transport *udp)
{
	if (!(policy->flags & VMN_POLICY_STRICT_WIREGUARD))
		return 1;
	if (!vmn_holds(data, data_end, VMN_JUDGED_BYTES))
		return 0;
	return vmn_is_wireguard(vmn_load32(data + VMN_JUDGED_BYTES - VMN_WIREGUARD_HEAD_BYTES),
	                        udp->udp_bytes - VMN_UDP_BYTES);
}

/*
 * `policy` may be NULL: nobody has decided yet, so nothing passes. `data`..`data_end`: the frame from its Ethernet header
 * on, readable at least up to min(meta->frame_bytes, VMN_JUDGED_BYTES).
 */
VMN_INLINE enum vmn_reason vmn_judge_from_vm(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                             const __u8 *data, const __u8 *data_end)
{
	struct vmn_ethernet ethernet;
	struct vmn_ipv4 ip;
	struct vmn_transport udp;
	enum vmn_reason reason = vmn_judge_policy(policy);

	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (vmn_parse_ethernet(data, data_end, &ethernet) != VMN_PARSE_OK)
		return VMN_REASON_FRAME_TOO_SHORT;
	reason = vmn_judge_ethernet(&ethernet, policy->guest_mac, policy->gateway_mac, meta);
	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (ethernet.ethertype == VMN_ETHERTYPE_ARP)
		return vmn_judge_arp_from_vm(policy, meta, data, data_end);
	if (ethernet.ethertype == VMN_ETHERTYPE_IPV6)
		return VMN_REASON_IPV6;
	if (ethernet.ethertype != VMN_ETHERTYPE_IPV4)
		return VMN_REASON_ETHERTYPE;

	reason = vmn_judge_ipv4_header(data, data_end, meta, &ip);
	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (ip.source_be != policy->guest_address_be)
		return VMN_REASON_SOURCE_ADDRESS;
	if (ip.protocol != VMN_PROTOCOL_UDP)
		return VMN_REASON_PROTOCOL;
	reason = vmn_judge_udp_header(data, data_end, meta, &ip, &udp);
	if (reason != VMN_REASON_ALLOWED)
		return reason;

	reason = vmn_judge_remote(policy, meta, ip.destination_be, udp.destination_port, VMN_REASON_DESTINATION_ADDRESS,
	                          VMN_REASON_DESTINATION_PORT);
	if (vmn_is_drop(reason))
		return reason;
	if (!udp.source_port)
		return VMN_REASON_SOURCE_PORT;
	if (!vmn_payload_fits(policy, data, data_end, &udp))
		return VMN_REASON_NOT_WIREGUARD;
	return reason;
}

/* As vmn_judge_from_vm, for a frame on its way into the guest. */
VMN_INLINE enum vmn_reason vmn_judge_to_vm(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                           const __u8 *data, const __u8 *data_end)
{
	struct vmn_ethernet ethernet;
	struct vmn_ipv4 ip;
	struct vmn_transport udp;
	enum vmn_reason reason = vmn_judge_policy(policy);

	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (vmn_parse_ethernet(data, data_end, &ethernet) != VMN_PARSE_OK)
		return VMN_REASON_FRAME_TOO_SHORT;
	reason = vmn_judge_ethernet(&ethernet, policy->gateway_mac, policy->guest_mac, meta);
	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (ethernet.ethertype == VMN_ETHERTYPE_ARP)
		return vmn_judge_arp_to_vm(policy, meta, data, data_end);
	if (ethernet.ethertype == VMN_ETHERTYPE_IPV6)
		return VMN_REASON_IPV6;
	if (ethernet.ethertype != VMN_ETHERTYPE_IPV4)
		return VMN_REASON_ETHERTYPE;

	reason = vmn_judge_ipv4_header(data, data_end, meta, &ip);
	if (reason != VMN_REASON_ALLOWED)
		return reason;
	if (ip.protocol != VMN_PROTOCOL_UDP)
		return VMN_REASON_PROTOCOL;
	reason = vmn_judge_udp_header(data, data_end, meta, &ip, &udp);
	if (reason != VMN_REASON_ALLOWED)
		return reason;

	reason = vmn_judge_remote(policy, meta, ip.source_be, udp.source_port, VMN_REASON_SOURCE_ADDRESS,
	                          VMN_REASON_SOURCE_PORT);
	if (vmn_is_drop(reason))
		return reason;
	if (ip.destination_be != policy->guest_address_be)
		return VMN_REASON_DESTINATION_ADDRESS;
	if (!udp.destination_port)
		return VMN_REASON_DESTINATION_PORT;
	if (!vmn_payload_fits(policy, data, data_end, &udp))
		return VMN_REASON_NOT_WIREGUARD;
	return reason;
}

#endif
