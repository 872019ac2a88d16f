// SPDX-License-Identifier: Apache-2.0
/* A frame, layer by layer: nothing is read behind its end, and what is announced stands where it is said to be. */
#include <stdio.h>
#include <stdlib.h>

#include "engine.h"
#include "mutate.h"

#define HOLDS(condition)                                                    \
	do {                                                                    \
		if (!(condition)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                   \
	} while (0)

static uint16_t net16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* Where the packet begins: behind the addresses and at most two tags. */
static uint32_t claim_link(const struct vmn_frame *frame, const uint8_t *bytes)
{
	uint32_t at = 12;
	int tags = 0;

	HOLDS(frame->ethernet.ethertype == net16(bytes + 12));
	while (tags < 2 && tags < frame->tag_count) {
		HOLDS(net16(bytes + at) == 0x8100 || net16(bytes + at) == 0x88a8 || net16(bytes + at) == 0x9100);
		HOLDS(frame->tags[tags].tpid == net16(bytes + at) && frame->tags[tags].tci == net16(bytes + at + 2));
		at += 4;
		tags++;
	}
	HOLDS(tags == frame->tag_count && frame->ethertype == net16(bytes + at));
	return at + 2;
}

static void claim_ipv4(const struct vmn_frame *frame, const uint8_t *bytes, uint32_t at, uint32_t length)
{
	const struct vmn_ipv4 *ip = &frame->ipv4;

	HOLDS(frame->ethertype == 0x0800 && !frame->has_arp && bytes[at] >> 4 == 4);
	HOLDS(ip->header_bytes >= 20 && ip->header_bytes == (bytes[at] & 15) * 4u);
	HOLDS(ip->total_bytes >= ip->header_bytes && at + ip->total_bytes <= length);
	HOLDS(ip->total_bytes == net16(bytes + at + 2) && ip->fragment == net16(bytes + at + 6));
	HOLDS(ip->ttl == bytes[at + 8] && ip->protocol == bytes[at + 9]);
	HOLDS(!memcmp(&ip->source_be, bytes + at + 12, 4) && !memcmp(&ip->destination_be, bytes + at + 16, 4));
	HOLDS(ip->payload_offset == at + ip->header_bytes);
	if (!frame->has_transport)
		return;
	HOLDS(!(ip->fragment & 0x1fff) && (ip->protocol == 17 || ip->protocol == 6));
	HOLDS(frame->transport.source_port == net16(bytes + ip->payload_offset));
	HOLDS(frame->transport.destination_port == net16(bytes + ip->payload_offset + 2));
	HOLDS(frame->transport.payload_offset <= at + ip->total_bytes);
	if (ip->protocol == 17 && !(ip->fragment & 0x2000))
		HOLDS(frame->transport.udp_bytes >= 8 && frame->transport.udp_bytes <= ip->total_bytes - ip->header_bytes);
}

static void claim_parse(enum vmn_parse parse, const struct vmn_frame *frame, const uint8_t *bytes, uint32_t length)
{
	uint32_t at;

	HOLDS(parse <= VMN_PARSE_TCP_HEADER_LENGTH);
	HOLDS((parse == VMN_PARSE_FRAME_TOO_SHORT) == (length < 14));
	if (length < 14)
		return;
	if (parse == VMN_PARSE_VLAN_TOO_SHORT) {
		HOLDS(length < 22 && !frame->has_arp && !frame->has_ipv4);
		return;
	}
	at = claim_link(frame, bytes);
	HOLDS(frame->payload_offset >= at && frame->payload_offset <= length);
	if (frame->has_arp)
		HOLDS(parse == VMN_PARSE_OK && frame->ethertype == 0x0806 && at + 28 <= length &&
		      !memcmp(&frame->arp.target_address_be, bytes + at + 24, 4));
	if (frame->has_ipv4)
		claim_ipv4(frame, bytes, at, length);
	HOLDS(!frame->has_transport || frame->has_ipv4);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	struct vmn_frame *frame = malloc(sizeof(*frame));
	uint8_t *block, *data;

	/* At an odd address or at none, as its length is. */
	block = malloc(bytes + bytes % 2 + (bytes == 0));
	data = block + bytes % 2;
	memcpy(data, input, bytes);
	claim_parse(engine_parse_frame(data, data + bytes, frame), frame, data, (uint32_t)bytes);
	HOLDS(!memcmp(data, input, bytes));
	free(block);
	free(frame);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t bytes, size_t most, unsigned int seed)
{
	struct vmn_policy policy = policy_plain();
	struct dice dice = dice_of(seed);
	static struct draft draft;

	if (one_in(&dice, 3))
		return LLVMFuzzerMutate(input, bytes, most);
	memset(&draft, 0, sizeof(draft));
	draft.frame.length = bytes < FRAME_BYTES_MAX - 64 ? (uint32_t)bytes : FRAME_BYTES_MAX - 64;
	memcpy(draft.frame.bytes, input, draft.frame.length);
	draft_mutate(&draft, &dice, &policy);
	if (draft.frame.length > most)
		draft.frame.length = (uint32_t)most;
	memcpy(input, draft.frame.bytes, draft.frame.length);
	return draft.frame.length;
}
