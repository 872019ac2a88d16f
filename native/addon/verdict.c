// SPDX-License-Identifier: Apache-2.0
#include "verdict.h"

#include <string.h>

#include "vmn/abi.h"
#include "vmn/frame.h"
#include "vmn/nat_control.h"
#include "vmn/tunnel.h"
#include "vmn/verdict.h"

struct host_state {
	struct vmn_flows flows;
	struct vmn_state kept;
	struct vmn_tunnel tunnel;
};

size_t vmn_addon_state_bytes(void)
{
	return sizeof(struct host_state);
}

const void *vmn_addon_tunnel(const void *state)
{
	return &((const struct host_state *)state)->tunnel;
}

/* Every message, where the eBPF programs look at the first data of a tick only. */
static void watch_tunnel(struct vmn_tunnel *tunnel, const struct vmn_policy *policy, const struct vmn_meta *meta,
                         __u32 direction)
{
	const struct vmn_whole_frame *whole = meta->whole;
	struct vmn_message message;

	if (vmn_holds(whole->data, whole->data_end, VMN_TUNNEL_FRAME_BYTES) &&
	    vmn_tunnel_message(policy, meta, direction, whole->data, &message))
		vmn_tunnel_note(tunnel, &policy->endpoint, direction, &message, meta->now_ns);
}

struct vmn_judge_answer vmn_addon_judge(const struct vmn_judge_request *request)
{
	const __u8 *data = request->frame;
	const __u8 *data_end = data + request->frame_bytes;
	__u32 direction = request->from_vm ? VMN_DIRECTION_FROM_VM : VMN_DIRECTION_TO_VM;
	struct vmn_whole_frame whole = {data, data_end};
	struct host_state *state = request->state;
	const struct vmn_meta meta = {
		.now_ns = request->now_ns,
		.nonce = request->nonce,
		.frame_bytes = (__u32)request->frame_bytes,
		.pending_checksum_offset = request->pending_checksum_offset,
		.segment_bytes = request->segment_bytes,
		.super_frame = request->super_frame,
		.vlan_in_metadata = request->vlan_in_metadata,
		.own_answer = request->own_answer,
		.flows = state ? &state->flows : NULL,
		.whole = &whole,
	};
	struct vmn_judge_answer answer = {0};
	struct vmn_judgement judgement;
	const struct vmn_policy *policy = request->policy;
	struct vmn_policy copied;

	/* Bytes from JavaScript may stand at any address. */
	if ((uintptr_t)policy % _Alignof(struct vmn_policy) != 0) {
		memcpy(&copied, request->policy, sizeof(copied));
		policy = &copied;
	}
	judgement = vmn_judge(policy, &meta, direction, data, data_end);
	if (state && policy && vmn_is_limited(policy, direction, &judgement))
		vmn_judge_limited(
			policy, &judgement,
			vmn_limit(policy, &state->kept.limiter, meta.now_ns, vmn_wire_bytes(&meta), vmn_wire_packets(&meta)));
	if (state && policy && policy->violation_threshold && request->from_vm && vmn_is_violation(judgement.reason))
		answer.violations = vmn_violation_note(policy, &state->kept.violations, meta.now_ns);
	if (state && policy && !vmn_is_drop(judgement.reason))
		watch_tunnel(&state->tunnel, policy, &meta, direction);
	answer.reason = judgement.reason;
	answer.audited = judgement.audited;
	return answer;
}

#define VMN_PARSE_NAME(symbol, name) [VMN_PARSE_##symbol] = name,
static const char *const parse_names[] = {VMN_PARSES(VMN_PARSE_NAME)};
#undef VMN_PARSE_NAME

static void take_ethernet(struct vmn_parsed_frame *parsed, const struct vmn_ethernet *ethernet)
{
	parsed->is_ethernet = true;
	memcpy(parsed->destination, ethernet->destination, 6);
	memcpy(parsed->source, ethernet->source, 6);
	parsed->ethertype = ethernet->ethertype;
	parsed->payload_offset = ethernet->payload_offset;
	parsed->is_vlan = vmn_is_vlan(ethernet->ethertype);
}

static void take_arp(struct vmn_parsed_frame *parsed, const struct vmn_arp *arp)
{
	parsed->is_arp = true;
	parsed->arp.operation = arp->operation;
	memcpy(parsed->arp.sender_mac, arp->sender_mac, 6);
	memcpy(parsed->arp.target_mac, arp->target_mac, 6);
	parsed->arp.sender_be = arp->sender_address_be;
	parsed->arp.target_be = arp->target_address_be;
}

static void take_ipv4(struct vmn_parsed_frame *parsed, const struct vmn_ipv4 *ip)
{
	parsed->is_ipv4 = true;
	parsed->ipv4.header_bytes = ip->header_bytes;
	parsed->ipv4.total_bytes = ip->total_bytes;
	parsed->ipv4.fragment = ip->fragment;
	parsed->ipv4.ttl = ip->ttl;
	parsed->ipv4.protocol = ip->protocol;
	parsed->ipv4.source_be = ip->source_be;
	parsed->ipv4.destination_be = ip->destination_be;
	parsed->ipv4.payload_offset = ip->payload_offset;
}

static void take_transport(struct vmn_parsed_frame *parsed, const struct vmn_transport *transport)
{
	parsed->is_transport = true;
	parsed->transport.source_port = transport->source_port;
	parsed->transport.destination_port = transport->destination_port;
	parsed->transport.udp_bytes = transport->udp_bytes;
	parsed->transport.payload_offset = transport->payload_offset;
}

void vmn_addon_parse(const void *frame, size_t bytes, struct vmn_parsed_frame *parsed)
{
	struct vmn_frame layers;
	enum vmn_parse result = vmn_parse_frame(frame, (const __u8 *)frame + bytes, &layers);

	memset(parsed, 0, sizeof(*parsed));
	parsed->failure = result == VMN_PARSE_OK ? NULL : parse_names[result];
	if (layers.ethernet.destination)
		take_ethernet(parsed, &layers.ethernet);
	if (layers.has_arp)
		take_arp(parsed, &layers.arp);
	if (layers.has_ipv4)
		take_ipv4(parsed, &layers.ipv4);
	if (layers.has_transport)
		take_transport(parsed, &layers.transport);
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
	AT(vmn_policy, secret),
	AT(vmn_policy, egress_bits_per_second),
	AT(vmn_policy, packets_per_second),
	AT(vmn_policy, sample_per_million),
	AT(vmn_policy, max_packet_bytes),
	AT(vmn_policy, violation_threshold),
	AT(vmn_policy, violation_window_ms),
	AT(vmn_policy, reserved),
	AT(vmn_policy, denied_count),
	AT(vmn_policy, denied),
	SIZE(vmn_endpoint),
	AT(vmn_endpoint, address_be),
	AT(vmn_endpoint, port_be),
	SIZE(vmn_range),
	AT(vmn_range, first),
	AT(vmn_range, last),
	SIZE(vmn_event),
	AT(vmn_event, time_ns),
	AT(vmn_event, generation),
	AT(vmn_event, ifindex),
	AT(vmn_event, frame_bytes),
	AT(vmn_event, head_bytes),
	AT(vmn_event, direction),
	AT(vmn_event, reason),
	AT(vmn_event, kind),
	AT(vmn_event, audited),
	AT(vmn_event, head),
	SIZE(vmn_counter),
	VALUE(VMN_POLICY_ABI),
	VALUE(VMN_MODE_FILTERED),
	VALUE(VMN_MODE_CONNTRACK),
	VALUE(VMN_MODE_SAMPLED),
	VALUE(VMN_MODE_DIRECT),
	VALUE(VMN_DENIED_MAX),
	VALUE(VMN_POLICY_QUARANTINED),
	VALUE(VMN_POLICY_STRICT_WIREGUARD),
	VALUE(VMN_POLICY_AUDIT),
	VALUE(VMN_BITS_PER_SECOND_MAX),
	VALUE(VMN_PACKETS_PER_SECOND_MAX),
	VALUE(VMN_MILLION),
	VALUE(VMN_MARK_ALLOWED),
	VALUE(VMN_MARK_ANSWER),
	VALUE(VMN_DIRECTION_FROM_VM),
	VALUE(VMN_DIRECTION_TO_VM),
	VALUE(VMN_REASON_SLOTS),
	VALUE(VMN_COUNTER_SLOTS),
	VALUE(VMN_COUNTER_EVENTS_SUPPRESSED),
	VALUE(VMN_COUNTER_EVENTS_LOST),
	VALUE(VMN_HARMLESS_REASONS),
	VALUE(VMN_EVENT_DROP),
	VALUE(VMN_EVENT_VIOLATIONS),
	VALUE(VMN_SUPER_NONE),
	VALUE(VMN_SUPER_UDP),
	VALUE(VMN_SUPER_OTHER),
	VALUE(VMN_EVENT_HEAD_BYTES),
	SIZE(vmn_nat_head),
	AT(vmn_nat_head, magic),
	AT(vmn_nat_head, version),
	AT(vmn_nat_head, operation),
	AT(vmn_nat_head, sequence),
	AT(vmn_nat_head, status),
	AT(vmn_nat_head, body_bytes),
	SIZE(vmn_nat_status),
	AT(vmn_nat_status, policy_abi),
	AT(vmn_nat_status, flags),
	AT(vmn_nat_status, generation),
	AT(vmn_nat_status, policy_hash),
	AT(vmn_nat_status, judged),
	AT(vmn_nat_status, crossings),
	AT(vmn_nat_status, flows),
	AT(vmn_nat_status, pid),
	SIZE(vmn_nat_set_policy),
	SIZE(vmn_nat_counters),
	AT(vmn_nat_counters, engine),
	VALUE(VMN_NAT_CONTROL_MAGIC),
	VALUE(VMN_NAT_CONTROL_VERSION),
};

const struct vmn_layout_line *vmn_addon_layout(size_t *count)
{
	*count = sizeof(layout) / sizeof(layout[0]);
	return layout;
}
