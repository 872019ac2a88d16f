/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The destination rules: whom the guest talks to, and how. One conversation is open, UDP with the endpoint of the policy.
 *
 * In order: protocol; UDP length; a checksum that the host shall fill in elsewhere; super-frame; the remote side against
 * the endpoint and, within its grace, the previous one; the guest's side; strict: the shape of WireGuard. In mode Conntrack
 * the remote side and the shape are not looked at again once the flow is known.
 */
#ifndef VMN_DESTINATION_H
#define VMN_DESTINATION_H

#include "vmn/flow.h"
#include "vmn/identity.h"
#include "vmn/wireguard.h"

#define VMN_UDP_PAYLOAD_OFFSET (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + VMN_UDP_BYTES)

/* What a judgement may read, counted from the start of the frame. The kernel side pulls as much into linear memory. */
#define VMN_JUDGED_BYTES (VMN_UDP_PAYLOAD_OFFSET + VMN_WIREGUARD_HEAD_BYTES)

/*
 * The datagram will be cut into whole packets of the wanted size: no padding behind it, since the cutter would make packets
 * of that too, and not more pieces than the kernel makes.
 */
VMN_INLINE enum vmn_reason vmn_judge_super_frame(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                                 const struct vmn_ipv4 *ip, __u32 payload_bytes)
{
	__u32 largest = vmn_segment_bytes(meta) < payload_bytes ? vmn_segment_bytes(meta) : payload_bytes;

	if (vmn_super_frame_kind(meta) != VMN_SUPER_UDP || !vmn_segment_bytes(meta) || !payload_bytes)
		return VMN_REASON_SUPER_FRAME;
	if (vmn_frame_bytes(meta) != VMN_ETHERNET_BYTES + ip->total_bytes)
		return VMN_REASON_SUPER_FRAME;
	if (payload_bytes > (__u64)vmn_segment_bytes(meta) * VMN_SEGMENTS_MAX)
		return VMN_REASON_SUPER_FRAME;
	if (policy->max_packet_bytes && VMN_IPV4_BYTES + VMN_UDP_BYTES + largest > policy->max_packet_bytes)
		return VMN_REASON_PACKET_TOO_BIG;
	return VMN_REASON_ALLOWED;
}

/* The host shall write into the datagram, and not where its checksum is. */
VMN_INLINE int vmn_pending_checksum_elsewhere(const struct vmn_meta *meta)
{
	__u32 offset = vmn_pending_checksum_offset(meta);

	return offset && offset != VMN_UDP_CHECKSUM_OFFSET;
}

/* The datagram fills its packet exactly, and the host will touch none of it but its checksum. */
VMN_INLINE enum vmn_reason vmn_judge_udp_header(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                                const __u8 *data, const __u8 *data_end, const struct vmn_ipv4 *ip,
                                                struct vmn_transport *udp)
{
	__u32 payload_bytes = ip->total_bytes - VMN_IPV4_BYTES;

	if (vmn_parse_udp(data, data_end, VMN_ETHERNET_BYTES + VMN_IPV4_BYTES, payload_bytes, udp) != VMN_PARSE_OK ||
	    udp->udp_bytes != payload_bytes)
		return VMN_REASON_UDP_LENGTH;
	if (vmn_pending_checksum_elsewhere(meta))
		return VMN_REASON_CHECKSUM_OFFLOAD;
	if (vmn_is_super_frame(meta))
		return vmn_judge_super_frame(policy, meta, ip, udp->udp_bytes - VMN_UDP_BYTES);
	return VMN_REASON_ALLOWED;
}

VMN_INLINE int vmn_same_endpoint(const struct vmn_endpoint *endpoint, __u32 address_be, __u16 port)
{
	return endpoint->address_be && endpoint->port_be && endpoint->address_be == address_be &&
	       endpoint->port_be == VMN_NET16(port);
}

VMN_INLINE int vmn_is_at(const struct vmn_endpoint *endpoint, __u32 address_be)
{
	return endpoint->address_be && endpoint->port_be && endpoint->address_be == address_be;
}

/* The far side of the datagram. An endpoint of zeros matches nothing. */
VMN_INLINE enum vmn_reason vmn_judge_remote(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                            __u32 direction, __u32 address_be, __u16 port)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;

	if (vmn_same_endpoint(&policy->endpoint, address_be, port))
		return VMN_REASON_ALLOWED;
	if (vmn_same_endpoint(&policy->previous, address_be, port))
		return vmn_now_ns(meta) < policy->previous_until_ns ? VMN_REASON_ALLOWED_PREVIOUS : VMN_REASON_PREVIOUS_EXPIRED;
	if (policy->endpoint.address_be && policy->endpoint.address_be == address_be)
		return from_vm ? VMN_REASON_DESTINATION_PORT : VMN_REASON_SOURCE_PORT;
	return from_vm ? VMN_REASON_DESTINATION_ADDRESS : VMN_REASON_SOURCE_ADDRESS;
}

/* The near side. Port 0 is nobody's: who would it be answered to? The source address was looked at before. */
VMN_INLINE enum vmn_reason vmn_judge_guest(const struct vmn_policy *policy, __u32 direction, const struct vmn_ipv4 *ip,
                                           __u16 port)
{
	if (direction == VMN_DIRECTION_FROM_VM)
		return port ? VMN_REASON_ALLOWED : VMN_REASON_SOURCE_PORT;
	if (ip->destination_be != policy->guest_address_be)
		return VMN_REASON_DESTINATION_ADDRESS;
	return port ? VMN_REASON_ALLOWED : VMN_REASON_DESTINATION_PORT;
}

/*
 * A packet that is not UDP. ICMP with the endpoint has a reason of its own, for it is no violation: the guest's kernel answers
 * by it what the endpoint sends to a closed port, so that whoever sends it would choose what happens to the VM.
 */
VMN_INLINE enum vmn_reason vmn_judge_other_protocol(const struct vmn_policy *policy, __u32 direction,
                                                    const struct vmn_ipv4 *ip)
{
	if (direction == VMN_DIRECTION_FROM_VM && ip->protocol == VMN_PROTOCOL_ICMP &&
	    (vmn_is_at(&policy->endpoint, ip->destination_be) || vmn_is_at(&policy->previous, ip->destination_be)))
		return VMN_REASON_ICMP_TO_ENDPOINT;
	return VMN_REASON_PROTOCOL;
}

/* Whether a WireGuard message of this length begins at the offset. */
VMN_SUBPROGRAM int vmn_message_at(struct vmn_whole_frame *whole, __u32 offset, __u32 bytes)
{
	__u32 head;

	return bytes >= VMN_WIREGUARD_HEAD_BYTES && !vmn_load_far32(whole, offset, &head) && vmn_is_wireguard(head, bytes);
}

/* Every packet that the super-frame becomes starts like a WireGuard message of its length. */
VMN_SUBPROGRAM int vmn_segments_are_wireguard(struct vmn_whole_frame *whole, __u32 segment_bytes, __u32 payload_bytes)
{
	for (__u64 i = 0; i < VMN_SEGMENTS_MAX; i++) {
		__u32 start = (__u32)i * segment_bytes;
		__u32 left = payload_bytes - start;

		if (start >= payload_bytes)
			return 1;
		if (!vmn_message_at(whole, VMN_UDP_PAYLOAD_OFFSET + start, left < segment_bytes ? left : segment_bytes))
			return 0;
		VMN_OPAQUE(i);
	}
	return 1;
}

/* Whether a strict policy lets this payload through; any payload does when the policy is not strict. */
VMN_INLINE int vmn_payload_fits(const struct vmn_policy *policy, const struct vmn_meta *meta, const __u8 *data,
                                const __u8 *data_end, const struct vmn_transport *udp)
{
	__u32 payload_bytes = udp->udp_bytes - VMN_UDP_BYTES;

	if (!(policy->flags & VMN_POLICY_STRICT_WIREGUARD))
		return 1;
	if (vmn_is_super_frame(meta))
		return vmn_segments_are_wireguard(vmn_whole_frame_of(meta), vmn_segment_bytes(meta), payload_bytes);
	if (!vmn_holds(data, data_end, VMN_JUDGED_BYTES))
		return 0;
	return vmn_is_wireguard(vmn_load32(data + VMN_UDP_PAYLOAD_OFFSET), payload_bytes);
}

VMN_INLINE enum vmn_reason vmn_judge_destination(const struct vmn_policy *policy, const struct vmn_meta *meta,
                                                 __u32 direction, const __u8 *data, const __u8 *data_end,
                                                 const struct vmn_ipv4 *ip)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;
	struct vmn_flow_set *set = NULL;
	struct vmn_transport udp;
	enum vmn_reason reason, near;
	__u64 fingerprint = 0;
	__u32 remote_be;
	__u16 remote_port, guest_port;

	if (ip->protocol != VMN_PROTOCOL_UDP)
		return vmn_judge_other_protocol(policy, direction, ip);
	reason = vmn_judge_udp_header(policy, meta, data, data_end, ip, &udp);
	if (reason != VMN_REASON_ALLOWED)
		return reason;

	remote_be = from_vm ? ip->destination_be : ip->source_be;
	remote_port = from_vm ? udp.destination_port : udp.source_port;
	guest_port = from_vm ? udp.source_port : udp.destination_port;
	if (policy->mode == VMN_MODE_CONNTRACK) {
		fingerprint = vmn_flow_fingerprint(policy, remote_be, (__u32)guest_port << 16 | remote_port);
		set = vmn_flow_set_of(vmn_flows_of(meta), fingerprint);
		if (set && vmn_flow_is_known(set, fingerprint)) {
			near = vmn_judge_guest(policy, direction, ip, guest_port);
			return near == VMN_REASON_ALLOWED ? VMN_REASON_ALLOWED_FLOW : near;
		}
	}

	reason = vmn_judge_remote(policy, meta, direction, remote_be, remote_port);
	if (vmn_is_drop(reason))
		return reason;
	near = vmn_judge_guest(policy, direction, ip, guest_port);
	if (near != VMN_REASON_ALLOWED)
		return near;
	if (!vmn_payload_fits(policy, meta, data, data_end, &udp))
		return VMN_REASON_NOT_WIREGUARD;
	/* A flow that only grace lets pass is judged every time: it ends when the grace does. */
	if (set && reason == VMN_REASON_ALLOWED)
		vmn_flow_remember(set, fingerprint);
	return reason;
}

#endif
