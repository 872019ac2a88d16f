// SPDX-License-Identifier: Apache-2.0
/* The decision on the host: what holds for every frame of the catalogue, and what the catalogue itself must hold. */
#include <stdlib.h>

#include "cases.h"
#include "check.h"
#include "tests.h"

#define NOW_NS 1000000000000ull

static struct input input_of(const struct test_case *test_case)
{
	struct input input;

	case_input(test_case, &input);
	input.policy.previous_until_ns = NOW_NS + (uint64_t)input.previous_left_ns;
	return input;
}

/* Judges a frame of which only the first `linear` bytes can be read, as in the kernel when pulling them in failed. */
static enum vmn_reason judge_linear(const struct input *input, int direction, uint32_t linear)
{
	struct vmn_meta meta = {0};
	uint8_t *data = malloc(linear);
	struct vmn_whole_frame whole = {data, data + linear};
	struct vmn_judgement judgement;

	memcpy(data, input->frame.bytes, linear);
	meta.now_ns = NOW_NS;
	meta.frame_bytes = input->frame.length;
	meta.own_answer = input->own_answer;
	meta.super_frame = input->super_frame;
	meta.segment_bytes = input->segment_bytes;
	meta.pending_checksum_offset = input->pending_checksum_offset;
	meta.whole = &whole;
	judgement = vmn_judge(&input->policy, &meta, (__u32)direction, data, data + linear);
	free(data);
	return judgement.reason;
}

/* What takes more than one frame is in state_test.c. */
static bool takes_a_memory(unsigned int reason)
{
	return reason == VMN_REASON_ALLOWED_FLOW || reason == VMN_REASON_BIT_RATE || reason == VMN_REASON_PACKET_RATE;
}

static bool reachable(int direction, unsigned int reason)
{
	if (takes_a_memory(reason))
		return false;
	if (direction == VMN_DIRECTION_FROM_VM)
		return reason != VMN_REASON_ARP_FROM_HOST;
	return reason != VMN_REASON_ARP_MALFORMED && reason != VMN_REASON_ARP_SPOOFED &&
	       reason != VMN_REASON_ARP_NOT_GATEWAY && reason != VMN_REASON_ICMP_TO_ENDPOINT;
}

static void every_reason_has_a_case(void)
{
	for (int direction = 0; direction <= 1; direction++)
		for (unsigned int reason = 0; reason < VMN_REASON_SLOTS; reason++) {
			bool found = false, known = strcmp(reason_name(reason), "?") != 0;

			for (unsigned int i = 0; i < CASE_COUNT; i++)
				found |= CASES[i].reason == reason && CASES[i].direction == direction;
			if (found == (known && reachable(direction, reason)))
				continue;
			snprintf(check_failure, sizeof(check_failure), "direction %d, reason %u %s: case %s", direction, reason,
			         reason_name(reason), found ? "for an unreachable reason" : "missing");
			return;
		}
}

static void short_linear_parts_never_pass(void)
{
	for (unsigned int i = 0; i < CASE_COUNT; i++) {
		struct input input = input_of(&CASES[i]);
		bool strict = input.policy.flags & VMN_POLICY_STRICT_WIREGUARD;
		uint32_t needed = strict ? VMN_JUDGED_BYTES : VMN_JUDGED_BYTES - VMN_WIREGUARD_HEAD_BYTES;

		/* Super-frames are read to their end. Not drawn, or direct: the transport header is nobody's business. */
		if (vmn_is_drop(CASES[i].reason) || input.super_frame || CASES[i].reason == VMN_REASON_ALLOWED_UNSAMPLED ||
		    CASES[i].reason == VMN_REASON_ALLOWED_DIRECT)
			continue;
		for (uint32_t linear = 0; linear < needed && linear < input.frame.length; linear++)
			CHECK(vmn_is_drop(judge_linear(&input, CASES[i].direction, linear)));
		CHECK_EQUAL(judge_linear(&input, CASES[i].direction, needed < input.frame.length ? needed : input.frame.length),
		            CASES[i].reason);
	}
}

/* Any single bit of the judged headers that matters is judged: flipping it never turns one pass into another place. */
static void flipped_bits_never_reach_another_place(void)
{
	for (int direction = 0; direction <= 1; direction++) {
		struct input input = {.policy = policy_plain()};

		frame_handshake(&input.frame, &input.policy, direction);
		input.frame.bytes[AT_IP_TTL] = 65; /* no single bit away from 0 */
		frame_fix_checksum(&input.frame);
		for (uint32_t bit = 0; bit < AT_PAYLOAD * 8; bit++) {
			struct input flipped = input;
			uint32_t at = bit / 8;

			flipped.frame.bytes[at] ^= (uint8_t)(1 << bit % 8);
			frame_fix_checksum(&flipped.frame);
			/* Free for the sender: traffic class, identification, don't-fragment, TTL, own port, UDP checksum. */
			if (at == AT_IP + 1 || at == AT_IP + 4 || at == AT_IP + 5 || at == AT_IP_TTL ||
			    (at == AT_IP_FRAGMENT && bit % 8 == 6) || (at & ~1u) == AT_UDP_CHECKSUM ||
			    (at & ~1u) == AT_IP_CHECKSUM ||
			    (at & ~1u) == (direction == VMN_DIRECTION_FROM_VM ? AT_UDP_SOURCE : AT_UDP_DESTINATION))
				CHECK_EQUAL(input_judge(&flipped, direction, NOW_NS), VMN_REASON_ALLOWED);
			else
				CHECK(vmn_is_drop(input_judge(&flipped, direction, NOW_NS)));
		}
	}
}

static void header_checksum_agrees_with_its_definition(void)
{
	struct input input = {.policy = policy_plain()};

	frame_handshake(&input.frame, &input.policy, VMN_DIRECTION_FROM_VM);
	for (uint32_t sum = 0; sum < 0x10000; sum++) {
		put16(&input.frame, AT_IP_CHECKSUM, (uint16_t)sum);
		CHECK_EQUAL(vmn_ipv4_checksum_right(input.frame.bytes + AT_IP),
		            internet_checksum(input.frame.bytes + AT_IP, 20) == 0);
	}
	memset(input.frame.bytes + AT_IP, 0xff, 20);
	CHECK(vmn_ipv4_checksum_right(input.frame.bytes + AT_IP));
	memset(input.frame.bytes + AT_IP, 0, 20);
	CHECK(!vmn_ipv4_checksum_right(input.frame.bytes + AT_IP));
}

/* RFC 1071's carries: headers of all kinds of bytes, each with the checksum that the definition gives. */
static void header_checksum_carries(void)
{
	uint64_t state = 88172645463325252ull;
	struct frame frame = {.length = 34};

	for (unsigned int i = 0; i < 100000; i++) {
		for (uint32_t at = AT_IP; at < AT_IP + 20; at++) {
			state ^= state << 13, state ^= state >> 7, state ^= state << 17;
			frame.bytes[at] = i % 2 ? 0xff - (state % 3 == 0) : (uint8_t)state;
		}
		frame.bytes[AT_IP] = 0x45;
		frame_fix_checksum(&frame);
		CHECK(vmn_ipv4_checksum_right(frame.bytes + AT_IP));
		frame.bytes[AT_IP + 13] ^= (uint8_t)(1 << i % 8);
		CHECK(!vmn_ipv4_checksum_right(frame.bytes + AT_IP));
	}
}

static void grace_ends_exactly_when_it_says(void)
{
	struct input input = {.policy = policy_plain()};

	input.policy.previous.address_be = PREVIOUS_ADDRESS;
	input.policy.previous.port_be = VMN_NET16(PREVIOUS_PORT);
	input.policy.previous_until_ns = NOW_NS;
	for (int direction = 0; direction <= 1; direction++) {
		frame_udp(&input.frame, &input.policy, direction, PREVIOUS_ADDRESS, PREVIOUS_PORT, 1, 148);
		CHECK_EQUAL(input_judge(&input, direction, NOW_NS - 1), VMN_REASON_ALLOWED_PREVIOUS);
		CHECK_EQUAL(input_judge(&input, direction, NOW_NS), VMN_REASON_PREVIOUS_EXPIRED);
		CHECK_EQUAL(input_judge(&input, direction, NOW_NS + 1), VMN_REASON_PREVIOUS_EXPIRED);
		CHECK_EQUAL(input_judge(&input, direction, UINT64_MAX), VMN_REASON_PREVIOUS_EXPIRED);
	}
}

static void every_port_but_one_is_refused(void)
{
	struct input input = {.policy = policy_plain()};

	frame_handshake(&input.frame, &input.policy, VMN_DIRECTION_FROM_VM);
	for (uint32_t port = 0; port < 0x10000; port++) {
		put16(&input.frame, AT_UDP_DESTINATION, (uint16_t)port);
		CHECK_EQUAL(input_judge(&input, VMN_DIRECTION_FROM_VM, NOW_NS),
		            port == ENDPOINT_PORT ? VMN_REASON_ALLOWED : VMN_REASON_DESTINATION_PORT);
	}
}

static enum vmn_reason of_protocol(unsigned int protocol, int direction)
{
	if (protocol == VMN_PROTOCOL_UDP)
		return VMN_REASON_ALLOWED;
	if (protocol == VMN_PROTOCOL_ICMP && direction == VMN_DIRECTION_FROM_VM)
		return VMN_REASON_ICMP_TO_ENDPOINT;
	return VMN_REASON_PROTOCOL;
}

static void every_protocol_but_one_is_refused(void)
{
	for (int direction = 0; direction <= 1; direction++)
		for (unsigned int protocol = 0; protocol < 256; protocol++) {
			struct input input = {.policy = policy_plain()};

			frame_handshake(&input.frame, &input.policy, direction);
			input.frame.bytes[AT_IP_PROTOCOL] = (uint8_t)protocol;
			frame_fix_checksum(&input.frame);
			CHECK_EQUAL(input_judge(&input, direction, NOW_NS), of_protocol(protocol, direction));
		}
}

static void strict_knows_exactly_four_shapes(void)
{
	for (unsigned int type = 0; type < 256; type++)
		for (uint32_t bytes = 0; bytes <= 1472; bytes++) {
			int expected = (type == 1 && bytes == 148) || (type == 2 && bytes == 92) || (type == 3 && bytes == 64) ||
			               (type == 4 && bytes >= 32 && (bytes % 16 == 0 || bytes >= 608));

			CHECK_EQUAL(vmn_is_wireguard(VMN_NET32(type << 24), bytes), expected);
		}
	for (uint32_t bit = 0; bit < 24; bit++)
		CHECK(!vmn_is_wireguard(VMN_NET32(0x01000000u | 1u << bit), 148));
}

/* Field by field against the bytes that RFC 826 would have on the wire. */
static void answer_is_the_arp_reply_of_the_gateway(void)
{
	static const uint8_t expected[42] = {
		0x02, 0x76, 0x11, 0x22, 0x33, 0x44, 0x02, 0x76, 0x6d, 0x6e, 0x00, 0x01, 0x08, 0x06, /* Ethernet */
		0x00, 0x01, 0x08, 0x00, 6,    4,    0x00, 0x02,                                     /* reply */
		0x02, 0x76, 0x6d, 0x6e, 0x00, 0x01, 169,  254,  1,    1,                            /* the gateway */
		0x02, 0x76, 0x11, 0x22, 0x33, 0x44, 100,  64,   0,    7,                            /* the guest */
	};
	struct vmn_policy policy = policy_plain();
	struct vmn_arp_frame answer;

	memset(&answer, 0xee, sizeof(answer));
	vmn_arp_answer(&policy, &answer);
	CHECK_EQUAL(sizeof(answer), sizeof(expected));
	CHECK_EQUAL(memcmp(&answer, expected, sizeof(expected)), 0);
}

static void any_changed_byte_spoils_the_answer(void)
{
	struct input input = {.policy = policy_plain(), .own_answer = true};

	for (uint32_t at = 0; at < VMN_ARP_FRAME_BYTES; at++) {
		frame_arp_answer(&input.frame, &input.policy);
		CHECK_EQUAL(input_judge(&input, VMN_DIRECTION_TO_VM, NOW_NS), VMN_REASON_ARP_ANSWERED);
		for (uint8_t bit = 0; bit < 8; bit++) {
			frame_arp_answer(&input.frame, &input.policy);
			input.frame.bytes[at] ^= (uint8_t)(1 << bit);
			CHECK(vmn_is_drop(input_judge(&input, VMN_DIRECTION_TO_VM, NOW_NS)));
		}
	}
}

static void drops_begin_where_the_table_says(void)
{
#define CHECK_DROP(number, symbol, name) CHECK_EQUAL(vmn_is_drop(VMN_REASON_##symbol), (number) >= 16);
	VMN_REASONS(CHECK_DROP)
#undef CHECK_DROP
}

const struct test VERDICT_TESTS[] = {
	{"[EB-2] the catalogue has a case for every reason in each direction that can have it", every_reason_has_a_case},
	{"[SB-5] a linear part that is short never passes", short_linear_parts_never_pass},
	{"[SB-1] no flipped header bit reaches another place", flipped_bits_never_reach_another_place},
	{"[IP-3] header checksum agrees with its definition", header_checksum_agrees_with_its_definition},
	{"[IP-3] header checksum carries", header_checksum_carries},
	{"[AL-2] grace ends exactly when it says", grace_ends_exactly_when_it_says},
	{"[AL-2] every port but one is refused", every_port_but_one_is_refused},
	{"[AL-2] every protocol but UDP is refused", every_protocol_but_one_is_refused},
	{"[SB-8] strict knows exactly four shapes", strict_knows_exactly_four_shapes},
	{"[SB-1] the answer is the gateway's ARP reply", answer_is_the_arp_reply_of_the_gateway},
	{"[SB-10] any changed bit spoils the answer", any_changed_byte_spoils_the_answer},
	{"drops begin at 16", drops_begin_where_the_table_says},
	{0},
};
