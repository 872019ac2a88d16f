// SPDX-License-Identifier: Apache-2.0
/* What vmn-nat writes for a guest: against a checksum written the slow way, and against the filter. */
#include <string.h>

#include "cases.h"
#include "check.h"
#include "tests.h"
#include "vmn/nat.h"
#include "vmn/nat_control.h"

#define PAYLOAD_MOST 1500

/* RFC 1071 word for word, on big-endian words. */
static uint16_t slow_checksum(uint32_t sum, const uint8_t *bytes, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static uint32_t fill(uint8_t *payload, uint32_t bytes, uint32_t seed)
{
	for (uint32_t i = 0; i < bytes; i++) {
		seed = seed * 1664525u + 1013904223u;
		payload[i] = (uint8_t)(seed >> 24);
	}
	return seed;
}

static struct vmn_nat_tuple tuple_of(const struct vmn_policy *policy)
{
	const struct vmn_nat_tuple tuple = {policy->endpoint.address_be, policy->endpoint.port_be, VMN_NET16(40000)};

	return tuple;
}

static void checksums_are_right_for_every_length(void)
{
	const struct vmn_policy policy = policy_plain();
	const struct vmn_nat_tuple tuple = tuple_of(&policy);
	uint8_t frame[VMN_NAT_HEADER_BYTES + PAYLOAD_MOST];
	uint8_t *ip = frame + VMN_ETHERNET_BYTES, *udp = ip + VMN_IPV4_BYTES;
	uint32_t seed = 1;

	for (uint32_t bytes = 0; bytes <= PAYLOAD_MOST; bytes++) {
		uint32_t pseudo = VMN_PROTOCOL_UDP + VMN_UDP_BYTES + bytes;

		seed = fill(frame + VMN_NAT_HEADER_BYTES, bytes, seed);
		vmn_nat_headers(&policy, &tuple, frame + VMN_NAT_HEADER_BYTES, bytes, frame);
		CHECK_EQUAL(slow_checksum(0, ip, VMN_IPV4_BYTES), 0);
		for (int i = 12; i < 20; i += 2)
			pseudo += (uint32_t)(ip[i] << 8 | ip[i + 1]);
		CHECK_EQUAL(slow_checksum(pseudo, udp, VMN_UDP_BYTES + bytes), 0);
		CHECK(udp[6] || udp[7]);
	}
}

static void a_sum_of_ones_everywhere_does_not_overflow(void)
{
	static uint8_t payload[VMN_NAT_PAYLOAD_MAX];
	const struct vmn_policy policy = policy_plain();
	const struct vmn_nat_tuple tuple = tuple_of(&policy);
	uint8_t frame[VMN_NAT_HEADER_BYTES];
	uint16_t with, without;

	/* 0xffff adds nothing: the checksum is that of an equally long payload of zeros, but for the odd byte at its end. */
	memset(payload, 0xff, sizeof(payload) & ~1u);
	vmn_nat_headers(&policy, &tuple, payload, sizeof(payload), frame);
	with = vmn_load16(frame + VMN_NAT_HEADER_BYTES - 2);
	memset(payload, 0, sizeof(payload));
	vmn_nat_headers(&policy, &tuple, payload, sizeof(payload), frame);
	without = vmn_load16(frame + VMN_NAT_HEADER_BYTES - 2);
	CHECK_EQUAL(with, without);
}

static void the_filter_lets_what_is_written_pass(void)
{
	const struct vmn_policy policy = policy_plain();
	const struct vmn_nat_tuple tuple = tuple_of(&policy);
	uint8_t frame[VMN_NAT_HEADER_BYTES + 64] = {0};

	for (uint32_t bytes = 0; bytes <= 64; bytes++) {
		const struct vmn_meta meta = {.frame_bytes = VMN_NAT_HEADER_BYTES + bytes};
		const uint8_t *end = frame + VMN_NAT_HEADER_BYTES + bytes;

		vmn_nat_headers(&policy, &tuple, frame + VMN_NAT_HEADER_BYTES, bytes, frame);
		CHECK_EQUAL(vmn_judge(&policy, &meta, VMN_DIRECTION_TO_VM, frame, end).reason, VMN_REASON_ALLOWED);
	}
}

static void the_hash_of_a_policy_depends_on_every_byte(void)
{
	struct vmn_policy policy = policy_plain();
	uint64_t hash = vmn_nat_policy_hash(&policy);

	for (size_t i = 0; i < sizeof(policy); i++) {
		((uint8_t *)&policy)[i] ^= 0x10;
		CHECK(vmn_nat_policy_hash(&policy) != hash);
		((uint8_t *)&policy)[i] ^= 0x10;
	}
}

const struct test NAT_TESTS[] = {
	{"[FB-2] the checksums of a reply are right for every length", checksums_are_right_for_every_length},
	{"a payload of ones does not overflow its checksum", a_sum_of_ones_everywhere_does_not_overflow},
	{"the filter lets pass what is written for the guest", the_filter_lets_what_is_written_pass},
	{"the hash of a policy depends on every byte", the_hash_of_a_policy_depends_on_every_byte},
	{0},
};
