// SPDX-License-Identifier: Apache-2.0
/* The catalogue. Long because it is one table: a line for each frame. Read it from CASES at the end. */
#include <stdio.h>
#include <stdlib.h>

#include "cases.h"
#include "check.h"

#define FROM VMN_DIRECTION_FROM_VM
#define TO VMN_DIRECTION_TO_VM
#define SECOND_NS 1000000000ll

/* The kernel refuses frames under 14 bytes in BPF_PROG_TEST_RUN and on a tap. */
#define NEVER_A_FRAME ON_HOST
/* BPF_PROG_TEST_RUN cannot ask for checksum offload. */
#define OFFLOADED (ON_HOST | ON_TAP)
/* A packet socket cannot put a tag beside the frame, and its frames carry no tag of ours. */
#define NOT_ON_TAP (ON_HOST | IN_TEST_RUN)

static int direction_of(const struct input *input)
{
	return memcmp(input->frame.bytes + AT_SOURCE_MAC, input->policy.guest_mac, 6) == 0 ? FROM : TO;
}

static void set16(struct input *input, uint32_t at, uint16_t value)
{
	put16(&input->frame, at, value);
	frame_fix_checksum(&input->frame);
}

static void set8(struct input *input, uint32_t at, uint8_t value)
{
	input->frame.bytes[at] = value;
	frame_fix_checksum(&input->frame);
}

static void set_address(struct input *input, uint32_t at, uint32_t address_be)
{
	put32_be(&input->frame, at, address_be);
	frame_fix_checksum(&input->frame);
}

static void set_previous(struct input *input, int64_t left_ns)
{
	input->policy.previous.address_be = PREVIOUS_ADDRESS;
	input->policy.previous.port_be = VMN_NET16(PREVIOUS_PORT);
	input->previous_left_ns = left_ns;
}

/* A datagram between the guest and (address, port), in the direction the input already has. */
static void talk_to(struct input *input, uint32_t address_be, uint16_t port)
{
	frame_udp(&input->frame, &input->policy, direction_of(input), address_be, port, 1, 148);
}

static void message(struct input *input, uint8_t type, uint32_t payload_bytes)
{
	frame_udp(&input->frame, &input->policy, direction_of(input), ENDPOINT_ADDRESS, ENDPOINT_PORT, type, payload_bytes);
}

static void strict_message(struct input *input, uint8_t type, uint32_t payload_bytes)
{
	message(input, type, payload_bytes);
	input->policy.flags |= VMN_POLICY_STRICT_WIREGUARD;
}

/* A UDP super-frame: its checksum is pending, and its packets carry this much each. */
static void cut_into(struct input *input, uint32_t segment_bytes)
{
	input->super_frame = VMN_SUPER_UDP;
	input->segment_bytes = segment_bytes;
	input->pending_checksum_offset = AT_UDP_CHECKSUM;
}

/* `count` data messages of a size, one a packet. */
static void strict_messages(struct input *input, uint32_t bytes, uint32_t count)
{
	strict_message(input, 4, bytes * count);
	for (uint32_t i = 0; i < count; i++)
		memcpy(input->frame.bytes + AT_PAYLOAD + i * bytes, "\4\0\0\0", 4);
	cut_into(input, bytes);
}

/* One more message behind the others: the last packet of a super-frame may be shorter. */
static void append_message(struct input *input, uint8_t type, uint32_t bytes)
{
	struct frame *frame = &input->frame;
	uint32_t at = frame->length;

	frame_pad(frame, bytes, 0);
	frame->bytes[at] = type;
	put16(frame, AT_IP_TOTAL, (uint16_t)(frame->length - AT_IP));
	put16(frame, AT_UDP_LENGTH, (uint16_t)(frame->length - AT_UDP));
	frame_fix_checksum(frame);
}

static void protocol(struct input *input, uint8_t number)
{
	set8(input, AT_IP_PROTOCOL, number);
}

static void ethertype(struct input *input, uint16_t type)
{
	put16(&input->frame, AT_ETHERTYPE, type);
}

static void destination_mac(struct input *input, const char *mac)
{
	memcpy(input->frame.bytes, mac, 6);
}

static void arp(struct input *input)
{
	frame_arp_request(&input->frame, &input->policy);
}

static void arp_answer(struct input *input)
{
	frame_arp_answer(&input->frame, &input->policy);
	input->own_answer = true;
}

/* clang-format off */
/* As many ranges as there is room for: one address in each of so many networks, the last of them 223.0.0.1. */
static void direct_full(struct input *input)
{
	struct vmn_policy *policy = &input->policy;

	policy->denied_count = 0;
	for (uint32_t i = 0; i < VMN_DENIED_MAX - 1; i++)
		policy_deny(policy, VMN_NET32(0x0b000001u + i * 0x10000u), VMN_NET32(0x0b000001u + i * 0x10000u));
	policy_deny(policy, ADDRESS(223, 0, 0, 1), ADDRESS(223, 0, 0, 1));
}

#define EDIT(name, ...) static void name(struct input *input) { struct frame *frame = &input->frame; (void)frame; __VA_ARGS__; }

/* What passes */
EDIT(nothing, )
EDIT(plain_payload, message(input, 'x', 5))
EDIT(empty_payload, message(input, 0, 0))
EDIT(full_size, message(input, 'x', 1472))
EDIT(jumbo, message(input, 'x', 2900))
EDIT(padded, message(input, 'x', 5); frame_pad(frame, 13, 0xaa))
EDIT(udp_checksum_zero, put16(frame, AT_UDP_CHECKSUM, 0))
EDIT(udp_checksum_wrong, put16(frame, AT_UDP_CHECKSUM, 0xbeef))
EDIT(ttl_one, set8(input, AT_IP_TTL, 1))
EDIT(may_fragment, set16(input, AT_IP_FRAGMENT, 0))
EDIT(congestion_marks, set8(input, AT_IP + 1, 0xff))
EDIT(strict_initiation, strict_message(input, 1, 148))
EDIT(strict_response, strict_message(input, 2, 92))
EDIT(strict_cookie, strict_message(input, 3, 64))
EDIT(strict_keepalive, strict_message(input, 4, 32))
EDIT(strict_data, strict_message(input, 4, 1456))
EDIT(strict_full_packet, strict_message(input, 4, 1452))
EDIT(strict_odd_at_least, strict_message(input, 4, 608 + 1))
EDIT(offload_udp_checksum, input->pending_checksum_offset = AT_UDP_CHECKSUM)
EDIT(previous_alive, set_previous(input, 3600 * SECOND_NS); talk_to(input, PREVIOUS_ADDRESS, PREVIOUS_PORT))
EDIT(current_beside_previous, set_previous(input, 3600 * SECOND_NS))
EDIT(previous_is_current, set_previous(input, 0); input->policy.previous = input->policy.endpoint)
EDIT(arp_request, arp(input))
EDIT(arp_request_unicast, arp(input); destination_mac(input, "\x02\x76\x6d\x6e\x00\x01"))
EDIT(arp_request_unpadded, arp(input); frame->length = VMN_ARP_FRAME_BYTES)
EDIT(arp_request_long, arp(input); frame_pad(frame, 1000, 0xaa))
EDIT(arp_request_target_mac, arp(input); memset(frame->bytes + AT_ARP_TARGET_MAC, 0xff, 6))
EDIT(own_answer, arp_answer(input))

/* Policy */
EDIT(no_policy, input->no_policy = true)
EDIT(no_policy_arp, input->no_policy = true; arp(input))
EDIT(no_policy_own_answer, input->no_policy = true; arp_answer(input))
EDIT(abi_zero, memset(&input->policy, 0, sizeof(input->policy)))
EDIT(abi_next, input->policy.abi = VMN_POLICY_ABI + 1)
EDIT(mode_unknown, input->policy.mode = 0)
EDIT(flag_unknown, input->policy.flags = 1u << 31)
EDIT(quarantined, input->policy.flags = VMN_POLICY_QUARANTINED)
EDIT(quarantined_arp, input->policy.flags = VMN_POLICY_QUARANTINED; arp(input))
EDIT(quarantined_own_answer, input->policy.flags = VMN_POLICY_QUARANTINED; arp_answer(input))
EDIT(endpoint_zero, memset(&input->policy.endpoint, 0, sizeof(input->policy.endpoint)))
EDIT(endpoint_zero_spoken_to, endpoint_zero(input); talk_to(input, 0, 0))
EDIT(previous_zero_spoken_to, set_previous(input, 3600 * SECOND_NS); input->policy.previous.address_be = 0; talk_to(input, 0, PREVIOUS_PORT))

/* Ethernet */
EDIT(bytes_0, frame->length = 0)
EDIT(bytes_13, frame->length = 13)
EDIT(bytes_14, frame->length = 14)
EDIT(bytes_33, frame->length = 33)
EDIT(source_mac_off_by_one, frame->bytes[11] ^= 1)
EDIT(source_mac_first_byte, frame->bytes[6] ^= 4)
EDIT(source_mac_group, frame->bytes[6] |= 1)
EDIT(source_mac_gateway, memcpy(frame->bytes + 6, input->policy.gateway_mac, 6))
EDIT(source_mac_guest, memcpy(frame->bytes + 6, input->policy.guest_mac, 6))
EDIT(source_mac_host, memcpy(frame->bytes + 6, "\x0a\x00\x27\x00\x00\x01", 6))
EDIT(arp_source_mac, arp(input); frame->bytes[11] ^= 1)
EDIT(destination_mac_other, destination_mac(input, "\x52\x54\x00\x12\x34\x56"))
EDIT(destination_mac_zero, memset(frame->bytes, 0, 6))
EDIT(arp_destination_mac_other, arp(input); destination_mac(input, "\x52\x54\x00\x12\x34\x56"))
EDIT(broadcast_ipv4, memset(frame->bytes, 0xff, 6))
EDIT(multicast_ipv4, destination_mac(input, "\x01\x00\x5e\x00\x00\xfb"))
EDIT(multicast_arp, arp(input); destination_mac(input, "\x01\x00\x5e\x00\x00\x01"))
EDIT(gateway_mac_group_bit, frame->bytes[0] |= 1)
EDIT(broadcast_ipv6, memset(frame->bytes, 0xff, 6); ethertype(input, 0x86dd))
EDIT(neighbour_discovery, destination_mac(input, "\x33\x33\xff\x00\x00\x01"); ethertype(input, 0x86dd))
EDIT(lldp, destination_mac(input, "\x01\x80\xc2\x00\x00\x0e"); ethertype(input, 0x88cc))
EDIT(spanning_tree, destination_mac(input, "\x01\x80\xc2\x00\x00\x00"); ethertype(input, 38))
EDIT(vlan_tag, frame_push_tag(frame, 0x8100, 100))
EDIT(vlan_priority_tag, frame_push_tag(frame, 0x8100, 0))
EDIT(qinq_tag, frame_push_tag(frame, 0x88a8, 100))
EDIT(double_tag, frame_push_tag(frame, 0x8100, 7); frame_push_tag(frame, 0x88a8, 100))
EDIT(legacy_tag, frame_push_tag(frame, 0x9100, 100))
EDIT(tag_in_metadata, input->vlan_in_metadata = true)
EDIT(arp_tag_in_metadata, arp(input); input->vlan_in_metadata = true)
EDIT(tagged_unicast_arp, arp_request_unicast(input); frame_push_tag(frame, 0x8100, 1))
EDIT(ethertype_unknown, ethertype(input, 0x1234))
EDIT(ethertype_lldp_unicast, ethertype(input, 0x88cc))
EDIT(ethertype_mpls, ethertype(input, 0x8847))
EDIT(ethertype_pppoe, ethertype(input, 0x8864))
EDIT(ethertype_rarp, arp_request_unicast(input); ethertype(input, 0x8035))
EDIT(ethertype_zero, ethertype(input, 0))
EDIT(length_field, ethertype(input, 100))
EDIT(snap_ipv4, memmove(frame->bytes + 22, frame->bytes + 14, frame->length - 14); memcpy(frame->bytes + 14, "\xaa\xaa\x03\x00\x00\x00\x08\x00", 8);
	frame->length += 8; ethertype(input, (uint16_t)(frame->length - 14)))
EDIT(length_field_1535, ethertype(input, 0x05ff))
EDIT(ipv6, ethertype(input, 0x86dd); frame->bytes[AT_IP] = 0x60)
EDIT(ipv6_around_ipv4, ethertype(input, 0x86dd))

/* ARP */
EDIT(arp_short, arp(input); frame->length = VMN_ARP_FRAME_BYTES - 1)
EDIT(arp_hardware, arp(input); put16(frame, AT_ARP, 6))
EDIT(arp_protocol, arp(input); put16(frame, AT_ARP + 2, 0x86dd))
EDIT(arp_hardware_bytes, arp(input); frame->bytes[AT_ARP + 4] = 8)
EDIT(arp_protocol_bytes, arp(input); frame->bytes[AT_ARP + 5] = 16)
EDIT(arp_operation_zero, arp(input); put16(frame, AT_ARP_OPERATION, 0))
EDIT(arp_operation_rarp, arp(input); put16(frame, AT_ARP_OPERATION, 3))
EDIT(arp_operation_high_byte, arp(input); put16(frame, AT_ARP_OPERATION, 0x0101))
EDIT(arp_offloaded, arp(input); input->pending_checksum_offset = 60 - 4; frame_pad(frame, 40, 0))
EDIT(arp_super_frame, arp(input); frame_pad(frame, 2000, 0); cut_into(input, 1400))
EDIT(arp_sender_mac, arp(input); frame->bytes[AT_ARP_SENDER_MAC + 5] ^= 1)
EDIT(arp_sender_gateway_mac, arp(input); memcpy(frame->bytes + AT_ARP_SENDER_MAC, input->policy.gateway_mac, 6))
EDIT(arp_sender_address, arp(input); put32_be(frame, AT_ARP_SENDER, ADDRESS(100, 64, 0, 8)))
EDIT(arp_sender_gateway, arp(input); put32_be(frame, AT_ARP_SENDER, GATEWAY_ADDRESS))
EDIT(arp_probe, arp(input); put32_be(frame, AT_ARP_SENDER, 0))
EDIT(arp_probe_spoofed, arp_probe(input); frame->bytes[AT_ARP_SENDER_MAC + 5] ^= 1)
EDIT(arp_reply_of_nobody, arp_probe(input); put16(frame, AT_ARP_OPERATION, 2))
EDIT(arp_reply_as_gateway, arp(input); put16(frame, AT_ARP_OPERATION, 2); put32_be(frame, AT_ARP_SENDER, GATEWAY_ADDRESS))
EDIT(arp_gratuitous_gateway, arp(input); put32_be(frame, AT_ARP_SENDER, GATEWAY_ADDRESS); put32_be(frame, AT_ARP_TARGET, GATEWAY_ADDRESS))
EDIT(arp_gratuitous, arp(input); put32_be(frame, AT_ARP_TARGET, GUEST_ADDRESS))
EDIT(arp_gratuitous_reply, arp(input); put16(frame, AT_ARP_OPERATION, 2); put32_be(frame, AT_ARP_TARGET, GUEST_ADDRESS))
EDIT(arp_reply_to_gateway, arp(input); put16(frame, AT_ARP_OPERATION, 2))
EDIT(arp_other_vm, arp(input); put32_be(frame, AT_ARP_TARGET, ADDRESS(100, 64, 0, 8)))
EDIT(arp_endpoint, arp(input); put32_be(frame, AT_ARP_TARGET, ENDPOINT_ADDRESS))
EDIT(arp_metadata_server, arp(input); put32_be(frame, AT_ARP_TARGET, ADDRESS(169, 254, 169, 254)))

/* ARP towards the VM */
EDIT(answer_unmarked, arp_answer(input); input->own_answer = false)
EDIT(answer_padded, arp_answer(input); frame_pad(frame, 18, 0))
EDIT(answer_short, arp_answer(input); frame->length--)
EDIT(answer_operation, arp_answer(input); put16(frame, AT_ARP_OPERATION, 1))
EDIT(answer_format, arp_answer(input); put16(frame, AT_ARP + 2, 0x86dd))
EDIT(answer_sender_mac, arp_answer(input); frame->bytes[AT_ARP_SENDER_MAC] ^= 4)
EDIT(answer_sender, arp_answer(input); frame->bytes[AT_ARP_SENDER] ^= 1)
EDIT(answer_target_mac, arp_answer(input); frame->bytes[AT_ARP_TARGET_MAC + 5] ^= 1)
EDIT(answer_target, arp_answer(input); frame->bytes[AT_ARP_TARGET + 3] ^= 1)
EDIT(answer_broadcast, arp_answer(input); memset(frame->bytes, 0xff, 6))
EDIT(answer_super_frame, arp_answer(input); cut_into(input, 1400))
EDIT(answer_offloaded, arp_answer(input); input->pending_checksum_offset = 40)
EDIT(host_request, arp_answer(input); input->own_answer = false; memset(frame->bytes, 0xff, 6); put16(frame, AT_ARP_OPERATION, 1))

/* IPv4 header */
EDIT(version_6_in_ipv4, set8(input, AT_IP, 0x65))
EDIT(version_0, set8(input, AT_IP, 0x05))
EDIT(header_length_0, set8(input, AT_IP, 0x40))
EDIT(header_length_4, set8(input, AT_IP, 0x44))
EDIT(header_past_frame, frame->length = AT_IP + 59; set8(input, AT_IP, 0x4f))
EDIT(header_6_past_frame, frame->length = AT_IP + 20; set8(input, AT_IP, 0x46))
EDIT(options_one_word, frame_push_options(frame, 1))
EDIT(options_all, frame_push_options(frame, 10))
EDIT(options_source_route, frame_push_options(frame, 2); memcpy(frame->bytes + 34, "\x83\x07\x04\x08\x08\x08\x08\x00", 8); frame_fix_checksum(frame))
EDIT(options_record_route, frame_push_options(frame, 2); memcpy(frame->bytes + 34, "\x07\x07\x04\x00\x00\x00\x00\x00", 8); frame_fix_checksum(frame))
EDIT(options_bad_total, frame_push_options(frame, 1); set16(input, AT_IP_TOTAL, 1))
EDIT(total_0, set16(input, AT_IP_TOTAL, 0))
EDIT(total_19, set16(input, AT_IP_TOTAL, 19))
EDIT(total_one_past, set16(input, AT_IP_TOTAL, (uint16_t)(get16(frame, AT_IP_TOTAL) + 1)))
EDIT(total_65535, set16(input, AT_IP_TOTAL, 65535))
EDIT(cut_by_one, frame->length--)
EDIT(first_fragment, set16(input, AT_IP_FRAGMENT, 0x2000))
EDIT(first_fragment_tiny, frame->length = AT_IP + 28; set16(input, AT_IP_TOTAL, 28); set16(input, AT_IP_FRAGMENT, 0x2000))
EDIT(middle_fragment, set16(input, AT_IP_FRAGMENT, 0x2001))
EDIT(last_fragment, set16(input, AT_IP_FRAGMENT, 0x00b9))
EDIT(overlapping_fragment, set16(input, AT_IP_FRAGMENT, 0x0001))
EDIT(fragment_dont_fragment, set16(input, AT_IP_FRAGMENT, 0x6000))
EDIT(fragment_offset_max, set16(input, AT_IP_FRAGMENT, 0x1fff))
EDIT(evil_bit, set16(input, AT_IP_FRAGMENT, 0xc000))
EDIT(checksum_off_by_one, put16(frame, AT_IP_CHECKSUM, (uint16_t)(get16(frame, AT_IP_CHECKSUM) + 1)))
EDIT(checksum_zero, put16(frame, AT_IP_CHECKSUM, 0))
EDIT(checksum_negative_zero, set16(input, AT_IP + 4, 0); set16(input, AT_IP + 4, get16(frame, AT_IP_CHECKSUM)); put16(frame, AT_IP_CHECKSUM, 0xffff); frame->bytes[AT_IP + 5] ^= 1)
EDIT(ttl_zero, set8(input, AT_IP_TTL, 0))

/* Addresses and protocol */
EDIT(source_other_vm, set_address(input, AT_IP_SOURCE, ADDRESS(100, 64, 0, 8)))
EDIT(source_gateway, set_address(input, AT_IP_SOURCE, GATEWAY_ADDRESS))
EDIT(source_loopback, set_address(input, AT_IP_SOURCE, ADDRESS(127, 0, 0, 1)))
EDIT(source_zero, set_address(input, AT_IP_SOURCE, 0))
EDIT(source_endpoint, set_address(input, AT_IP_SOURCE, ENDPOINT_ADDRESS))
EDIT(source_broadcast, set_address(input, AT_IP_SOURCE, 0xffffffffu))
EDIT(source_guest, set_address(input, AT_IP_SOURCE, GUEST_ADDRESS))
EDIT(dhcp_discover, set_address(input, AT_IP_SOURCE, 0); set_address(input, AT_IP_DESTINATION, 0xffffffffu); put16(frame, AT_UDP_SOURCE, 68); put16(frame, AT_UDP_DESTINATION, 67))
EDIT(dhcp_broadcast, memset(frame->bytes, 0xff, 6); dhcp_discover(input))
EDIT(dhcp_offer, set_address(input, AT_IP_SOURCE, GATEWAY_ADDRESS); put16(frame, AT_UDP_SOURCE, 67); put16(frame, AT_UDP_DESTINATION, 68))
EDIT(tcp, protocol(input, 6))
EDIT(icmp, protocol(input, 1))
EDIT(icmp_to_previous, set_previous(input, -SECOND_NS); set_address(input, AT_IP_DESTINATION, PREVIOUS_ADDRESS); protocol(input, 1))
EDIT(icmp_elsewhere, set_address(input, AT_IP_DESTINATION, ADDRESS(100, 64, 0, 8)); protocol(input, 1))
EDIT(udplite, protocol(input, 136))
EDIT(sctp, protocol(input, 132))
EDIT(dccp, protocol(input, 33))
EDIT(gre, protocol(input, 47))
EDIT(esp, protocol(input, 50))
EDIT(ip_in_ip, protocol(input, 4))
EDIT(ip6_in_ip, protocol(input, 41))
EDIT(igmp, protocol(input, 2))
EDIT(protocol_zero, protocol(input, 0))
EDIT(protocol_255, protocol(input, 255))

/* UDP */
EDIT(udp_absent, frame->length = 34; set16(input, AT_IP_TOTAL, 20))
EDIT(udp_header_cut, frame->length = 41; set16(input, AT_IP_TOTAL, 27))
EDIT(udp_header_in_padding, set16(input, AT_IP_TOTAL, 27))
EDIT(udp_length_0, put16(frame, AT_UDP_LENGTH, 0))
EDIT(udp_length_7, put16(frame, AT_UDP_LENGTH, 7))
EDIT(udp_length_shorter, put16(frame, AT_UDP_LENGTH, 8 + 147))
EDIT(udp_length_longer, put16(frame, AT_UDP_LENGTH, 8 + 149))
EDIT(udp_length_65535, put16(frame, AT_UDP_LENGTH, 65535))
EDIT(udp_length_reaches_padding, frame_pad(frame, 4, 0); put16(frame, AT_UDP_LENGTH, 8 + 152))
EDIT(offload_to_address, input->pending_checksum_offset = AT_IP_DESTINATION)
EDIT(offload_to_port, input->pending_checksum_offset = AT_UDP_DESTINATION)
EDIT(offload_to_length, input->pending_checksum_offset = AT_UDP_LENGTH)
EDIT(offload_to_payload, input->pending_checksum_offset = AT_PAYLOAD)
EDIT(offload_next_to_checksum, input->pending_checksum_offset = AT_UDP_CHECKSUM + 1)
EDIT(offload_far, message(input, 'x', 1000); input->pending_checksum_offset = 900)
EDIT(super_frame, message(input, 'x', 2900); cut_into(input, 1400))
EDIT(super_frame_tcp, message(input, 'x', 2900); cut_into(input, 1400); input->super_frame = VMN_SUPER_OTHER; protocol(input, 6))
EDIT(super_frame_even, message(input, 'x', 2800); cut_into(input, 1400))
EDIT(super_frame_one, message(input, 'x', 100); cut_into(input, 1400))
EDIT(super_frame_one_byte_each, message(input, 'x', 128); cut_into(input, 1))
EDIT(super_frame_129, message(input, 'x', 129); cut_into(input, 1))
EDIT(super_frame_no_payload, message(input, 'x', 0); cut_into(input, 1400))
EDIT(super_frame_no_size, message(input, 'x', 2900); cut_into(input, 0))
EDIT(super_frame_padded, message(input, 'x', 2900); frame_pad(frame, 6, 0); cut_into(input, 1400))
EDIT(super_frame_other, message(input, 'x', 2900); cut_into(input, 1400); input->super_frame = VMN_SUPER_OTHER)
EDIT(super_frame_port, talk_to(input, ENDPOINT_ADDRESS, ENDPOINT_PORT + 1); cut_into(input, 100))
EDIT(super_frame_offload, message(input, 'x', 2900); cut_into(input, 1400); input->pending_checksum_offset = AT_UDP_DESTINATION)
EDIT(super_frame_fits, message(input, 'x', 2900); cut_into(input, 1472); input->policy.max_packet_bytes = 1500)
EDIT(super_frame_too_big, message(input, 'x', 2900); cut_into(input, 1473); input->policy.max_packet_bytes = 1500)
EDIT(strict_super_frame, strict_messages(input, 1440, 2))
EDIT(strict_super_frame_shorter_end, strict_messages(input, 1440, 1); append_message(input, 4, 32))
EDIT(strict_super_frame_many, strict_messages(input, 64, 128))
EDIT(strict_super_frame_first, strict_messages(input, 1440, 2); frame->bytes[AT_PAYLOAD] = 9)
EDIT(strict_super_frame_second, strict_messages(input, 1440, 2); frame->bytes[AT_PAYLOAD + 1440] = 'x')
EDIT(strict_super_frame_reserved, strict_messages(input, 64, 128); frame->bytes[AT_PAYLOAD + 64 * 127 + 3] = 1)
EDIT(strict_super_frame_odd_end, strict_messages(input, 1440, 1); append_message(input, 4, 33))
EDIT(strict_super_frame_scrap, strict_messages(input, 1440, 1); append_message(input, 4, 3))

/* Size */
EDIT(size_at_limit, message(input, 'x', 1472); input->policy.max_packet_bytes = 1500)
EDIT(size_over_limit, message(input, 'x', 1473); input->policy.max_packet_bytes = 1500)
EDIT(size_padding_is_free, message(input, 'x', 1472); frame_pad(frame, 4, 0); input->policy.max_packet_bytes = 1500)
EDIT(size_of_tcp, message(input, 'x', 1473); protocol(input, 6); input->policy.max_packet_bytes = 1500)
EDIT(size_before_address, talk_to(input, ADDRESS(8, 8, 8, 8), 53); input->policy.max_packet_bytes = 100)

/* Modes: a sampled policy draws all or nothing, so that no dice are in the verdict */
EDIT(conntrack_first, input->policy.mode = VMN_MODE_CONNTRACK; input->policy.generation = 1000)
EDIT(conntrack_wrong_port, conntrack_first(input); talk_to(input, ENDPOINT_ADDRESS, ENDPOINT_PORT + 1))
EDIT(conntrack_previous, conntrack_first(input); set_previous(input, 3600 * SECOND_NS); talk_to(input, PREVIOUS_ADDRESS, PREVIOUS_PORT))
EDIT(conntrack_strict, conntrack_first(input); input->policy.generation = 1001; strict_message(input, 'x', 5))
EDIT(unsampled, input->policy.mode = VMN_MODE_SAMPLED)
EDIT(unsampled_anywhere, unsampled(input); talk_to(input, ADDRESS(8, 8, 8, 8), 53))
EDIT(unsampled_tcp, unsampled(input); protocol(input, 6))
EDIT(unsampled_icmp, unsampled(input); protocol(input, 1))
EDIT(unsampled_bent_udp, unsampled(input); put16(frame, AT_UDP_LENGTH, 7))
EDIT(unsampled_spoofed, unsampled(input); set_address(input, direction_of(input) == FROM ? AT_IP_SOURCE : AT_IP_DESTINATION, ADDRESS(100, 64, 0, 8)))
EDIT(unsampled_mac, unsampled(input); frame->bytes[11] ^= 1)
EDIT(unsampled_fragment, unsampled(input); set16(input, AT_IP_FRAGMENT, 0x2000))
EDIT(unsampled_options, unsampled(input); frame_push_options(frame, 1))
EDIT(unsampled_ipv6, unsampled(input); ethertype(input, 0x86dd))
EDIT(unsampled_too_big, unsampled(input); size_over_limit(input))
EDIT(unsampled_tcp_offload, unsampled(input); message(input, 'x', 100); protocol(input, 6); input->pending_checksum_offset = AT_IP + 20 + 16)
EDIT(unsampled_offload_elsewhere, unsampled(input); input->pending_checksum_offset = AT_IP_SOURCE)
EDIT(unsampled_tcp_offload_elsewhere, unsampled(input); message(input, 'x', 100); protocol(input, 6); input->pending_checksum_offset = AT_IP_SOURCE)
EDIT(unsampled_quarantined, unsampled(input); input->policy.flags = VMN_POLICY_QUARANTINED)
EDIT(unsampled_super_frame, unsampled(input); super_frame_other(input))
EDIT(unsampled_super_frame_too_big, unsampled(input); super_frame_too_big(input))
EDIT(unsampled_super_frame_udp, unsampled(input); super_frame(input))
EDIT(tcp_super_frame, message(input, 'x', 2900); protocol(input, 6); frame->bytes[AT_IP + 32] = 0x50; cut_into(input, 1000);
	input->super_frame = VMN_SUPER_TCP; input->pending_checksum_offset = AT_IP + 36; input->policy.max_packet_bytes = 1500)
EDIT(unsampled_tcp_super_frame, unsampled(input); tcp_super_frame(input))
EDIT(unsampled_tcp_super_frame_fits, unsampled(input); tcp_super_frame(input); input->segment_bytes = 1460)
EDIT(unsampled_tcp_super_frame_too_big, unsampled(input); tcp_super_frame(input); input->segment_bytes = 1461)
EDIT(unsampled_tcp_super_frame_short_header, unsampled(input); tcp_super_frame(input); frame->bytes[AT_IP + 32] = 0x40)
EDIT(unsampled_tcp_super_frame_of_udp, unsampled(input); super_frame(input); input->super_frame = VMN_SUPER_TCP)
EDIT(sampled, unsampled(input); input->policy.sample_per_million = VMN_MILLION)
EDIT(sampled_anywhere, sampled(input); talk_to(input, ADDRESS(8, 8, 8, 8), 53))
EDIT(sampled_tcp, sampled(input); protocol(input, 6))
EDIT(mode_next, input->policy.mode = VMN_MODE_DIRECT + 1)

/* Direct */
EDIT(direct, policy_direct(&input->policy))
EDIT(direct_anywhere, direct(input); talk_to(input, ADDRESS(8, 8, 8, 8), 53))
EDIT(direct_tcp, direct(input); protocol(input, 6))
EDIT(direct_icmp, direct(input); protocol(input, 1))
EDIT(direct_port_zero, direct(input); talk_to(input, ADDRESS(8, 8, 8, 8), 0))
EDIT(direct_lowest_denied, direct(input); talk_to(input, 0, 53))
EDIT(direct_before, direct(input); talk_to(input, ADDRESS(9, 255, 255, 255), 53))
EDIT(direct_first, direct(input); talk_to(input, ADDRESS(10, 0, 0, 0), 53))
EDIT(direct_last, direct(input); talk_to(input, ADDRESS(10, 255, 255, 255), 53))
EDIT(direct_behind, direct(input); talk_to(input, ADDRESS(11, 0, 0, 0), 53))
EDIT(direct_one_address, direct(input); talk_to(input, ADDRESS(192, 0, 2, 7), 53))
EDIT(direct_beside_it, direct(input); talk_to(input, ADDRESS(192, 0, 2, 8), 53))
EDIT(direct_swapped, direct(input); talk_to(input, ADDRESS(8, 0, 0, 10), 53))
EDIT(direct_metadata, direct(input); talk_to(input, ADDRESS(169, 254, 169, 254), 80))
EDIT(direct_other_vm, direct(input); talk_to(input, ADDRESS(100, 64, 0, 8), 53))
EDIT(direct_tcp_other_vm, direct_other_vm(input); protocol(input, 6))
EDIT(direct_multicast, direct(input); talk_to(input, ADDRESS(224, 0, 0, 251), 5353))
EDIT(direct_broadcast, direct(input); talk_to(input, 0xffffffffu, 67))
EDIT(direct_of_nothing, direct(input); input->policy.denied_count = 0)
EDIT(direct_of_too_much, direct(input); input->policy.denied_count = VMN_DENIED_MAX + 1)
EDIT(direct_of_most, direct_anywhere(input); direct_full(input))
EDIT(direct_of_most_last, direct(input); direct_full(input); talk_to(input, ADDRESS(223, 0, 0, 1), 53))
EDIT(direct_audit, direct_anywhere(input); input->policy.flags = VMN_POLICY_AUDIT)
EDIT(direct_quarantined, direct_anywhere(input); input->policy.flags = VMN_POLICY_QUARANTINED)
EDIT(direct_spoofed, direct_anywhere(input); set_address(input, direction_of(input) == FROM ? AT_IP_SOURCE : AT_IP_DESTINATION, ADDRESS(100, 64, 0, 8)))
EDIT(direct_mac, direct_anywhere(input); frame->bytes[11] ^= 1)
EDIT(direct_fragment, direct_anywhere(input); set16(input, AT_IP_FRAGMENT, 0x2000))
EDIT(direct_options, direct_anywhere(input); frame_push_options(frame, 1))
EDIT(direct_ipv6, direct_anywhere(input); ethertype(input, 0x86dd))
EDIT(direct_too_big, direct(input); size_over_limit(input))
EDIT(direct_offload_elsewhere, direct_anywhere(input); input->pending_checksum_offset = AT_IP_SOURCE)
EDIT(direct_super_frame, direct(input); super_frame(input))
EDIT(direct_super_frame_other, direct(input); super_frame_other(input))
EDIT(direct_tcp_super_frame, direct(input); tcp_super_frame(input))

/* Audit */
EDIT(audit_nothing_wrong, input->policy.flags = VMN_POLICY_AUDIT)
EDIT(audit_port, audit_nothing_wrong(input); talk_to(input, ENDPOINT_ADDRESS, ENDPOINT_PORT + 1))
EDIT(audit_tcp, audit_nothing_wrong(input); protocol(input, 6))
EDIT(audit_strict, audit_nothing_wrong(input); strict_message(input, 'x', 9))
EDIT(audit_quarantined, input->policy.flags = VMN_POLICY_AUDIT | VMN_POLICY_QUARANTINED)
EDIT(audit_spoofed, audit_nothing_wrong(input); set_address(input, direction_of(input) == FROM ? AT_IP_SOURCE : AT_IP_DESTINATION, ADDRESS(100, 64, 0, 8)))
EDIT(audit_mac, audit_nothing_wrong(input); frame->bytes[11] ^= 1)
EDIT(audit_fragment, audit_nothing_wrong(input); set16(input, AT_IP_FRAGMENT, 0x2000))
EDIT(audit_ipv6, audit_nothing_wrong(input); ethertype(input, 0x86dd))
EDIT(audit_super_frame, audit_nothing_wrong(input); super_frame_other(input))
EDIT(audit_super_frame_too_big, audit_nothing_wrong(input); super_frame_too_big(input))
EDIT(audit_tcp_super_frame, audit_nothing_wrong(input); tcp_super_frame(input))
EDIT(audit_offload, audit_nothing_wrong(input); input->pending_checksum_offset = AT_UDP_DESTINATION)

/* The far side */
EDIT(internet, talk_to(input, ADDRESS(8, 8, 8, 8), ENDPOINT_PORT))
EDIT(dns, talk_to(input, ADDRESS(8, 8, 8, 8), 53))
EDIT(metadata_server, talk_to(input, ADDRESS(169, 254, 169, 254), ENDPOINT_PORT))
EDIT(the_gateway, talk_to(input, GATEWAY_ADDRESS, ENDPOINT_PORT))
EDIT(other_vm, talk_to(input, ADDRESS(100, 64, 0, 8), ENDPOINT_PORT))
EDIT(loopback, talk_to(input, ADDRESS(127, 0, 0, 1), ENDPOINT_PORT))
EDIT(itself, talk_to(input, GUEST_ADDRESS, ENDPOINT_PORT))
EDIT(multicast_address, talk_to(input, ADDRESS(224, 0, 0, 251), ENDPOINT_PORT))
EDIT(broadcast_address, talk_to(input, 0xffffffffu, ENDPOINT_PORT))
EDIT(address_off_by_one, talk_to(input, ADDRESS(203, 0, 113, 11), ENDPOINT_PORT))
EDIT(address_swapped, talk_to(input, ADDRESS(10, 113, 0, 203), ENDPOINT_PORT))
EDIT(port_off_by_one, talk_to(input, ENDPOINT_ADDRESS, ENDPOINT_PORT + 1))
EDIT(port_swapped, talk_to(input, ENDPOINT_ADDRESS, (ENDPOINT_PORT & 0xff) << 8 | ENDPOINT_PORT >> 8))
EDIT(port_zero, talk_to(input, ENDPOINT_ADDRESS, 0))
EDIT(ports_exchanged, put16(frame, AT_UDP_SOURCE, get16(frame, AT_UDP_DESTINATION)); put16(frame, AT_UDP_DESTINATION, GUEST_PORT))
EDIT(previous_expired, set_previous(input, -SECOND_NS); talk_to(input, PREVIOUS_ADDRESS, PREVIOUS_PORT))
EDIT(previous_never_alive, set_previous(input, 0); talk_to(input, PREVIOUS_ADDRESS, PREVIOUS_PORT))
EDIT(previous_wrong_port, set_previous(input, 3600 * SECOND_NS); talk_to(input, PREVIOUS_ADDRESS, ENDPOINT_PORT))
EDIT(previous_mixed, set_previous(input, 3600 * SECOND_NS); talk_to(input, ENDPOINT_ADDRESS, PREVIOUS_PORT))
EDIT(source_port_zero, put16(frame, AT_UDP_SOURCE, 0))
EDIT(destination_port_zero, put16(frame, AT_UDP_DESTINATION, 0))
EDIT(destination_other_vm, set_address(input, AT_IP_DESTINATION, ADDRESS(100, 64, 0, 8)))
EDIT(destination_broadcast, set_address(input, AT_IP_DESTINATION, 0xffffffffu))

/* Strict */
EDIT(strict_plain, strict_message(input, 'x', 148))
EDIT(strict_type_0, strict_message(input, 0, 148))
EDIT(strict_type_5, strict_message(input, 5, 148))
EDIT(strict_reserved, strict_message(input, 1, 148); frame->bytes[AT_PAYLOAD + 3] = 1)
EDIT(strict_reserved_first, strict_message(input, 4, 32); frame->bytes[AT_PAYLOAD + 1] = 0x80)
EDIT(strict_initiation_147, strict_message(input, 1, 147))
EDIT(strict_initiation_149, strict_message(input, 1, 149))
EDIT(strict_response_148, strict_message(input, 2, 148))
EDIT(strict_cookie_92, strict_message(input, 3, 92))
EDIT(strict_data_16, strict_message(input, 4, 16))
EDIT(strict_data_33, strict_message(input, 4, 33))
EDIT(strict_data_607, strict_message(input, 4, 607))
EDIT(strict_empty, strict_message(input, 0, 0))
EDIT(strict_one_byte, strict_message(input, 4, 1))
EDIT(strict_three_bytes, strict_message(input, 4, 3); frame_pad(frame, 15, 0))
EDIT(strict_dns, strict_message(input, 0x12, 40))

#define CASE(direction, reason, venues, name, edit) {name, direction, VMN_REASON_##reason, venues, edit}
#define BOTH(reason, venues, name, edit) CASE(FROM, reason, venues, name, edit), CASE(TO, reason, venues, name, edit)

const struct test_case CASES[] = {
	BOTH(ALLOWED, EVERYWHERE, "[AL-2] the endpoint itself", nothing),
	BOTH(ALLOWED, EVERYWHERE, "[AL-2] any payload when not strict", plain_payload),
	BOTH(ALLOWED, EVERYWHERE, "[AL-2] empty payload", empty_payload),
	BOTH(ALLOWED, EVERYWHERE, "[SB-5] full size", full_size),
	BOTH(ALLOWED, EVERYWHERE, "[SB-5] jumbo frame to the endpoint", jumbo),
	BOTH(ALLOWED, EVERYWHERE, "[IP-3] Ethernet padding", padded),
	BOTH(ALLOWED, EVERYWHERE, "[IP-4] UDP checksum zero", udp_checksum_zero),
	BOTH(ALLOWED, EVERYWHERE, "[IP-4] UDP checksum is the receiver's business", udp_checksum_wrong),
	BOTH(ALLOWED, EVERYWHERE, "[IP-1] last hop", ttl_one),
	BOTH(ALLOWED, EVERYWHERE, "[IP-5] datagram that may be fragmented later", may_fragment),
	BOTH(ALLOWED, EVERYWHERE, "[IP-1] traffic class and congestion bits", congestion_marks),
	BOTH(ALLOWED, EVERYWHERE, "[SB-8] strict: initiation", strict_initiation),
	BOTH(ALLOWED, EVERYWHERE, "[SB-8] strict: response", strict_response),
	BOTH(ALLOWED, EVERYWHERE, "[SB-8] strict: cookie", strict_cookie),
	BOTH(ALLOWED, EVERYWHERE, "[SB-8] strict: keepalive", strict_keepalive),
	BOTH(ALLOWED, EVERYWHERE, "[SB-8] strict: data", strict_data),
	BOTH(ALLOWED, EVERYWHERE, "[SB-8] strict: a full packet of a tunnel with MTU 1420", strict_full_packet),
	BOTH(ALLOWED, EVERYWHERE, "[SB-8] strict: a full packet of the smallest tunnel and a byte", strict_odd_at_least),
	BOTH(ALLOWED, OFFLOADED, "[SB-5] UDP checksum left to the host", offload_udp_checksum),
	BOTH(ALLOWED_PREVIOUS, EVERYWHERE, "[AL-2] previous endpoint within its grace", previous_alive),
	BOTH(ALLOWED, EVERYWHERE, "[AL-2] current endpoint beside a previous one", current_beside_previous),
	BOTH(ALLOWED, EVERYWHERE, "[AL-2] previous endpoint is the current one", previous_is_current),
	CASE(FROM, ARP_ANSWERED, EVERYWHERE, "[SB-1] request for the gateway", arp_request),
	CASE(FROM, ARP_ANSWERED, EVERYWHERE, "[SB-1] unicast request for the gateway", arp_request_unicast),
	CASE(FROM, ARP_ANSWERED, EVERYWHERE, "[SB-1] unpadded request for the gateway", arp_request_unpadded),
	CASE(FROM, ARP_ANSWERED, EVERYWHERE, "[SB-1] request with a long tail", arp_request_long),
	CASE(FROM, ARP_ANSWERED, EVERYWHERE, "[SB-1] request with a target MAC", arp_request_target_mac),
	CASE(TO, ARP_ANSWERED, EVERYWHERE, "[SB-1] our own answer", own_answer),

	BOTH(NO_POLICY, EVERYWHERE, "[AL-1] no policy", no_policy),
	CASE(FROM, NO_POLICY, EVERYWHERE, "[AL-1] no policy, ARP", no_policy_arp),
	CASE(TO, NO_POLICY, EVERYWHERE, "[AL-1] no policy, our own answer", no_policy_own_answer),
	BOTH(POLICY_ABI, EVERYWHERE, "[AL-1] policy of zeros", abi_zero),
	BOTH(POLICY_ABI, EVERYWHERE, "[AL-1] policy of another ABI", abi_next),
	BOTH(POLICY_ABI, EVERYWHERE, "[AL-1] mode not known", mode_unknown),
	BOTH(POLICY_ABI, EVERYWHERE, "[AL-1] mode not known yet", mode_next),
	BOTH(POLICY_ABI, EVERYWHERE, "[AL-1] flag not known", flag_unknown),
	BOTH(QUARANTINED, EVERYWHERE, "[AL-1] quarantined", quarantined),
	CASE(FROM, QUARANTINED, EVERYWHERE, "[AL-1] quarantined, ARP", quarantined_arp),
	CASE(TO, QUARANTINED, EVERYWHERE, "[AL-1] quarantined, our own answer", quarantined_own_answer),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-1] endpoint of zeros", endpoint_zero),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[AL-1] endpoint of zeros", endpoint_zero),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-1] endpoint of zeros, spoken to", endpoint_zero_spoken_to),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[AL-1] endpoint of zeros, speaking", endpoint_zero_spoken_to),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-1] previous endpoint without address", previous_zero_spoken_to),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[AL-1] previous endpoint without address", previous_zero_spoken_to),

	BOTH(FRAME_TOO_SHORT, NEVER_A_FRAME, "[EF-2] no bytes at all", bytes_0),
	BOTH(FRAME_TOO_SHORT, NEVER_A_FRAME, "[EF-2] 13 bytes", bytes_13),
	BOTH(FRAME_TOO_SHORT, EVERYWHERE, "[EF-3] Ethernet header and nothing else", bytes_14),
	BOTH(FRAME_TOO_SHORT, EVERYWHERE, "[IP-3] IPv4 header one byte short", bytes_33),
	BOTH(SOURCE_MAC, EVERYWHERE, "[SB-1] spoofed source MAC, last bit", source_mac_off_by_one),
	BOTH(SOURCE_MAC, EVERYWHERE, "[SB-1] spoofed source MAC, first byte", source_mac_first_byte),
	BOTH(SOURCE_MAC, EVERYWHERE, "[SB-1] group source MAC", source_mac_group),
	CASE(FROM, SOURCE_MAC, EVERYWHERE, "[SB-1] the gateway's MAC as source", source_mac_gateway),
	CASE(TO, SOURCE_MAC, EVERYWHERE, "[SB-10] the guest's own MAC as source", source_mac_guest),
	CASE(TO, SOURCE_MAC, EVERYWHERE, "[SB-10] bridged from another host interface", source_mac_host),
	CASE(FROM, SOURCE_MAC, EVERYWHERE, "[SB-1] ARP from a spoofed MAC", arp_source_mac),
	BOTH(DESTINATION_MAC, EVERYWHERE, "[SB-4] MAC of another machine", destination_mac_other),
	BOTH(DESTINATION_MAC, EVERYWHERE, "[SB-4] MAC of zeros", destination_mac_zero),
	CASE(FROM, DESTINATION_MAC, EVERYWHERE, "[SB-1] ARP to another machine", arp_destination_mac_other),
	BOTH(GROUP_MAC, EVERYWHERE, "[SB-7] IPv4 to the broadcast MAC", broadcast_ipv4),
	BOTH(GROUP_MAC, EVERYWHERE, "[SB-7] multicast", multicast_ipv4),
	BOTH(GROUP_MAC, EVERYWHERE, "[SB-7] pinned MAC with the group bit", gateway_mac_group_bit),
	CASE(FROM, GROUP_MAC, EVERYWHERE, "[SB-7] ARP to a multicast MAC", multicast_arp),
	CASE(FROM, GROUP_MAC, EVERYWHERE, "[SB-7] DHCP to the broadcast MAC", dhcp_broadcast),
	BOTH(GROUP_MAC, EVERYWHERE, "[SB-6] IPv6 to the broadcast MAC", broadcast_ipv6),
	BOTH(GROUP_MAC, EVERYWHERE, "[SB-6] neighbour discovery", neighbour_discovery),
	BOTH(GROUP_MAC, EVERYWHERE, "[SB-4] LLDP", lldp),
	BOTH(GROUP_MAC, EVERYWHERE, "[SB-4] spanning tree", spanning_tree),
	BOTH(VLAN, EVERYWHERE, "[EF-5] [SB-4] 802.1Q tag", vlan_tag),
	BOTH(VLAN, EVERYWHERE, "[EF-5] [SB-4] priority tag", vlan_priority_tag),
	BOTH(VLAN, EVERYWHERE, "[EF-5] [SB-4] 802.1ad tag", qinq_tag),
	BOTH(VLAN, EVERYWHERE, "[EF-5] [SB-4] two tags", double_tag),
	BOTH(VLAN, EVERYWHERE, "[EF-5] [SB-4] QinQ tag of before 802.1ad", legacy_tag),
	BOTH(VLAN, NOT_ON_TAP, "[SB-4] tag beside the frame", tag_in_metadata),
	CASE(FROM, VLAN, NOT_ON_TAP, "[SB-4] ARP with a tag beside the frame", arp_tag_in_metadata),
	CASE(FROM, VLAN, EVERYWHERE, "[SB-4] tagged ARP", tagged_unicast_arp),
	BOTH(ETHERTYPE, EVERYWHERE, "[EF-5] [SB-4] unknown EtherType", ethertype_unknown),
	BOTH(ETHERTYPE, EVERYWHERE, "[SB-4] LLDP to a unicast MAC", ethertype_lldp_unicast),
	BOTH(ETHERTYPE, EVERYWHERE, "[SB-4] MPLS", ethertype_mpls),
	BOTH(ETHERTYPE, EVERYWHERE, "[SB-4] PPPoE", ethertype_pppoe),
	CASE(FROM, ETHERTYPE, EVERYWHERE, "[SB-4] RARP", ethertype_rarp),
	BOTH(ETHERTYPE, EVERYWHERE, "[SB-4] EtherType zero", ethertype_zero),
	BOTH(ETHERTYPE, EVERYWHERE, "[SB-4] 802.3 length", length_field),
	BOTH(ETHERTYPE, EVERYWHERE, "[SB-4] 802.3 length, greatest", length_field_1535),
	BOTH(ETHERTYPE, EVERYWHERE, "[SB-4] IPv4 in 802.3 LLC/SNAP", snap_ipv4),
	BOTH(IPV6, EVERYWHERE, "[SB-6] IPv6", ipv6),
	BOTH(IPV6, EVERYWHERE, "[SB-6] IPv6 EtherType around IPv4", ipv6_around_ipv4),

	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP one byte short", arp_short),
	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP hardware type", arp_hardware),
	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP protocol type", arp_protocol),
	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP hardware address length", arp_hardware_bytes),
	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP protocol address length", arp_protocol_bytes),
	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP operation zero", arp_operation_zero),
	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP operation of RARP", arp_operation_rarp),
	CASE(FROM, ARP_MALFORMED, EVERYWHERE, "[SB-1] ARP operation, high byte", arp_operation_high_byte),
	CASE(FROM, ARP_MALFORMED, OFFLOADED, "[SB-5] ARP with checksum offload", arp_offloaded),
	CASE(FROM, ARP_MALFORMED, NOT_ON_TAP, "[SB-5] ARP as super-frame", arp_super_frame),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] ARP sender MAC spoofed", arp_sender_mac),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] ARP with the gateway's MAC as sender", arp_sender_gateway_mac),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] ARP sender address spoofed", arp_sender_address),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] ARP with the gateway's address as sender", arp_sender_gateway),
	CASE(FROM, ARP_NOT_GATEWAY, EVERYWHERE, "[SB-1] ARP probe", arp_probe),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] ARP probe in another's MAC", arp_probe_spoofed),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] ARP reply of nobody", arp_reply_of_nobody),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] ARP reply in the gateway's name", arp_reply_as_gateway),
	CASE(FROM, ARP_SPOOFED, EVERYWHERE, "[SB-1] gratuitous ARP for the gateway", arp_gratuitous_gateway),
	CASE(FROM, ARP_NOT_GATEWAY, EVERYWHERE, "[SB-1] gratuitous ARP", arp_gratuitous),
	CASE(FROM, ARP_NOT_GATEWAY, EVERYWHERE, "[SB-1] gratuitous ARP reply", arp_gratuitous_reply),
	CASE(FROM, ARP_NOT_GATEWAY, EVERYWHERE, "[SB-1] ARP reply nobody asked for", arp_reply_to_gateway),
	CASE(FROM, ARP_NOT_GATEWAY, EVERYWHERE, "[SB-1] ARP for another VM", arp_other_vm),
	CASE(FROM, ARP_NOT_GATEWAY, EVERYWHERE, "[SB-1] ARP for the endpoint", arp_endpoint),
	CASE(FROM, ARP_NOT_GATEWAY, EVERYWHERE, "[SB-1] ARP for the metadata server", arp_metadata_server),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] answer without our mark", answer_unmarked),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer, padded", answer_padded),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer, short", answer_short),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked request", answer_operation),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer of another format", answer_format),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer, sender MAC", answer_sender_mac),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer, sender address", answer_sender),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer, target MAC", answer_target_mac),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer, target address", answer_target),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] marked answer to everybody", answer_broadcast),
	CASE(TO, ARP_FROM_HOST, NOT_ON_TAP, "[SB-10] marked answer as super-frame", answer_super_frame),
	CASE(TO, ARP_FROM_HOST, OFFLOADED, "[SB-10] marked answer with checksum offload", answer_offloaded),
	CASE(TO, ARP_FROM_HOST, EVERYWHERE, "[SB-10] the host asks who has the guest", host_request),

	BOTH(IP_VERSION, EVERYWHERE, "[IP-3] version 6 in an IPv4 frame", version_6_in_ipv4),
	BOTH(IP_VERSION, EVERYWHERE, "[IP-3] version 0", version_0),
	BOTH(IP_HEADER_LENGTH, EVERYWHERE, "[IP-3] header length 0", header_length_0),
	BOTH(IP_HEADER_LENGTH, EVERYWHERE, "[IP-3] header length 16", header_length_4),
	BOTH(IP_HEADER_LENGTH, EVERYWHERE, "[IP-3] header of 60 past the frame", header_past_frame),
	BOTH(IP_HEADER_LENGTH, EVERYWHERE, "[IP-3] header of 24 past the frame", header_6_past_frame),
	BOTH(IP_OPTIONS, EVERYWHERE, "[SB-3] one word of options", options_one_word),
	BOTH(IP_OPTIONS, EVERYWHERE, "[SB-3] ten words of options", options_all),
	BOTH(IP_OPTIONS, EVERYWHERE, "[SB-3] loose source route", options_source_route),
	BOTH(IP_OPTIONS, EVERYWHERE, "[SB-3] record route", options_record_route),
	BOTH(IP_OPTIONS, EVERYWHERE, "[SB-3] options before a bad total length", options_bad_total),
	BOTH(IP_TOTAL_LENGTH, EVERYWHERE, "[IP-3] total length 0", total_0),
	BOTH(IP_TOTAL_LENGTH, EVERYWHERE, "[IP-3] total length 19", total_19),
	BOTH(IP_TOTAL_LENGTH, EVERYWHERE, "[IP-3] total length one past the frame", total_one_past),
	BOTH(IP_TOTAL_LENGTH, EVERYWHERE, "[IP-3] total length 65535", total_65535),
	BOTH(IP_TOTAL_LENGTH, EVERYWHERE, "[IP-3] frame cut by one byte", cut_by_one),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] first fragment", first_fragment),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] tiny first fragment", first_fragment_tiny),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] middle fragment", middle_fragment),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] last fragment", last_fragment),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] overlapping fragment", overlapping_fragment),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] fragment that must not be fragmented", fragment_dont_fragment),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] greatest fragment offset", fragment_offset_max),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] the bit that must be zero", evil_bit),
	BOTH(IP_CHECKSUM, EVERYWHERE, "[IP-3] header checksum off by one", checksum_off_by_one),
	BOTH(IP_CHECKSUM, EVERYWHERE, "[IP-3] header checksum zero", checksum_zero),
	BOTH(IP_CHECKSUM, EVERYWHERE, "[IP-3] header checksum all ones", checksum_negative_zero),
	BOTH(IP_TTL, EVERYWHERE, "[IP-3] time to live 0", ttl_zero),

	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-1] another VM's address as source", source_other_vm),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-1] the gateway's address as source", source_gateway),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-1] loopback as source", source_loopback),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-1] no source address", source_zero),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-1] the endpoint as source", source_endpoint),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-1] broadcast as source", source_broadcast),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-7] DHCP to the gateway's MAC", dhcp_discover),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[SB-7] DHCP offer from the host", dhcp_offer),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[SB-10] the guest's own address as source", source_guest),
	BOTH(PROTOCOL, EVERYWHERE, "[AL-2] [SB-7] TCP with the endpoint's port", tcp),
	CASE(FROM, ICMP_TO_ENDPOINT, EVERYWHERE, "[SB-7] ICMP to the endpoint", icmp),
	CASE(FROM, ICMP_TO_ENDPOINT, EVERYWHERE, "[SB-7] ICMP to the previous endpoint", icmp_to_previous),
	CASE(FROM, PROTOCOL, EVERYWHERE, "[SB-7] ICMP to somebody else", icmp_elsewhere),
	CASE(TO, PROTOCOL, EVERYWHERE, "[SB-7] ICMP from the endpoint", icmp),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] UDP-Lite", udplite),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] SCTP", sctp),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] DCCP", dccp),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] GRE", gre),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] ESP", esp),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] IP in IP", ip_in_ip),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-6] IPv6 in IPv4", ip6_in_ip),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] IGMP", igmp),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] protocol 0", protocol_zero),
	BOTH(PROTOCOL, EVERYWHERE, "[SB-7] protocol 255", protocol_255),

	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] no UDP header", udp_absent),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP header cut", udp_header_cut),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP header ends in the padding", udp_header_in_padding),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP length 0", udp_length_0),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP length 7", udp_length_7),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP length shorter than the packet", udp_length_shorter),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP length past the packet", udp_length_longer),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP length 65535", udp_length_65535),
	BOTH(UDP_LENGTH, EVERYWHERE, "[IP-4] UDP length reaches into the padding", udp_length_reaches_padding),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[SB-5] the host shall write into the destination address", offload_to_address),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[SB-5] the host shall write into the destination port", offload_to_port),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[SB-5] the host shall write into the UDP length", offload_to_length),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[SB-5] the host shall write into the payload", offload_to_payload),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[SB-5] the host shall write one byte beside", offload_next_to_checksum),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[SB-5] the host shall write far into the frame", offload_far),
	BOTH(ALLOWED, OFFLOADED, "[SB-5] super-frame", super_frame),
	BOTH(ALLOWED, OFFLOADED, "[SB-5] super-frame of equal packets", super_frame_even),
	BOTH(ALLOWED, ON_HOST, "[SB-5] super-frame of one packet", super_frame_one),
	BOTH(ALLOWED, ON_HOST, "[SB-5] super-frame of 128 packets", super_frame_one_byte_each),
	BOTH(SUPER_FRAME, ON_HOST, "[SB-5] super-frame of 129 packets", super_frame_129),
	BOTH(SUPER_FRAME, ON_HOST, "[SB-5] super-frame with nothing to cut", super_frame_no_payload),
	BOTH(SUPER_FRAME, ON_HOST, "[SB-5] super-frame that is never cut", super_frame_no_size),
	BOTH(SUPER_FRAME, OFFLOADED, "[SB-5] super-frame whose padding would become a packet", super_frame_padded),
	BOTH(SUPER_FRAME, EVERYWHERE, "[SB-5] super-frame of another kind", super_frame_other),
	BOTH(PROTOCOL, NOT_ON_TAP, "[SB-5] super-frame of TCP", super_frame_tcp),
	CASE(FROM, DESTINATION_PORT, OFFLOADED, "[SB-5] super-frame to another port", super_frame_port),
	CASE(TO, SOURCE_PORT, OFFLOADED, "[SB-5] super-frame from another port", super_frame_port),
	BOTH(CHECKSUM_OFFLOAD, ON_HOST, "[SB-5] super-frame with a checksum elsewhere", super_frame_offload),
	BOTH(ALLOWED, OFFLOADED, "[SB-5] super-frame whose packets just fit", super_frame_fits),
	BOTH(PACKET_TOO_BIG, OFFLOADED, "[SB-5] super-frame whose packets are too big", super_frame_too_big),
	BOTH(ALLOWED, OFFLOADED, "[SB-5] strict: super-frame of data messages", strict_super_frame),
	BOTH(ALLOWED, OFFLOADED, "[SB-5] strict: super-frame with a shorter end", strict_super_frame_shorter_end),
	BOTH(ALLOWED, ON_HOST, "[SB-5] strict: super-frame of 128 data messages", strict_super_frame_many),
	BOTH(NOT_WIREGUARD, OFFLOADED, "[SB-5] strict: super-frame whose first packet is something else", strict_super_frame_first),
	BOTH(NOT_WIREGUARD, OFFLOADED, "[SB-5] strict: super-frame whose second packet is something else", strict_super_frame_second),
	BOTH(NOT_WIREGUARD, ON_HOST, "[SB-5] strict: super-frame whose 128th packet is something else", strict_super_frame_reserved),
	BOTH(NOT_WIREGUARD, OFFLOADED, "[SB-5] strict: super-frame with an odd end", strict_super_frame_odd_end),
	BOTH(NOT_WIREGUARD, OFFLOADED, "[SB-5] strict: super-frame that ends in a scrap", strict_super_frame_scrap),

	BOTH(ALLOWED, EVERYWHERE, "[SB-5] as big as it may be", size_at_limit),
	BOTH(PACKET_TOO_BIG, EVERYWHERE, "[SB-5] one byte too big", size_over_limit),
	BOTH(ALLOWED, EVERYWHERE, "[SB-5] padding does not count", size_padding_is_free),
	BOTH(PACKET_TOO_BIG, EVERYWHERE, "[SB-5] too big, and TCP", size_of_tcp),
	BOTH(PACKET_TOO_BIG, EVERYWHERE, "[SB-5] too big, and for somebody else", size_before_address),

	BOTH(ALLOWED, ON_HOST, "[FS-2] conntrack: the first frame of a flow", conntrack_first),
	CASE(FROM, DESTINATION_PORT, EVERYWHERE, "[FS-2] conntrack: a flow to another port", conntrack_wrong_port),
	CASE(TO, SOURCE_PORT, EVERYWHERE, "[FS-2] conntrack: a flow from another port", conntrack_wrong_port),
	BOTH(ALLOWED_PREVIOUS, EVERYWHERE, "[FS-2] conntrack: the previous endpoint", conntrack_previous),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[FS-2] conntrack: a flow that begins with something else", conntrack_strict),
	BOTH(ALLOWED_UNSAMPLED, EVERYWHERE, "[FS-3] not drawn", unsampled),
	BOTH(ALLOWED_UNSAMPLED, EVERYWHERE, "[FS-3] not drawn: DNS somewhere", unsampled_anywhere),
	BOTH(ALLOWED_UNSAMPLED, EVERYWHERE, "[FS-3] not drawn: TCP", unsampled_tcp),
	BOTH(ALLOWED_UNSAMPLED, EVERYWHERE, "[FS-3] not drawn: ICMP", unsampled_icmp),
	BOTH(ALLOWED_UNSAMPLED, EVERYWHERE, "[FS-3] not drawn: a bent UDP header", unsampled_bent_udp),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[FS-3] [SB-1] not drawn, and a spoofed source", unsampled_spoofed),
	CASE(TO, DESTINATION_ADDRESS, EVERYWHERE, "[FS-3] not drawn, and for another VM", unsampled_spoofed),
	BOTH(SOURCE_MAC, EVERYWHERE, "[FS-3] [SB-1] not drawn, and a spoofed MAC", unsampled_mac),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[FS-3] [SB-2] not drawn, and a fragment", unsampled_fragment),
	BOTH(IP_OPTIONS, EVERYWHERE, "[FS-3] [SB-3] not drawn, and options", unsampled_options),
	BOTH(IPV6, EVERYWHERE, "[FS-3] [SB-6] not drawn, and IPv6", unsampled_ipv6),
	BOTH(PACKET_TOO_BIG, EVERYWHERE, "[FS-3] [SB-5] not drawn, and too big", unsampled_too_big),
	BOTH(ALLOWED_UNSAMPLED, ON_HOST, "[FS-3] not drawn: TCP with its checksum pending", unsampled_tcp_offload),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[FS-3] [SB-5] not drawn, and the host shall write into its source", unsampled_offload_elsewhere),
	BOTH(PROTOCOL, OFFLOADED, "[FS-3] [SB-5] not drawn, TCP, and the host shall write into its source", unsampled_tcp_offload_elsewhere),
	BOTH(QUARANTINED, EVERYWHERE, "[FS-3] not drawn, and quarantined", unsampled_quarantined),
	BOTH(SUPER_FRAME, EVERYWHERE, "[FS-3] [SB-5] not drawn: a super-frame that becomes fragments", unsampled_super_frame),
	BOTH(PACKET_TOO_BIG, OFFLOADED, "[FS-3] [SB-5] not drawn: a super-frame of too big packets", unsampled_super_frame_too_big),
	BOTH(ALLOWED_UNSAMPLED, OFFLOADED, "[FS-3] not drawn: a super-frame of UDP", unsampled_super_frame_udp),
	BOTH(ALLOWED_UNSAMPLED, ON_HOST, "[FS-3] not drawn: a super-frame of TCP", unsampled_tcp_super_frame),
	BOTH(ALLOWED_UNSAMPLED, ON_HOST, "[FS-3] [SB-5] not drawn: a super-frame of TCP whose packets just fit", unsampled_tcp_super_frame_fits),
	BOTH(PROTOCOL, ON_HOST, "[FS-3] [SB-5] not drawn: a super-frame of TCP whose packets are too big", unsampled_tcp_super_frame_too_big),
	BOTH(PROTOCOL, ON_HOST, "[FS-3] [SB-5] not drawn: a super-frame of TCP without a TCP header", unsampled_tcp_super_frame_short_header),
	BOTH(SUPER_FRAME, ON_HOST, "[FS-3] [SB-5] not drawn: a super-frame of TCP that says UDP", unsampled_tcp_super_frame_of_udp),
	BOTH(ALLOWED, EVERYWHERE, "[FS-3] drawn", sampled),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[FS-3] drawn: DNS somewhere", sampled_anywhere),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[FS-3] drawn: DNS from somewhere", sampled_anywhere),
	BOTH(PROTOCOL, EVERYWHERE, "[FS-3] drawn: TCP", sampled_tcp),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: a datagram to anybody", direct_anywhere),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: TCP", direct_tcp),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: ICMP", direct_icmp),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: what stands in a datagram is nobody's business", direct_port_zero),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: the lowest denied address", direct_lowest_denied),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: the address before a denied network", direct_before),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: the first address of a denied network", direct_first),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: the last address of a denied network", direct_last),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: the address behind a denied network", direct_behind),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: a denied address", direct_one_address),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: an address beside it", direct_beside_it),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: a denied address in the other byte order", direct_swapped),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: metadata server", direct_metadata),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: another VM", direct_other_vm),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: TCP with another VM", direct_tcp_other_vm),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] [SB-7] direct: multicast address", direct_multicast),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] [SB-7] direct: broadcast address", direct_broadcast),
	BOTH(POLICY_ABI, EVERYWHERE, "[NM-1] direct: that denies nothing", direct_of_nothing),
	BOTH(POLICY_ABI, EVERYWHERE, "[NM-1] direct: that denies more than there is room for", direct_of_too_much),
	BOTH(ALLOWED_DIRECT, EVERYWHERE, "[NM-1] direct: beside as many denied addresses as there is room for", direct_of_most),
	BOTH(DENIED_NETWORK, EVERYWHERE, "[NM-1] direct: the last of as many denied addresses as there is room for", direct_of_most_last),
	BOTH(POLICY_ABI, EVERYWHERE, "[NM-1] direct: that only audits", direct_audit),
	BOTH(QUARANTINED, EVERYWHERE, "[NM-1] direct: quarantined", direct_quarantined),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[NM-1] [SB-1] direct: a spoofed source", direct_spoofed),
	CASE(TO, DESTINATION_ADDRESS, EVERYWHERE, "[NM-1] [SB-10] direct: for another VM", direct_spoofed),
	BOTH(SOURCE_MAC, EVERYWHERE, "[NM-1] [SB-1] direct: a spoofed MAC", direct_mac),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[NM-1] [SB-2] direct: a fragment", direct_fragment),
	BOTH(IP_OPTIONS, EVERYWHERE, "[NM-1] [SB-3] direct: options", direct_options),
	BOTH(IPV6, EVERYWHERE, "[NM-1] [SB-6] direct: IPv6", direct_ipv6),
	BOTH(PACKET_TOO_BIG, EVERYWHERE, "[NM-1] [SB-5] direct: too big", direct_too_big),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[NM-1] [SB-5] direct: the host shall write into its source", direct_offload_elsewhere),
	BOTH(ALLOWED_DIRECT, OFFLOADED, "[NM-1] direct: a super-frame of UDP", direct_super_frame),
	BOTH(SUPER_FRAME, EVERYWHERE, "[NM-1] [SB-5] direct: a super-frame that becomes fragments", direct_super_frame_other),
	BOTH(ALLOWED_DIRECT, ON_HOST, "[NM-1] direct: a super-frame of TCP", direct_tcp_super_frame),
	BOTH(ALLOWED, EVERYWHERE, "[EB-2] audit: nothing wrong", audit_nothing_wrong),
	CASE(FROM, DESTINATION_PORT, EVERYWHERE | AUDITED, "[EB-2] audit: another port", audit_port),
	CASE(TO, SOURCE_PORT, EVERYWHERE | AUDITED, "[EB-2] audit: another port", audit_port),
	BOTH(PROTOCOL, EVERYWHERE | AUDITED, "[EB-2] audit: TCP", audit_tcp),
	BOTH(NOT_WIREGUARD, EVERYWHERE | AUDITED, "[EB-2] audit: strict", audit_strict),
	BOTH(QUARANTINED, EVERYWHERE, "[EB-2] audit: quarantined all the same", audit_quarantined),
	CASE(FROM, SOURCE_ADDRESS, EVERYWHERE, "[SB-1] audit: a spoofed source", audit_spoofed),
	CASE(TO, DESTINATION_ADDRESS, EVERYWHERE, "[SB-10] audit: for another VM", audit_spoofed),
	BOTH(SOURCE_MAC, EVERYWHERE, "[SB-1] audit: a spoofed MAC", audit_mac),
	BOTH(IP_FRAGMENT, EVERYWHERE, "[SB-2] audit: a fragment", audit_fragment),
	BOTH(IPV6, EVERYWHERE, "[SB-6] audit: IPv6", audit_ipv6),
	BOTH(SUPER_FRAME, EVERYWHERE, "[SB-5] audit: a super-frame that becomes fragments", audit_super_frame),
	BOTH(PACKET_TOO_BIG, OFFLOADED, "[SB-5] audit: a super-frame of too big packets", audit_super_frame_too_big),
	BOTH(PROTOCOL, ON_HOST | AUDITED, "[SB-5] audit: a super-frame of TCP", audit_tcp_super_frame),
	BOTH(CHECKSUM_OFFLOAD, OFFLOADED, "[SB-5] audit: the host shall write into the destination port", audit_offload),

	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] right port, wrong address", internet),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[SB-7] DNS", dns),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] metadata server", metadata_server),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] the gateway itself", the_gateway),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] another VM", other_vm),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] loopback", loopback),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] itself", itself),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[SB-7] multicast address", multicast_address),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[SB-7] broadcast address", broadcast_address),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] address off by one", address_off_by_one),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] address in the other byte order", address_swapped),
	CASE(FROM, DESTINATION_PORT, EVERYWHERE, "[AL-2] right address, wrong port", port_off_by_one),
	CASE(FROM, DESTINATION_PORT, EVERYWHERE, "[AL-2] port in the other byte order", port_swapped),
	CASE(FROM, DESTINATION_PORT, EVERYWHERE, "[AL-2] port 0", port_zero),
	CASE(FROM, DESTINATION_PORT, EVERYWHERE, "[AL-2] source and destination port exchanged", ports_exchanged),
	BOTH(PREVIOUS_EXPIRED, EVERYWHERE, "[AL-2] previous endpoint after its grace", previous_expired),
	BOTH(PREVIOUS_EXPIRED, EVERYWHERE, "[AL-2] previous endpoint with no grace", previous_never_alive),
	CASE(FROM, DESTINATION_ADDRESS, EVERYWHERE, "[AL-2] previous address, current port", previous_wrong_port),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[AL-2] previous address, current port", previous_wrong_port),
	CASE(FROM, DESTINATION_PORT, EVERYWHERE, "[AL-2] current address, previous port", previous_mixed),
	CASE(TO, SOURCE_PORT, EVERYWHERE, "[AL-2] current address, previous port", previous_mixed),
	CASE(FROM, SOURCE_PORT, EVERYWHERE, "[AL-2] source port 0", source_port_zero),
	CASE(TO, SOURCE_PORT, EVERYWHERE, "[SB-10] the endpoint's source port is 0", source_port_zero),
	CASE(TO, DESTINATION_PORT, EVERYWHERE, "[SB-10] destination port 0", destination_port_zero),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[SB-10] from anywhere else", internet),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[SB-10] from the gateway", the_gateway),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[SB-10] from another VM", other_vm),
	CASE(TO, SOURCE_ADDRESS, EVERYWHERE, "[SB-10] from an address off by one", address_off_by_one),
	CASE(TO, SOURCE_PORT, EVERYWHERE, "[SB-10] from another port of the endpoint", port_off_by_one),
	CASE(TO, DESTINATION_ADDRESS, EVERYWHERE, "[SB-10] for another VM", destination_other_vm),
	CASE(TO, DESTINATION_ADDRESS, EVERYWHERE, "[SB-10] for everybody", destination_broadcast),

	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: anything", strict_plain),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: type 0", strict_type_0),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: type 5", strict_type_5),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: reserved byte, last", strict_reserved),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: reserved byte, first", strict_reserved_first),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: initiation of 147", strict_initiation_147),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: initiation of 149", strict_initiation_149),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: response of 148", strict_response_148),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: cookie of 92", strict_cookie_92),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: data of 16", strict_data_16),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: data of 33", strict_data_33),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: data of 607", strict_data_607),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: nothing", strict_empty),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: one byte", strict_one_byte),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: head ends in the padding", strict_three_bytes),
	BOTH(NOT_WIREGUARD, EVERYWHERE, "[SB-8] strict: DNS", strict_dns),
};
/* clang-format on */

const unsigned int CASE_COUNT = sizeof(CASES) / sizeof(CASES[0]);

void case_input(const struct test_case *test_case, struct input *input)
{
	memset(input, 0, sizeof(*input));
	input->policy = policy_plain();
	frame_handshake(&input->frame, &input->policy, test_case->direction);
	test_case->edit(input);
}

struct vmn_judgement input_judge_with(struct vmn_flows *flows, const struct input *input, int direction,
                                      uint64_t now_ns)
{
	const struct vmn_policy *policy = input->no_policy ? NULL : &input->policy;
	uint8_t *data = malloc(input->frame.length), *data_end = data + input->frame.length;
	struct vmn_whole_frame whole = {data, data_end};
	struct vmn_judgement judgement;
	struct vmn_meta meta;

	/* A block of exactly the frame's length: the sanitizer sees the first byte read past it. */
	memcpy(data, input->frame.bytes, input->frame.length);

	memset(&meta, 0, sizeof(meta));
	meta.now_ns = now_ns;
	meta.nonce = input->nonce;
	meta.frame_bytes = input->frame.length;
	meta.pending_checksum_offset = input->pending_checksum_offset;
	meta.vlan_in_metadata = input->vlan_in_metadata;
	meta.super_frame = input->super_frame;
	meta.segment_bytes = input->segment_bytes;
	meta.own_answer = input->own_answer;
	meta.flows = flows;
	meta.whole = &whole;
	/* What is recognised as plain is what the rules let pass as ALLOWED; they are asked without a flow table to fill. */
	if (vmn_is_plain(policy, &meta, (__u32)direction, data, data_end)) {
		meta.flows = NULL;
		judgement = vmn_judge_by_rules(policy, &meta, (__u32)direction, data, data_end);
		if (judgement.reason != VMN_REASON_ALLOWED || judgement.audited) {
			fprintf(stderr, "plain, and the rules say %s\n", reason_name(judgement.reason));
			abort();
		}
		meta.flows = flows;
	}
	judgement = vmn_judge(policy, &meta, (__u32)direction, data, data_end);
	free(data);
	return judgement;
}

enum vmn_reason input_judge(const struct input *input, int direction, uint64_t now_ns)
{
	return input_judge_with(NULL, input, direction, now_ns).reason;
}

const char *reason_name(unsigned int reason)
{
#define REASON_NAME(number, symbol, name) \
	case number:                          \
		return name;
	switch (reason) {
		VMN_REASONS(REASON_NAME)
	default:
		return "?";
	}
#undef REASON_NAME
}

void check_reason(unsigned int actual, enum vmn_reason expected)
{
	if (actual != expected)
		snprintf(check_failure, sizeof(check_failure), "judged %s, expected %s", reason_name(actual),
		         reason_name(expected));
}

void check_audited(bool actual, const struct test_case *test_case)
{
	if (actual != ((test_case->venues & AUDITED) != 0))
		snprintf(check_failure, sizeof(check_failure), actual ? "audited: it passes" : "not audited: it is dropped");
}
