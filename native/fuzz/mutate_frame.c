// SPDX-License-Identifier: Apache-2.0
#include "mutate.h"

#define LINEAR_ALL 255

static int direction_of(const struct draft *draft)
{
	return draft->head.flags & SCENE_TO_VM ? VMN_DIRECTION_TO_VM : VMN_DIRECTION_FROM_VM;
}

/* Lengths that agree with what is stored, and nothing behind it. */
static void store_all(struct draft *draft)
{
	draft->head.frame_bytes = draft->frame.length;
	draft->head.linear_bytes = LINEAR_ALL;
}

static uint32_t message_bytes(struct dice *dice, uint8_t type)
{
	static const uint32_t right[] = {0, 148, 92, 64};
	static const uint32_t sizes[] = {0, 1, 3, 4, 31, 32, 33, 48, 63, 65, 91, 93, 147, 149, 1472, 1473};

	if (one_in(dice, 5))
		return PICK(dice, sizes);
	return type >= 1 && type <= 3 ? right[type] : 32 + 16 * dice_below(dice, 90);
}

static void draft_datagram(struct draft *draft, struct dice *dice, const struct vmn_policy *policy)
{
	const struct vmn_endpoint *remote = one_in(dice, 3) ? &policy->previous : &policy->endpoint;
	uint8_t type = (uint8_t)(1 + dice_below(dice, 4));

	frame_udp(&draft->frame, policy, direction_of(draft), remote->address_be, VMN_NET16(remote->port_be), type,
	          message_bytes(dice, type));
	if (one_in(dice, 2))
		put16(&draft->frame, direction_of(draft) == VMN_DIRECTION_FROM_VM ? AT_UDP_SOURCE : AT_UDP_DESTINATION,
		      (uint16_t)(1 + dice_below(dice, 700)));
	if (one_in(dice, 6))
		draft->head.pending_checksum_offset = AT_UDP_CHECKSUM;
}

/* A datagram of several messages. Without their heads it is one of zeros, which may be very long. */
static void draft_super_frame(struct draft *draft, struct dice *dice, const struct vmn_policy *policy)
{
	static const uint32_t sizes[] = {32, 48, 64, 92, 148, 480, 1, 1472};
	static const uint32_t counts[] = {1, 2, 3, 63, 64, 65, 127, 128, 129};
	static const uint8_t types[] = {4, 4, 4, 2, 1, 4, 4, 4};
	uint32_t kind = dice_below(dice, 8), each = sizes[kind], count = PICK(dice, counts);
	uint32_t room = FRAME_BYTES_MAX - 64 - AT_PAYLOAD;

	if (each * count > room)
		count = room / each;
	frame_udp(&draft->frame, policy, direction_of(draft), policy->endpoint.address_be,
	          VMN_NET16(policy->endpoint.port_be), types[kind], each * count);
	for (uint32_t i = 0; i < count; i++)
		draft->frame.bytes[AT_PAYLOAD + i * each] = types[kind];
	draft->head.flags |= SCENE_SUPER_UDP;
	draft->head.segment_bytes = each;
	if (one_in(dice, 2))
		draft->head.pending_checksum_offset = AT_UDP_CHECKSUM;
	store_all(draft);
	if (!one_in(dice, 8))
		return;
	draft->head.frame_bytes = AT_IP + 65535;
	put16(&draft->frame, AT_IP_TOTAL, 65535);
	put16(&draft->frame, AT_UDP_LENGTH, 65515);
	frame_fix_checksum(&draft->frame);
	draft->head.segment_bytes = 512;
}

void draft_valid(struct draft *draft, struct dice *dice, const struct vmn_policy *policy)
{
	struct scene_head *head = &draft->head;

	head->flags &= SCENE_TO_VM | SCENE_SECOND_POLICY | SCENE_ODD;
	head->pending_checksum_offset = 0;
	head->segment_bytes = 0;
	switch (dice_below(dice, 8)) {
	case 0:
		head->flags &= (uint8_t)~SCENE_TO_VM;
		frame_arp_request(&draft->frame, policy);
		if (one_in(dice, 2))
			draft->frame.length = VMN_ARP_FRAME_BYTES;
		break;
	case 1:
		head->flags |= SCENE_TO_VM | SCENE_OWN_ANSWER;
		frame_arp_answer(&draft->frame, policy);
		break;
	case 2:
		draft_super_frame(draft, dice, policy);
		return;
	case 3:
		frame_ipv4(&draft->frame, policy, direction_of(draft), policy->endpoint.address_be, VMN_PROTOCOL_TCP, 40);
		draft->frame.bytes[AT_UDP + 12] = 0x50;
		head->pending_checksum_offset = one_in(dice, 2) ? AT_UDP + 16 : 0;
		if (one_in(dice, 3)) {
			head->flags |= SCENE_SUPER_UDP | SCENE_SUPER_OTHER;
			head->segment_bytes = 1 + dice_below(dice, 40);
		}
		break;
	default:
		draft_datagram(draft, dice, policy);
		break;
	}
	store_all(draft);
}

/* A field to the edge of what it may be. */
static void bend_field(struct draft *draft, struct dice *dice)
{
	static const uint16_t values[] = {0,      1,      2,      7,      8,      19,     20,     21,     27,
	                                  28,     0x0600, 0x05ff, 0x0800, 0x0806, 0x86dd, 0x8100, 0x88a8, 0x9100,
	                                  0x7fff, 0x8000, 0x4000, 0x2000, 0x1fff, 0xffff, 0x4545, 0x4644};
	static const uint32_t fields[] = {AT_ETHERTYPE,
	                                  AT_IP,
	                                  AT_IP_TOTAL,
	                                  AT_IP_FRAGMENT,
	                                  AT_IP_TTL,
	                                  AT_UDP_SOURCE,
	                                  AT_UDP_DESTINATION,
	                                  AT_UDP_LENGTH,
	                                  AT_PAYLOAD,
	                                  AT_ARP,
	                                  AT_ARP + 2,
	                                  AT_ARP + 4,
	                                  AT_ARP_OPERATION,
	                                  16,
	                                  18};
	uint32_t at = PICK(dice, fields);

	if (at + 2 > draft->frame.length)
		return;
	if (one_in(dice, 2))
		put16(&draft->frame, at, PICK(dice, values));
	else
		put16(&draft->frame, at, (uint16_t)(get16(&draft->frame, at) + dice_below(dice, 17) - 8));
}

/* What belongs to somebody of the policy, where another's belongs. */
static void bend_identity(struct draft *draft, struct dice *dice, const struct vmn_policy *policy)
{
	static const uint32_t macs[] = {0, 6, AT_ARP_SENDER_MAC, AT_ARP_TARGET_MAC};
	static const uint32_t addresses[] = {AT_IP_SOURCE, AT_IP_DESTINATION, AT_ARP_SENDER, AT_ARP_TARGET};
	const void *owners[] = {&policy->guest_address_be, &policy->gateway_address_be, &policy->endpoint.address_be,
	                        &policy->previous.address_be};

	if (draft->frame.length < 46)
		return;
	switch (dice_below(dice, 3)) {
	case 0:
		memcpy(draft->frame.bytes + PICK(dice, macs), one_in(dice, 2) ? policy->guest_mac : policy->gateway_mac, 6);
		break;
	case 1:
		memset(draft->frame.bytes + PICK(dice, macs), 0xff, one_in(dice, 2) ? 6 : 5);
		break;
	case 2:
		memcpy(draft->frame.bytes + PICK(dice, addresses), PICK(dice, owners), 4);
		break;
	}
}

static void bend_length(struct draft *draft, struct dice *dice)
{
	static const uint32_t lengths[] = {0, 13, 14, 17, 18, 33, 34, 37, 41, 42, 43, 45, 46, 47, 59, 60};
	struct frame *frame = &draft->frame;

	switch (dice_below(dice, 6)) {
	case 0:
		frame->length = PICK(dice, lengths);
		break;
	case 1:
		frame->length = dice_below(dice, frame->length + 1);
		break;
	case 2:
		if (frame->length + 64 < FRAME_BYTES_MAX)
			frame_pad(frame, 1 + dice_below(dice, 60), (uint8_t)dice_word(dice));
		break;
	case 3: /* an honest one */
		if (frame->length < AT_PAYLOAD || get16(frame, AT_ETHERTYPE) != VMN_ETHERTYPE_IPV4)
			break;
		put16(frame, AT_IP_TOTAL, (uint16_t)(frame->length - AT_IP));
		put16(frame, AT_UDP_LENGTH, (uint16_t)(frame->length - AT_UDP));
		break;
	case 4:
		draft->head.linear_bytes = (uint8_t)PICK(dice, lengths);
		return;
	case 5:
		draft->head.frame_bytes = one_in(dice, 2) ? dice_below(dice, SCENE_FRAME_BYTES_MAX) : frame->length + 1;
		return;
	}
	store_all(draft);
}

static void bend_head(struct draft *draft, struct dice *dice)
{
	static const uint32_t places[] = {0, 0, 1, 14, 24, 36, 39, 40, 41, 50, 65535, 0xffffffffu};
	static const uint32_t segments[] = {0, 1, 31, 32, 64, 512, 1472, 65535, 0x80000000u, 0xffffffffu};
	struct scene_head *head = &draft->head;

	switch (dice_below(dice, 5)) {
	case 0:
		head->flags ^= (uint8_t)(1 << dice_below(dice, 8));
		break;
	case 1:
		head->pending_checksum_offset = PICK(dice, places);
		break;
	case 2:
		head->segment_bytes = PICK(dice, segments);
		break;
	case 3:
		head->nonce = dice_word(dice);
		break;
	case 4:
		head->now_ns = one_in(dice, 4) ? dice_word(dice) : head->now_ns + dice_below(dice, 0x40000000);
		break;
	}
}

static void mutate_bytes(struct draft *draft)
{
	struct frame *frame = &draft->frame;

	frame->length = (uint32_t)LLVMFuzzerMutate(frame->bytes, frame->length, FRAME_BYTES_MAX - 64);
	store_all(draft);
}

void draft_mutate(struct draft *draft, struct dice *dice, const struct vmn_policy *policy)
{
	struct frame *frame = &draft->frame;

	switch (dice_below(dice, 12)) {
	case 0:
	case 1:
		draft_valid(draft, dice, policy);
		break;
	case 2:
	case 3:
		mutate_bytes(draft);
		break;
	case 4:
		bend_identity(draft, dice, policy);
		break;
	case 5:
	case 6:
		bend_length(draft, dice);
		break;
	case 7:
	case 8:
		bend_head(draft, dice);
		break;
	case 9:
		if (frame->length > 60 && frame->length < FRAME_BYTES_MAX - 100 && one_in(dice, 2))
			frame_push_options(frame, 1 + dice_below(dice, 10));
		else if (frame->length > 14 && frame->length < FRAME_BYTES_MAX - 100)
			frame_push_tag(frame, one_in(dice, 2) ? 0x8100 : 0x88a8, (uint16_t)dice_word(dice));
		store_all(draft);
		break;
	default:
		bend_field(draft, dice);
		break;
	}
	if (frame->length >= 34 && get16(frame, AT_ETHERTYPE) == VMN_ETHERTYPE_IPV4 && !one_in(dice, 6))
		frame_fix_checksum(frame);
}
