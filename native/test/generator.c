// SPDX-License-Identifier: Apache-2.0
#include "generator.h"

/* xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled", 2016). */
static uint64_t next(struct generator *generator)
{
	generator->state ^= generator->state >> 12;
	generator->state ^= generator->state << 25;
	generator->state ^= generator->state >> 27;
	return generator->state * 2685821657736338717ull;
}

static uint32_t below(struct generator *generator, uint32_t limit)
{
	return (uint32_t)((next(generator) >> 32) % limit);
}

static bool one_in(struct generator *generator, uint32_t odds)
{
	return below(generator, odds) == 0;
}

struct generator generator_of(uint64_t seed)
{
	struct generator generator = {seed * 0x9e3779b97f4a7c15ull + 0x2545f4914f6cdd1dull};

	if (!generator.state)
		generator.state = 1;
	next(&generator);
	return generator;
}

#define PICK(generator, array) ((array)[below(generator, sizeof(array) / sizeof((array)[0]))])

/* Ranges around everybody who is in the frames, or between them, or so many that the search has all its steps to go. */
static void generate_direct(struct generator *generator, struct vmn_policy *policy)
{
	static const uint32_t people[] = {ENDPOINT_ADDRESS, PREVIOUS_ADDRESS, GATEWAY_ADDRESS};
	uint32_t at = 0, count = one_in(generator, 4) ? VMN_DENIED_MAX : 1 + below(generator, 12);
	uint32_t person = VMN_NET32(PICK(generator, people));

	policy_direct(policy);
	if (one_in(generator, 3))
		return;
	policy->denied_count = 0;
	if (one_in(generator, 2))
		at = person - below(generator, 3);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t first = at + below(generator, 3), last = first + below(generator, 3);

		if (first < at || last < first || last > 0xfffffff0u)
			break;
		policy_deny(policy, VMN_NET32(first), VMN_NET32(last));
		at = last + 2 + (one_in(generator, 3) ? below(generator, 0x2000000) : 0);
	}
	policy->flags &= ~VMN_POLICY_AUDIT;
}

void generate_policy(struct generator *generator, struct input *input)
{
	struct vmn_policy *policy = &input->policy;

	*policy = policy_plain();
	policy->generation = next(generator);
	input->no_policy = one_in(generator, 24);
	input->previous_left_ns = 0;
	policy->secret[0] = next(generator);
	policy->secret[1] = next(generator);
	if (one_in(generator, 2))
		policy->flags |= VMN_POLICY_STRICT_WIREGUARD;
	if (one_in(generator, 6))
		policy->flags |= VMN_POLICY_AUDIT;
	if (one_in(generator, 4))
		policy->max_packet_bytes = one_in(generator, 2) ? 1500 : below(generator, 3000);
	switch (below(generator, 5)) {
	case 2:
		generate_direct(generator, policy);
		break;
	case 0:
		policy->mode = VMN_MODE_CONNTRACK;
		break;
	case 1:
		policy->mode = VMN_MODE_SAMPLED;
		policy->sample_per_million = below(generator, VMN_MILLION + 1);
		break;
	}
	if (one_in(generator, 2)) {
		policy->previous.address_be = one_in(generator, 4) ? ENDPOINT_ADDRESS : PREVIOUS_ADDRESS;
		policy->previous.port_be = VMN_NET16(PREVIOUS_PORT);
		input->previous_left_ns = one_in(generator, 2) ? 3600ll * 1000000000 : -1000000000ll;
	}
	switch (below(generator, 24)) {
	case 0:
		policy->flags |= VMN_POLICY_QUARANTINED;
		break;
	case 1:
		policy->abi = below(generator, 4);
		break;
	case 2:
		policy->mode = below(generator, 6);
		break;
	case 3:
		policy->flags |= 1u << below(generator, 32);
		break;
	case 4:
		memset(&policy->endpoint, 0, sizeof(policy->endpoint));
		break;
	case 5:
		policy->endpoint.port_be = 0;
		break;
	case 8:
		policy->sample_per_million = VMN_MILLION + below(generator, 2);
		break;
	case 9:
		policy->violation_threshold = below(generator, 2);
		break;
	case 6:
		policy->guest_address_be = (uint32_t)next(generator);
		break;
	case 7:
		for (int i = 0; i < 6; i++)
			policy->guest_mac[i] = (uint8_t)next(generator);
		break;
	}
}

/* Sizes at which a rule changes its mind, and any. */
static uint32_t payload_size(struct generator *generator)
{
	static const uint32_t sizes[] = {0,  1,  3,  4,  15,  16,  31,  32,  33,  47,   48,   63,   64,
	                                 65, 91, 92, 93, 147, 148, 149, 150, 160, 1424, 1472, 1473, 2900};

	return one_in(generator, 3) ? below(generator, 1500) : PICK(generator, sizes);
}

static void generate_udp(struct generator *generator, int direction, struct input *input)
{
	static const uint32_t wireguard_sizes[] = {148, 92, 64};
	const struct vmn_policy *policy = &input->policy;
	uint32_t address = policy->endpoint.address_be;
	uint16_t port = VMN_NET16(policy->endpoint.port_be);
	uint8_t type = (uint8_t)below(generator, 6);
	uint32_t bytes = payload_size(generator);

	if (one_in(generator, 3)) {
		address = policy->previous.address_be;
		port = VMN_NET16(policy->previous.port_be);
	}
	if (one_in(generator, 8))
		address = one_in(generator, 2) ? (uint32_t)next(generator) : GATEWAY_ADDRESS;
	if (one_in(generator, 8))
		port = (uint16_t)next(generator);
	if (type >= 1 && type <= 3 && !one_in(generator, 4))
		bytes = wireguard_sizes[type - 1];
	if (type == 4 && !one_in(generator, 4))
		bytes = 32 + 16 * below(generator, 80);
	frame_udp(&input->frame, policy, direction, address, port, type, bytes);
	/* A few ports of the guest, so that flows come back. */
	if (!one_in(generator, 4)) {
		put16(&input->frame, direction == VMN_DIRECTION_FROM_VM ? AT_UDP_SOURCE : AT_UDP_DESTINATION,
		      (uint16_t)(40000 + below(generator, 8)));
		frame_fix_checksum(&input->frame);
	}
}

static void generate_arp(struct generator *generator, int direction, struct input *input)
{
	struct frame *frame = &input->frame;

	if (direction == VMN_DIRECTION_TO_VM && !one_in(generator, 4)) {
		frame_arp_answer(frame, &input->policy);
		input->own_answer = !one_in(generator, 4);
		if (one_in(generator, 4))
			frame_pad(frame, 1 + below(generator, 40), (uint8_t)next(generator));
		return;
	}
	frame_arp_request(frame, &input->policy);
	if (direction == VMN_DIRECTION_TO_VM)
		memcpy(frame->bytes + AT_SOURCE_MAC, input->policy.gateway_mac, 6);
	if (one_in(generator, 2))
		memcpy(frame->bytes, direction == VMN_DIRECTION_TO_VM ? input->policy.guest_mac : input->policy.gateway_mac, 6);
	if (one_in(generator, 6))
		put16(frame, AT_ARP_OPERATION, (uint16_t)below(generator, 4));
	if (one_in(generator, 6))
		put32_be(frame, AT_ARP_TARGET, one_in(generator, 2) ? GUEST_ADDRESS : (uint32_t)next(generator));
	if (one_in(generator, 6))
		frame->length = VMN_ARP_FRAME_BYTES + below(generator, 200);
}

static void generate_noise(struct generator *generator, struct input *input)
{
	struct frame *frame = &input->frame;
	uint32_t length = VMN_ETHERNET_BYTES + below(generator, 186);

	/* Behind a right Ethernet header, so that the noise is looked at. */
	for (uint32_t at = VMN_ETHERNET_BYTES; at < length; at++)
		frame->bytes[at] = (uint8_t)next(generator);
	frame->length = length;
}

static void generate_kind(struct generator *generator, int direction, struct input *input)
{
	static const uint8_t protocols[] = {0, 1, 2, 4, 6, 33, 41, 47, 50, 132, 136, 255};
	static const uint16_t ethertypes[] = {0, 46, 0x05ff, 0x0600, 0x8035, 0x86dd, 0x8847, 0x8864, 0x88cc, 0xffff};
	static const uint16_t tpids[] = {0x8100, 0x88a8, 0x9100, 0x9200};
	static const uint16_t fragments[] = {0x2000, 0x0001, 0x2001, 0x1fff, 0x8000, 0xc000, 0x6000};
	struct frame *frame = &input->frame;

	generate_udp(generator, direction, input);
	switch (below(generator, 20)) {
	case 0:
	case 1:
	case 2:
		generate_arp(generator, direction, input);
		break;
	case 3:
		frame->bytes[AT_IP_PROTOCOL] = PICK(generator, protocols);
		frame_fix_checksum(frame);
		break;
	case 4:
		put16(frame, AT_ETHERTYPE, PICK(generator, ethertypes));
		break;
	case 5:
		frame_push_tag(frame, PICK(generator, tpids), (uint16_t)next(generator));
		break;
	case 6:
		frame_push_options(frame, 1 + below(generator, 10));
		break;
	case 7:
		put16(frame, AT_IP_FRAGMENT, PICK(generator, fragments));
		frame_fix_checksum(frame);
		break;
	case 8:
		generate_noise(generator, input);
		break;
	case 9:
		frame->bytes[AT_IP_TTL] = (uint8_t)below(generator, 2);
		frame_fix_checksum(frame);
		break;
	case 10:
		put16(frame, one_in(generator, 2) ? AT_UDP_SOURCE : AT_UDP_DESTINATION, 0);
		break;
	}
}

/* One edit at a place that some rule reads. */
static void bend(struct generator *generator, struct input *input)
{
	static const uint16_t values[] = {0, 1, 7, 8, 19, 20, 27, 28, 0x7fff, 0x8000, 0xfffe, 0xffff};
	static const uint32_t fields[] = {AT_ETHERTYPE,  AT_IP_TOTAL,        AT_IP_FRAGMENT,  AT_IP_CHECKSUM,
	                                  AT_UDP_SOURCE, AT_UDP_DESTINATION, AT_UDP_LENGTH,   AT_ARP,
	                                  AT_ARP + 2,    AT_ARP + 4,         AT_ARP_OPERATION};
	static const uint32_t lengths[] = {14, 15, 17, 18, 33, 34, 35, 41, 42, 43, 45, 46, 47, 59, 60, 61};
	struct frame *frame = &input->frame;
	uint32_t at = below(generator, 46);

	switch (below(generator, 9)) {
	case 0:
		frame->bytes[at] ^= (uint8_t)(1 << below(generator, 8));
		break;
	case 1:
		frame->bytes[at] = (uint8_t)next(generator);
		break;
	case 2:
		put16(frame, PICK(generator, fields), PICK(generator, values));
		break;
	case 3:
		at = PICK(generator, fields);
		put16(frame, at, (uint16_t)(get16(frame, at) + below(generator, 17) - 8));
		break;
	case 4:
		if (frame->length > 14)
			frame->length = 14 + below(generator, frame->length - 14);
		break;
	case 5:
		at = PICK(generator, lengths);
		if (frame->length > at)
			frame->length = at;
		break;
	case 6:
		if (frame->length < 1600)
			frame_pad(frame, 1 + below(generator, 64), (uint8_t)next(generator));
		break;
	case 7: /* an address of the policy where another belongs */
		memcpy(frame->bytes + (one_in(generator, 2) ? AT_IP_SOURCE : AT_IP_DESTINATION),
		       one_in(generator, 2) ? &input->policy.guest_address_be : &input->policy.gateway_address_be, 4);
		break;
	case 8: /* a header length, with or without the bytes for it */
		frame->bytes[AT_IP] = (uint8_t)(0x40 | below(generator, 16));
		break;
	}
}

void generate_frame(struct generator *generator, int direction, struct input *input)
{
	static const uint32_t edits[] = {0, 0, 0, 1, 1, 1, 2, 3};
	uint32_t count = PICK(generator, edits);

	input->vlan_in_metadata = one_in(generator, 32);
	input->super_frame = one_in(generator, 16) ? VMN_SUPER_OTHER : VMN_SUPER_NONE;
	input->segment_bytes = input->super_frame ? 1 + below(generator, 1500) : 0;
	input->own_answer = false;
	input->pending_checksum_offset = 0;
	generate_kind(generator, direction, input);
	while (count--)
		bend(generator, input);
	if (get16(&input->frame, AT_ETHERTYPE) == VMN_ETHERTYPE_IPV4 && !one_in(generator, 5))
		frame_fix_checksum(&input->frame);
	if (one_in(generator, 40))
		input->own_answer = true;
}
