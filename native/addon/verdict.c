// SPDX-License-Identifier: Apache-2.0
#include "verdict.h"

#include <string.h>

#include "vmn/abi.h"
#include "vmn/parse.h"
#include "vmn/verdict.h"

uint32_t vmn_addon_judge(const struct vmn_judge_request *request)
{
	const struct vmn_meta meta = {
		.now_ns = request->now_ns,
		.frame_bytes = (__u32)request->frame_bytes,
		.pending_checksum_offset = request->pending_checksum_offset,
		.vlan_in_metadata = request->vlan_in_metadata,
		.super_frame = request->super_frame,
		.own_answer = request->own_answer,
	};
	const __u8 *data = request->frame;
	const __u8 *data_end = data + request->frame_bytes;
	struct vmn_policy policy;

	/* A copy, since bytes from JavaScript stand at any address. */
	if (request->policy)
		memcpy(&policy, request->policy, sizeof(policy));
	return request->from_vm ? vmn_judge_from_vm(request->policy ? &policy : NULL, &meta, data, data_end)
	                        : vmn_judge_to_vm(request->policy ? &policy : NULL, &meta, data, data_end);
}

#define VMN_PARSE_NAME(symbol, name) [VMN_PARSE_##symbol] = name,
static const char *const parse_names[] = {VMN_PARSES(VMN_PARSE_NAME)};
#undef VMN_PARSE_NAME

static enum vmn_parse parse_arp(const __u8 *data, const __u8 *data_end, struct vmn_parsed_frame *parsed)
{
	struct vmn_arp arp;
	enum vmn_parse result = vmn_parse_arp(data, data_end, parsed->payload_offset, &arp);

	if (result != VMN_PARSE_OK)
		return result;
	parsed->is_arp = true;
	parsed->arp.operation = arp.operation;
	memcpy(parsed->arp.sender_mac, arp.sender_mac, 6);
	memcpy(parsed->arp.target_mac, arp.target_mac, 6);
	parsed->arp.sender_be = arp.sender_address_be;
	parsed->arp.target_be = arp.target_address_be;
	return VMN_PARSE_OK;
}

static enum vmn_parse parse_transport(const __u8 *data, const __u8 *data_end, const struct vmn_ipv4 *ip,
                                      struct vmn_parsed_frame *parsed)
{
	__u32 payload_bytes = ip->total_bytes - ip->header_bytes;
	struct vmn_transport transport;
	enum vmn_parse result;

	if (vmn_is_later_fragment(ip))
		return VMN_PARSE_OK;
	if (ip->protocol == VMN_PROTOCOL_UDP)
		result = vmn_parse_udp(data, data_end, ip->payload_offset, payload_bytes, &transport);
	else if (ip->protocol == VMN_PROTOCOL_TCP)
		result = vmn_parse_tcp(data, data_end, ip->payload_offset, payload_bytes, &transport);
	else
		return VMN_PARSE_OK;
	if (result != VMN_PARSE_OK)
		return result;
	parsed->is_transport = true;
	parsed->transport.source_port = transport.source_port;
	parsed->transport.destination_port = transport.destination_port;
	parsed->transport.udp_bytes = transport.udp_bytes;
	parsed->transport.payload_offset = transport.payload_offset;
	return VMN_PARSE_OK;
}

static enum vmn_parse parse_ipv4(const __u8 *data, const __u8 *data_end, struct vmn_parsed_frame *parsed)
{
	struct vmn_ipv4 ip;
	enum vmn_parse result = vmn_parse_ipv4(data, data_end, (__u32)(data_end - data), parsed->payload_offset, &ip);

	if (result != VMN_PARSE_OK)
		return result;
	parsed->is_ipv4 = true;
	parsed->ipv4.header_bytes = ip.header_bytes;
	parsed->ipv4.total_bytes = ip.total_bytes;
	parsed->ipv4.fragment = ip.fragment;
	parsed->ipv4.ttl = ip.ttl;
	parsed->ipv4.protocol = ip.protocol;
	parsed->ipv4.source_be = ip.source_be;
	parsed->ipv4.destination_be = ip.destination_be;
	parsed->ipv4.payload_offset = ip.payload_offset;
	return parse_transport(data, data_end, &ip, parsed);
}

static enum vmn_parse parse(const __u8 *data, const __u8 *data_end, struct vmn_parsed_frame *parsed)
{
	struct vmn_ethernet ethernet;
	enum vmn_parse result = vmn_parse_ethernet(data, data_end, &ethernet);

	if (result != VMN_PARSE_OK)
		return result;
	parsed->is_ethernet = true;
	memcpy(parsed->destination, ethernet.destination, 6);
	memcpy(parsed->source, ethernet.source, 6);
	parsed->ethertype = ethernet.ethertype;
	parsed->payload_offset = ethernet.payload_offset;
	parsed->is_vlan = vmn_is_vlan(ethernet.ethertype);
	if (ethernet.ethertype == VMN_ETHERTYPE_ARP)
		return parse_arp(data, data_end, parsed);
	if (ethernet.ethertype == VMN_ETHERTYPE_IPV4)
		return parse_ipv4(data, data_end, parsed);
	return VMN_PARSE_OK;
}

void vmn_addon_parse(const void *frame, size_t bytes, struct vmn_parsed_frame *parsed)
{
	enum vmn_parse result;

	memset(parsed, 0, sizeof(*parsed));
	result = parse(frame, (const __u8 *)frame + bytes, parsed);
	parsed->failure = result == VMN_PARSE_OK ? NULL : parse_names[result];
}

#define SIZE(type)                 \
	{                              \
#type, sizeof(struct type) \
	}
#define AT(type, field)                                          \
	{                                                            \
#type "." #field, __builtin_offsetof(struct type, field) \
	}
#define VALUE(name) \
	{               \
#name, name \
	}

static const struct vmn_layout_line layout[] = {
	SIZE(vmn_policy),
	AT(vmn_policy, abi),
	AT(vmn_policy, flags),
	AT(vmn_policy, generation),
	AT(vmn_policy, guest_mac),
	AT(vmn_policy, gateway_mac),
	AT(vmn_policy, guest_address_be),
	AT(vmn_policy, gateway_address_be),
	AT(vmn_policy, mode),
	AT(vmn_policy, endpoint),
	AT(vmn_policy, previous),
	AT(vmn_policy, previous_until_ns),
	AT(vmn_policy, reserved),
	SIZE(vmn_endpoint),
	AT(vmn_endpoint, address_be),
	AT(vmn_endpoint, port_be),
	SIZE(vmn_event),
	AT(vmn_event, time_ns),
	AT(vmn_event, generation),
	AT(vmn_event, ifindex),
	AT(vmn_event, frame_bytes),
	AT(vmn_event, head_bytes),
	AT(vmn_event, direction),
	AT(vmn_event, reason),
	AT(vmn_event, head),
	SIZE(vmn_counter),
	VALUE(VMN_POLICY_ABI),
	VALUE(VMN_MODE_FILTERED),
	VALUE(VMN_POLICY_QUARANTINED),
	VALUE(VMN_POLICY_STRICT_WIREGUARD),
	VALUE(VMN_MARK_ALLOWED),
	VALUE(VMN_MARK_ANSWER),
	VALUE(VMN_DIRECTION_FROM_VM),
	VALUE(VMN_DIRECTION_TO_VM),
	VALUE(VMN_REASON_SLOTS),
	VALUE(VMN_EVENT_HEAD_BYTES),
};

const struct vmn_layout_line *vmn_addon_layout(size_t *count)
{
	*count = sizeof(layout) / sizeof(layout[0]);
	return layout;
}
