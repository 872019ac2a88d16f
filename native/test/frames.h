/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for the tests: a valid one of each kind, built for a policy and a direction, and small edits on it. Offsets are
 * written out where a test wants to hit exactly that byte.
 */
#ifndef VMN_TEST_FRAMES_H
#define VMN_TEST_FRAMES_H

#include <stdint.h>
#include <string.h>

#include "vmn/abi.h"
#include "vmn/arp.h"
#include "vmn/parse.h"

#define FRAME_BYTES_MAX 9216

/* Offsets in an Ethernet frame with an IPv4 header of 20 bytes. */
enum {
	AT_DESTINATION_MAC = 0,
	AT_SOURCE_MAC = 6,
	AT_ETHERTYPE = 12,
	AT_IP = 14,
	AT_IP_TOTAL = 16,
	AT_IP_FRAGMENT = 20,
	AT_IP_TTL = 22,
	AT_IP_PROTOCOL = 23,
	AT_IP_CHECKSUM = 24,
	AT_IP_SOURCE = 26,
	AT_IP_DESTINATION = 30,
	AT_UDP = 34,
	AT_UDP_SOURCE = 34,
	AT_UDP_DESTINATION = 36,
	AT_UDP_LENGTH = 38,
	AT_UDP_CHECKSUM = 40,
	AT_PAYLOAD = 42,
	AT_ARP = 14,
	AT_ARP_OPERATION = 20,
	AT_ARP_SENDER_MAC = 22,
	AT_ARP_SENDER = 28,
	AT_ARP_TARGET_MAC = 32,
	AT_ARP_TARGET = 38,
};

struct frame {
	uint32_t length;
	uint8_t bytes[FRAME_BYTES_MAX];
};

#define ADDRESS(a, b, c, d) VMN_NET32((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

#define GUEST_ADDRESS ADDRESS(100, 64, 0, 7)
#define GATEWAY_ADDRESS ADDRESS(169, 254, 1, 1)
#define ENDPOINT_ADDRESS ADDRESS(203, 0, 113, 10)
#define ENDPOINT_PORT 51900
#define PREVIOUS_ADDRESS ADDRESS(198, 51, 100, 20)
#define PREVIOUS_PORT 51901
#define GUEST_PORT 51820

static inline void put16(struct frame *frame, uint32_t at, uint16_t value)
{
	frame->bytes[at] = (uint8_t)(value >> 8);
	frame->bytes[at + 1] = (uint8_t)value;
}

static inline void put32_be(struct frame *frame, uint32_t at, uint32_t value_be)
{
	memcpy(frame->bytes + at, &value_be, 4);
}

static inline uint16_t get16(const struct frame *frame, uint32_t at)
{
	return (uint16_t)(frame->bytes[at] << 8 | frame->bytes[at + 1]);
}

/* Written apart from vmn/checksum.h on purpose: a test that shares the code under test proves nothing. */
static inline uint16_t internet_checksum(const uint8_t *bytes, uint32_t length)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (length % 2)
		sum += (uint32_t)(bytes[length - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Makes the IPv4 header checksum right for whatever else stands in the header. */
static inline void frame_fix_checksum(struct frame *frame)
{
	uint32_t header = (frame->bytes[AT_IP] & 0xfu) * 4;

	if (header < VMN_IPV4_BYTES || AT_IP + header > frame->length)
		header = VMN_IPV4_BYTES;
	if (AT_IP + header > frame->length)
		return;
	put16(frame, AT_IP_CHECKSUM, 0);
	put16(frame, AT_IP_CHECKSUM, internet_checksum(frame->bytes + AT_IP, header));
}

static inline struct vmn_policy policy_plain(void)
{
	static const uint8_t guest[6] = {0x02, 0x76, 0x11, 0x22, 0x33, 0x44};
	static const uint8_t gateway[6] = {0x02, 0x76, 0x6d, 0x6e, 0x00, 0x01};
	struct vmn_policy policy;

	memset(&policy, 0, sizeof(policy));
	policy.abi = VMN_POLICY_ABI;
	policy.generation = 7;
	memcpy(policy.guest_mac, guest, 6);
	memcpy(policy.gateway_mac, gateway, 6);
	policy.guest_address_be = GUEST_ADDRESS;
	policy.gateway_address_be = GATEWAY_ADDRESS;
	policy.mode = VMN_MODE_FILTERED;
	policy.endpoint.address_be = ENDPOINT_ADDRESS;
	policy.endpoint.port_be = VMN_NET16(ENDPOINT_PORT);
	policy.secret[0] = 0x0706050403020100ull;
	policy.secret[1] = 0x0f0e0d0c0b0a0908ull;
	return policy;
}

/* The ranges of a Direct policy, by `first`. What is there must be in order and apart. */
static inline void policy_deny(struct vmn_policy *policy, uint32_t first_be, uint32_t last_be)
{
	policy->denied[policy->denied_count].first = VMN_NET32(first_be);
	policy->denied[policy->denied_count].last = VMN_NET32(last_be);
	policy->denied_count++;
}

/* Mode Direct, which denies what its class and everybody's do. */
static inline void policy_direct(struct vmn_policy *policy)
{
	policy->mode = VMN_MODE_DIRECT;
	memset(&policy->endpoint, 0, sizeof(policy->endpoint));
	policy->denied_count = 0;
	policy_deny(policy, ADDRESS(0, 0, 0, 0), ADDRESS(0, 255, 255, 255));
	policy_deny(policy, ADDRESS(10, 0, 0, 0), ADDRESS(10, 255, 255, 255));
	policy_deny(policy, ADDRESS(100, 64, 0, 0), ADDRESS(100, 64, 255, 255));
	policy_deny(policy, ADDRESS(127, 0, 0, 0), ADDRESS(127, 255, 255, 255));
	policy_deny(policy, ADDRESS(169, 254, 0, 0), ADDRESS(169, 254, 255, 255));
	policy_deny(policy, ADDRESS(192, 0, 2, 7), ADDRESS(192, 0, 2, 7));
	policy_deny(policy, ADDRESS(224, 0, 0, 0), 0xffffffffu);
}

static inline void frame_ethernet(struct frame *frame, const struct vmn_policy *policy, int direction, uint16_t type)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->bytes + AT_DESTINATION_MAC, from_vm ? policy->gateway_mac : policy->guest_mac, 6);
	memcpy(frame->bytes + AT_SOURCE_MAC, from_vm ? policy->guest_mac : policy->gateway_mac, 6);
	put16(frame, AT_ETHERTYPE, type);
	frame->length = VMN_ETHERNET_BYTES;
}

/* An IPv4 header and `payload_bytes` of zeros between the guest and `remote_be`, with a right checksum. */
static inline void frame_ipv4(struct frame *frame, const struct vmn_policy *policy, int direction, uint32_t remote_be,
                              uint8_t protocol, uint32_t payload_bytes)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;

	frame_ethernet(frame, policy, direction, VMN_ETHERTYPE_IPV4);
	frame->bytes[AT_IP] = 0x45;
	put16(frame, AT_IP_TOTAL, (uint16_t)(VMN_IPV4_BYTES + payload_bytes));
	put16(frame, AT_IP_FRAGMENT, VMN_IPV4_DONT_FRAGMENT);
	frame->bytes[AT_IP_TTL] = 64;
	frame->bytes[AT_IP_PROTOCOL] = protocol;
	put32_be(frame, AT_IP_SOURCE, from_vm ? policy->guest_address_be : remote_be);
	put32_be(frame, AT_IP_DESTINATION, from_vm ? remote_be : policy->guest_address_be);
	frame->length = AT_IP + VMN_IPV4_BYTES + payload_bytes;
	frame_fix_checksum(frame);
}

/* A datagram whose payload starts with `type` and is zero after it. UDP checksum 0: none, which IPv4 allows. */
static inline void frame_udp(struct frame *frame, const struct vmn_policy *policy, int direction, uint32_t remote_be,
                             uint16_t remote_port, uint8_t type, uint32_t payload_bytes)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;

	frame_ipv4(frame, policy, direction, remote_be, VMN_PROTOCOL_UDP, VMN_UDP_BYTES + payload_bytes);
	put16(frame, AT_UDP_SOURCE, from_vm ? GUEST_PORT : remote_port);
	put16(frame, AT_UDP_DESTINATION, from_vm ? remote_port : GUEST_PORT);
	put16(frame, AT_UDP_LENGTH, (uint16_t)(VMN_UDP_BYTES + payload_bytes));
	if (payload_bytes)
		frame->bytes[AT_PAYLOAD] = type;
}

/* A WireGuard handshake initiation to or from the policy's endpoint: passes every rule. */
static inline void frame_handshake(struct frame *frame, const struct vmn_policy *policy, int direction)
{
	frame_udp(frame, policy, direction, policy->endpoint.address_be, VMN_NET16(policy->endpoint.port_be), 1, 148);
}

/* The guest asks for the gateway, padded to 60 bytes as a network card would. */
static inline void frame_arp_request(struct frame *frame, const struct vmn_policy *policy)
{
	frame_ethernet(frame, policy, VMN_DIRECTION_FROM_VM, VMN_ETHERTYPE_ARP);
	memset(frame->bytes, 0xff, 6);
	put16(frame, AT_ARP, 1);
	put16(frame, AT_ARP + 2, VMN_ETHERTYPE_IPV4);
	frame->bytes[AT_ARP + 4] = 6;
	frame->bytes[AT_ARP + 5] = 4;
	put16(frame, AT_ARP_OPERATION, VMN_ARP_REQUEST);
	memcpy(frame->bytes + AT_ARP_SENDER_MAC, policy->guest_mac, 6);
	put32_be(frame, AT_ARP_SENDER, policy->guest_address_be);
	put32_be(frame, AT_ARP_TARGET, policy->gateway_address_be);
	frame->length = 60;
}

static inline void frame_arp_answer(struct frame *frame, const struct vmn_policy *policy)
{
	memset(frame, 0, sizeof(*frame));
	vmn_arp_answer(policy, (struct vmn_arp_frame *)frame->bytes);
	frame->length = VMN_ARP_FRAME_BYTES;
}

/* Puts a tag between the addresses and what was the EtherType. */
static inline void frame_push_tag(struct frame *frame, uint16_t tpid, uint16_t tci)
{
	memmove(frame->bytes + 16, frame->bytes + 12, frame->length - 12);
	put16(frame, 12, tpid);
	put16(frame, 14, tci);
	frame->length += 4;
}

/* Grows the IP header by `words` of no-operation options. */
static inline void frame_push_options(struct frame *frame, uint32_t words)
{
	memmove(frame->bytes + 34 + words * 4, frame->bytes + 34, frame->length - 34);
	memset(frame->bytes + 34, 1, words * 4);
	frame->bytes[AT_IP] = (uint8_t)(0x45 + words);
	frame->length += words * 4;
	put16(frame, AT_IP_TOTAL, (uint16_t)(get16(frame, AT_IP_TOTAL) + words * 4));
	frame_fix_checksum(frame);
}

/* The Ethernet padding, or a lie: bytes that no length field speaks of. */
static inline void frame_pad(struct frame *frame, uint32_t bytes, uint8_t value)
{
	memset(frame->bytes + frame->length, value, bytes);
	frame->length += bytes;
}

#endif
