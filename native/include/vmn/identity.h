/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The identity rules: who the guest is, and that a frame is one sound IPv4 packet of its own. They hold for every frame in
 * every mode, whatever else a policy lets pass.
 */
#ifndef VMN_IDENTITY_H
#define VMN_IDENTITY_H

#include "vmn/abi.h"
#include "vmn/arp.h"
#include "vmn/checksum.h"
#include "vmn/meta.h"
#include "vmn/reason.h"

/* Where the checksum stands in a datagram or segment without IP options: the only place where one may be pending. */
#define VMN_UDP_CHECKSUM_OFFSET (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + 6)
#define VMN_TCP_CHECKSUM_OFFSET (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + 16)

VMN_INLINE enum vmn_reason vmn_judge_policy(const struct vmn_policy *policy)
{
	if (!policy)
		return VMN_REASON_NO_POLICY;
	if (policy->abi != VMN_POLICY_ABI || policy->mode < VMN_MODE_FILTERED || policy->mode > VMN_MODE_DIRECT ||
	    policy->flags & ~VMN_POLICY_FLAGS)
		return VMN_REASON_POLICY_ABI;
	/* Without what it denies it would allow everything, and there is nothing that it could only count. */
	if (policy->mode == VMN_MODE_DIRECT &&
	    (!policy->denied_count || policy->denied_count > VMN_DENIED_MAX || policy->flags & VMN_POLICY_AUDIT))
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
	if (vmn_has_vlan_in_metadata(meta) || vmn_is_vlan(ethernet->ethertype))
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
	if (vmn_is_super_frame(meta) || vmn_pending_checksum_offset(meta))
		return VMN_REASON_ARP_MALFORMED;
	if (!vmn_same_mac(arp.sender_mac, policy->guest_mac))
		return VMN_REASON_ARP_SPOOFED;
	/* "Has anybody this address?" (RFC 5227) pretends to be nobody. */
	if (arp.operation == VMN_ARP_REQUEST && !arp.sender_address_be)
		return VMN_REASON_ARP_NOT_GATEWAY;
	if (arp.sender_address_be != policy->guest_address_be)
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

	if (!vmn_is_own_answer(meta) || vmn_is_super_frame(meta) || vmn_pending_checksum_offset(meta) ||
	    vmn_frame_bytes(meta) != VMN_ARP_FRAME_BYTES)
		return VMN_REASON_ARP_FROM_HOST;
	if (vmn_parse_arp(data, data_end, VMN_ETHERNET_BYTES, &arp) != VMN_PARSE_OK)
		return VMN_REASON_ARP_FROM_HOST;
	if (!vmn_same_mac(data, policy->guest_mac) || arp.operation != VMN_ARP_REPLY ||
	    !vmn_same_mac(arp.sender_mac, policy->gateway_mac) || arp.sender_address_be != policy->gateway_address_be ||
	    !vmn_same_mac(arp.target_mac, policy->guest_mac) || arp.target_address_be != policy->guest_address_be)
		return VMN_REASON_ARP_FROM_HOST;
	return VMN_REASON_ARP_ANSWERED;
}

VMN_INLINE enum vmn_reason vmn_judge_ipv4_header(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                                 const __u8 *data, const __u8 *data_end, struct vmn_ipv4 *ip)
{
	enum vmn_parse parse = vmn_parse_ipv4(data, data_end, vmn_frame_bytes(meta), VMN_ETHERNET_BYTES, ip);

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
	/* A super-frame is longer than any of the packets it becomes. */
	if (policy->max_packet_bytes && !vmn_is_super_frame(meta) && ip->total_bytes > policy->max_packet_bytes)
		return VMN_REASON_PACKET_TOO_BIG;
	return VMN_REASON_ALLOWED;
}

VMN_RARE int vmn_checksum_stays_in_place(const struct vmn_meta *meta, __u32 protocol)
{
	__u32 offset = vmn_pending_checksum_offset(meta);

	if (!offset)
		return 1;
	if (protocol == VMN_PROTOCOL_UDP)
		return offset == VMN_UDP_CHECKSUM_OFFSET;
	return protocol == VMN_PROTOCOL_TCP && offset == VMN_TCP_CHECKSUM_OFFSET;
}

/* 0 when there is none or it is too short to be one. */
VMN_RARE __u32 vmn_tcp_header_bytes(const struct vmn_meta *meta)
{
	__u32 word = 0;

	if (vmn_load_far32(vmn_whole_frame_of(meta), VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + 12, &word))
		return 0;
	word = (VMN_NET32(word) >> 28) * 4;
	return word < VMN_TCP_BYTES ? 0 : word;
}

/*
 * Whether the super-frame becomes whole packets of the protocol in its header, none too big, and nothing else: other kinds
 * become fragments or what stands in an inner header.
 */
VMN_RARE int vmn_super_frame_is_sound(const struct vmn_policy *policy, const struct vmn_meta *meta, __u32 protocol,
                                      __u32 total_bytes)
{
	__u32 kind = vmn_super_frame_kind(meta), segment = vmn_segment_bytes(meta);
	__u32 transport = 0, headers, payload;

	if (kind == VMN_SUPER_UDP && protocol == VMN_PROTOCOL_UDP)
		transport = VMN_UDP_BYTES;
	else if (kind == VMN_SUPER_TCP && protocol == VMN_PROTOCOL_TCP)
		transport = vmn_tcp_header_bytes(meta);
	headers = VMN_IPV4_BYTES + transport;
	if (!transport || !segment || total_bytes <= headers || vmn_frame_bytes(meta) != VMN_ETHERNET_BYTES + total_bytes)
		return 0;
	payload = total_bytes - headers;
	return !policy->max_packet_bytes || headers + (segment < payload ? segment : payload) <= policy->max_packet_bytes;
}

/*
 * Whether nothing is wrong with who the packet is from or for, and nothing will be written into it but its own checksum:
 * what must hold before a policy may overlook whom it is for. The rules that name a reason look at this in their turn.
 */
VMN_INLINE int vmn_identity_holds(const struct vmn_policy *policy, const struct vmn_meta *meta, __u32 direction,
                                  const struct vmn_ipv4 *ip)
{
	__u32 guest_be = direction == VMN_DIRECTION_FROM_VM ? ip->source_be : ip->destination_be;

	return guest_be == policy->guest_address_be && vmn_checksum_stays_in_place(meta, ip->protocol) &&
	       (!vmn_is_super_frame(meta) || vmn_super_frame_is_sound(policy, meta, ip->protocol, ip->total_bytes));
}

#endif
