// SPDX-License-Identifier: Apache-2.0
/* From bytes to fields. Frames are laid out so that the sanitizer sees the first byte read past their end. */
#include <stdlib.h>

#include "check.h"
#include "frames.h"
#include "tests.h"
#include "vmn/frame.h"

static const struct vmn_policy *policy(void)
{
	static struct vmn_policy plain;

	plain = policy_plain();
	return &plain;
}

/* Parses a copy that ends where its block of memory ends. Pointers in `parsed` are valid until the next call. */
static enum vmn_parse parse(const struct frame *frame, struct vmn_frame *parsed)
{
	static uint8_t *copy;

	free(copy);
	copy = malloc(frame->length);
	memcpy(copy, frame->bytes, frame->length);
	return vmn_parse_frame(copy, copy + frame->length, parsed);
}

static void udp(struct frame *frame)
{
	frame_udp(frame, policy(), VMN_DIRECTION_FROM_VM, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1, 148);
}

static void parses_ipv4_frame(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK(vmn_same_mac(parsed.ethernet.destination, policy()->gateway_mac));
	CHECK(vmn_same_mac(parsed.ethernet.source, policy()->guest_mac));
	CHECK_EQUAL(parsed.ethernet.ethertype, 0x0800);
	CHECK_EQUAL(parsed.ethernet.payload_offset, 14);
	CHECK_EQUAL(parsed.tag_count, 0);
	CHECK(parsed.has_ipv4 && !parsed.has_arp);
}

/* The parser hands out pointers into the frame it was given. */
static void parses_without_copying(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	frame_arp_request(&frame, policy());
	CHECK_EQUAL(vmn_parse_frame(frame.bytes, frame.bytes + frame.length, &parsed), VMN_PARSE_OK);
	CHECK(parsed.ethernet.destination == frame.bytes);
	CHECK(parsed.ethernet.source == frame.bytes + 6);
	CHECK(parsed.arp.sender_mac == frame.bytes + AT_ARP_SENDER_MAC);
}

static void parses_arp_frame(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	frame_arp_request(&frame, policy());
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.ethertype, 0x0806);
	CHECK(parsed.has_arp && !parsed.has_ipv4);
	CHECK_EQUAL(parsed.arp.operation, VMN_ARP_REQUEST);
	CHECK_EQUAL(parsed.arp.sender_address_be, GUEST_ADDRESS);
	CHECK_EQUAL(parsed.arp.target_address_be, GATEWAY_ADDRESS);
	CHECK(vmn_same_mac(parsed.arp.sender_mac, policy()->guest_mac));
}

static void parses_ipv6_frame(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	frame_ethernet(&frame, policy(), VMN_DIRECTION_FROM_VM, VMN_ETHERTYPE_IPV6);
	frame_pad(&frame, 40, 0x60);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.ethertype, 0x86dd);
	CHECK_EQUAL(parsed.payload_offset, 14);
	CHECK(!parsed.has_ipv4 && !parsed.has_arp);
}

static void refuses_short_frames(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	for (frame.length = 0; frame.length < 14; frame.length++)
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_FRAME_TOO_SHORT);
}

static void accepts_an_empty_payload(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	frame_ethernet(&frame, policy(), VMN_DIRECTION_FROM_VM, 0x1234);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.payload_offset, frame.length);
}

static void reports_unknown_ethertypes(void)
{
	static const uint16_t types[] = {0, 46, 0x05ff, 0x0600, 0x1234, 0x88cc, 0xffff};
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	for (unsigned int i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		put16(&frame, AT_ETHERTYPE, types[i]);
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
		CHECK_EQUAL(parsed.ethertype, types[i]);
		CHECK(!parsed.has_ipv4 && !parsed.has_arp && !parsed.has_transport);
	}
}

static void reports_a_vlan_tag(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	frame_push_tag(&frame, 0x8100, 0x6064);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.ethernet.ethertype, 0x8100);
	CHECK_EQUAL(parsed.tag_count, 1);
	CHECK_EQUAL(parsed.tags[0].tpid, 0x8100);
	CHECK_EQUAL(parsed.tags[0].tci, 0x6064);
	CHECK_EQUAL(parsed.ethertype, 0x0800);
	CHECK_EQUAL(parsed.transport.destination_port, ENDPOINT_PORT);
}

static void reports_two_tags_and_no_third(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	frame_push_tag(&frame, 0x8100, 3);
	frame_push_tag(&frame, 0x8100, 2);
	frame_push_tag(&frame, 0x88a8, 1);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.tag_count, 2);
	CHECK_EQUAL(parsed.tags[0].tpid, 0x88a8);
	CHECK_EQUAL(parsed.tags[1].tci, 2);
	CHECK_EQUAL(parsed.ethertype, 0x8100);
	CHECK(!parsed.has_ipv4);
}

static void refuses_a_tag_cut_off(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	frame_push_tag(&frame, 0x88a8, 1);
	for (frame.length = 14; frame.length < 18; frame.length++)
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_VLAN_TOO_SHORT);
}

static void refuses_malformed_arp(void)
{
	static const uint32_t format_bytes[] = {AT_ARP, AT_ARP + 1, AT_ARP + 2, AT_ARP + 3, AT_ARP + 4, AT_ARP + 5};
	struct vmn_frame parsed;
	struct frame frame;

	frame_arp_request(&frame, policy());
	for (frame.length = 14; frame.length < 42; frame.length++)
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_ARP_TOO_SHORT);
	for (unsigned int i = 0; i < sizeof(format_bytes) / sizeof(format_bytes[0]); i++) {
		frame_arp_request(&frame, policy());
		frame.bytes[format_bytes[i]] ^= 0x10;
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_ARP_FORMAT);
	}
}

static void parses_udp(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.ipv4.source_be, GUEST_ADDRESS);
	CHECK_EQUAL(parsed.ipv4.destination_be, ENDPOINT_ADDRESS);
	CHECK_EQUAL(parsed.ipv4.protocol, VMN_PROTOCOL_UDP);
	CHECK_EQUAL(parsed.ipv4.ttl, 64);
	CHECK_EQUAL(parsed.ipv4.total_bytes, 20 + 8 + 148);
	CHECK_EQUAL(parsed.ipv4.fragment, VMN_IPV4_DONT_FRAGMENT);
	CHECK(parsed.has_transport);
	CHECK_EQUAL(parsed.transport.source_port, GUEST_PORT);
	CHECK_EQUAL(parsed.transport.destination_port, ENDPOINT_PORT);
	CHECK_EQUAL(parsed.transport.udp_bytes, 156);
	CHECK_EQUAL(parsed.payload_offset, 42);
}

static void parses_tcp(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	frame_ipv4(&frame, policy(), VMN_DIRECTION_FROM_VM, ENDPOINT_ADDRESS, VMN_PROTOCOL_TCP, 24 + 5);
	put16(&frame, 34, 40000);
	put16(&frame, 36, 443);
	frame.bytes[34 + 12] = 6 << 4;
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.ipv4.protocol, VMN_PROTOCOL_TCP);
	CHECK_EQUAL(parsed.transport.source_port, 40000);
	CHECK_EQUAL(parsed.transport.destination_port, 443);
	CHECK_EQUAL(parsed.payload_offset, 34 + 24);
}

static void parses_icmp_without_ports(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	frame_ipv4(&frame, policy(), VMN_DIRECTION_TO_VM, ENDPOINT_ADDRESS, VMN_PROTOCOL_ICMP, 64);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK_EQUAL(parsed.ipv4.protocol, VMN_PROTOCOL_ICMP);
	CHECK_EQUAL(parsed.ipv4.source_be, ENDPOINT_ADDRESS);
	CHECK(!parsed.has_transport);
	CHECK_EQUAL(parsed.payload_offset, 34);
}

static void finds_the_payload_behind_options(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	for (uint32_t words = 1; words <= 10; words++) {
		udp(&frame);
		frame_push_options(&frame, words);
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
		CHECK_EQUAL(parsed.ipv4.header_bytes, 20 + 4 * words);
		CHECK_EQUAL(parsed.ipv4.payload_offset, 34 + 4 * words);
		CHECK_EQUAL(parsed.transport.destination_port, ENDPOINT_PORT);
		CHECK_EQUAL(parsed.payload_offset, 42 + 4 * words);
	}
}

static void refuses_ip_lengths_that_lie(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	for (frame.length = 14; frame.length < 34; frame.length++)
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_IP_TOO_SHORT);
	for (uint8_t words = 0; words < 5; words++) {
		udp(&frame);
		frame.bytes[AT_IP] = 0x40 | words;
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_IP_HEADER_LENGTH);
	}
	for (uint8_t words = 6; words <= 15; words++) {
		udp(&frame);
		frame.bytes[AT_IP] = 0x40 | words;
		frame.length = AT_IP + words * 4u - 1;
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_IP_HEADER_LENGTH);
	}
	for (uint16_t total = 0; total < 20; total++) {
		udp(&frame);
		put16(&frame, AT_IP_TOTAL, total);
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_IP_TOTAL_LENGTH);
	}
	udp(&frame);
	frame_push_options(&frame, 2);
	put16(&frame, AT_IP_TOTAL, 27);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_IP_TOTAL_LENGTH);
	udp(&frame);
	put16(&frame, AT_IP_TOTAL, (uint16_t)(frame.length - 14 + 1));
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_IP_TOTAL_LENGTH);
}

static void refuses_other_ip_versions(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	for (unsigned int version = 0; version < 16; version++) {
		udp(&frame);
		frame.bytes[AT_IP] = (uint8_t)(version << 4 | 5);
		CHECK_EQUAL(parse(&frame, &parsed), version == 4 ? VMN_PARSE_OK : VMN_PARSE_IP_VERSION);
	}
}

static void refuses_udp_lengths_that_lie(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	for (uint16_t bytes = 0; bytes < 8; bytes++) {
		udp(&frame);
		put16(&frame, AT_UDP_LENGTH, bytes);
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_UDP_LENGTH);
		CHECK(!parsed.has_transport);
	}
	udp(&frame);
	put16(&frame, AT_UDP_LENGTH, 157);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_UDP_LENGTH);
	frame_pad(&frame, 20, 0);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_UDP_LENGTH);
	for (uint16_t payload = 0; payload < 8; payload++) {
		udp(&frame);
		put16(&frame, AT_IP_TOTAL, (uint16_t)(20 + payload));
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_UDP_TOO_SHORT);
	}
}

static void refuses_tcp_headers_that_lie(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	frame_ipv4(&frame, policy(), VMN_DIRECTION_FROM_VM, ENDPOINT_ADDRESS, VMN_PROTOCOL_TCP, 20);
	for (unsigned int words = 0; words < 16; words++) {
		frame.bytes[34 + 12] = (uint8_t)(words << 4);
		CHECK_EQUAL(parse(&frame, &parsed), words == 5 ? VMN_PARSE_OK : VMN_PARSE_TCP_HEADER_LENGTH);
	}
	frame_ipv4(&frame, policy(), VMN_DIRECTION_FROM_VM, ENDPOINT_ADDRESS, VMN_PROTOCOL_TCP, 19);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_TCP_TOO_SHORT);
}

static void recognises_fragments(void)
{
	struct vmn_frame parsed;
	struct frame frame;

	udp(&frame);
	put16(&frame, AT_IP_FRAGMENT, 0x2000);
	put16(&frame, AT_UDP_LENGTH, 4000);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK(vmn_is_fragment(&parsed.ipv4) && !vmn_is_later_fragment(&parsed.ipv4));
	CHECK(parsed.has_transport);
	CHECK_EQUAL(parsed.transport.destination_port, ENDPOINT_PORT);

	put16(&frame, AT_UDP_LENGTH, 7);
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_UDP_LENGTH);
}

/* The first bytes of a later fragment look like the endpoint's port here, and must not be taken for one. */
static void never_reads_ports_from_later_fragments(void)
{
	static const uint16_t fields[] = {0x0001, 0x2001, 0x1fff, 0x3fff, 0x4001, 0x8001, 0x00b9};
	struct vmn_frame parsed;
	struct frame frame;

	for (unsigned int i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		udp(&frame);
		put16(&frame, AT_IP_FRAGMENT, fields[i]);
		CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
		CHECK(vmn_is_later_fragment(&parsed.ipv4));
		CHECK(!parsed.has_transport);
		CHECK_EQUAL(parsed.transport.destination_port, 0);
		CHECK_EQUAL(parsed.payload_offset, 34);
	}
	frame.bytes[AT_IP_PROTOCOL] = VMN_PROTOCOL_TCP;
	CHECK_EQUAL(parse(&frame, &parsed), VMN_PARSE_OK);
	CHECK(!parsed.has_transport);
}

const struct test PARSE_TESTS[] = {
	{"[EF-1] parses an IPv4 frame", parses_ipv4_frame},
	{"[EF-1] parses an ARP frame", parses_arp_frame},
	{"[EF-1] parses an IPv6 frame", parses_ipv6_frame},
	{"[EF-1] hands out views, not copies", parses_without_copying},
	{"[EF-2] refuses frames under 14 bytes", refuses_short_frames},
	{"[EF-3] accepts a header with an empty payload", accepts_an_empty_payload},
	{"[EF-5] reports unknown EtherTypes and 802.3 lengths", reports_unknown_ethertypes},
	{"[EF-5] reports a VLAN tag", reports_a_vlan_tag},
	{"[EF-5] reports two tags, and what follows them as it stands", reports_two_tags_and_no_third},
	{"[EF-5] refuses a tag that is cut off", refuses_a_tag_cut_off},
	{"[EF-1] refuses ARP that is short or of another format", refuses_malformed_arp},
	{"[IP-1] parses UDP", parses_udp},
	{"[IP-1] parses TCP", parses_tcp},
	{"[IP-1] parses ICMP, without ports", parses_icmp_without_ports},
	{"[IP-2] finds the payload behind 1 to 10 words of options", finds_the_payload_behind_options},
	{"[IP-3] refuses header and total lengths that lie", refuses_ip_lengths_that_lie},
	{"[IP-3] refuses other versions", refuses_other_ip_versions},
	{"[IP-4] refuses UDP lengths that lie", refuses_udp_lengths_that_lie},
	{"[IP-1] refuses TCP headers that lie", refuses_tcp_headers_that_lie},
	{"[IP-5] recognises fragments and reads a first one's ports", recognises_fragments},
	{"[IP-5] never reads ports from a later fragment", never_reads_ports_from_later_fragments},
	{0},
};
