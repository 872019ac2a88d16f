/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The ordinary frame, recognised in one go: mode Filtered, a datagram between the guest and its endpoint with nothing unusual
 * about it. Nearly all frames of a decent guest are of this kind, and a branch for each rule is what judging one costs.
 *
 * This decides nothing that the rules do not decide: what is recognised here is what they would let pass as ALLOWED, and
 * whatever is not goes through them, for a reason if they find one. Tests and fuzzers ask both about every frame
 * (docs/adr/0017). When a rule is added, this must refuse what the rule is about.
 */
#ifndef VMN_PLAIN_H
#define VMN_PLAIN_H

#include "vmn/destination.h"

#define VMN_PLAIN_FLAGS (VMN_POLICY_STRICT_WIREGUARD | VMN_POLICY_AUDIT)

/* Version 4, a header of 20 bytes, any traffic class, behind the EtherType of IPv4. */
#define VMN_PLAIN_TYPE VMN_NET32(0x08004500u)
#define VMN_PLAIN_TYPE_MASK VMN_NET32(0xffffff00u)

/* Places in a frame without IP options. */
#define VMN_AT_IP VMN_ETHERNET_BYTES
#define VMN_AT_UDP (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES)

/* Not 0 where the frame has something else than this guest, its gateway and its endpoint talking UDP in one piece. */
VMN_INLINE __u32 vmn_differs_from_plain(const struct vmn_policy *policy, __u32 direction, const __u8 *data)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;
	const __u8 *to = from_vm ? policy->gateway_mac : policy->guest_mac;
	const __u8 *from = from_vm ? policy->guest_mac : policy->gateway_mac;
	const __u8 *addresses = data + VMN_AT_IP + 12, *ports = data + VMN_AT_UDP;
	__u32 other;

	other = vmn_load32(data) ^ vmn_load32(to);
	other |= vmn_load16(data + 4) ^ vmn_load16(to + 4);
	other |= vmn_load32(data + 6) ^ vmn_load32(from);
	other |= vmn_load16(data + 10) ^ vmn_load16(from + 4);
	other |= (vmn_load32(data + 12) ^ VMN_PLAIN_TYPE) & VMN_PLAIN_TYPE_MASK;
	other |= vmn_load16(data + VMN_AT_IP + 6) & VMN_NET16((__u16)~VMN_IPV4_DONT_FRAGMENT);
	other |= data[VMN_AT_IP + 9] ^ VMN_PROTOCOL_UDP;
	other |= vmn_load32(addresses + (from_vm ? 0 : 4)) ^ policy->guest_address_be;
	other |= vmn_load32(addresses + (from_vm ? 4 : 0)) ^ policy->endpoint.address_be;
	other |= vmn_load16(ports + (from_vm ? 2 : 0)) ^ policy->endpoint.port_be;
	return other;
}

VMN_INLINE int vmn_is_plain(const struct vmn_policy *policy, const struct vmn_meta *meta, __u32 direction,
                            const __u8 *data, const __u8 *data_end)
{
	__u32 total_bytes, udp_bytes;

	if (!policy || policy->abi != VMN_POLICY_ABI || policy->mode != VMN_MODE_FILTERED ||
	    policy->flags & ~VMN_PLAIN_FLAGS)
		return 0;
	if (!vmn_holds(data, data_end, VMN_JUDGED_BYTES) || vmn_differs_from_plain(policy, direction, data))
		return 0;

	total_bytes = VMN_NET16(vmn_load16(data + VMN_AT_IP + 2));
	udp_bytes = VMN_NET16(vmn_load16(data + VMN_AT_UDP + 4));
	if (udp_bytes < VMN_UDP_BYTES || udp_bytes + VMN_IPV4_BYTES != total_bytes ||
	    VMN_ETHERNET_BYTES + total_bytes > vmn_frame_bytes(meta))
		return 0;
	if (policy->max_packet_bytes && total_bytes > policy->max_packet_bytes)
		return 0;
	if (!data[VMN_AT_IP + 8] || !vmn_load16(data + VMN_AT_UDP) || !vmn_load16(data + VMN_AT_UDP + 2) ||
	    !policy->endpoint.address_be)
		return 0;
	if (!vmn_ipv4_checksum_right(data + VMN_AT_IP))
		return 0;
	if (vmn_has_vlan_in_metadata(meta) || vmn_is_super_frame(meta) || vmn_pending_checksum_elsewhere(meta))
		return 0;
	return !(policy->flags & VMN_POLICY_STRICT_WIREGUARD) ||
	       vmn_is_wireguard(vmn_load32(data + VMN_UDP_PAYLOAD_OFFSET), udp_bytes - VMN_UDP_BYTES);
}

#endif
