/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A whole frame, layer by layer, for those who explain it (`vmnetctl explain`, tests). The filter does not use this: it
 * reads only what its next rule needs. Looks under up to two VLAN tags, so that a dropped frame can still be shown.
 */
#ifndef VMN_FRAME_H
#define VMN_FRAME_H

#include "vmn/parse.h"

#define VMN_TAGS_MAX 2

struct vmn_tag {
	__u16 tpid; /* 0x8100, 0x88a8 or 0x9100 */
	__u16 tci;  /* priority 3 bits, drop eligible 1, VLAN id 12 */
};

/* What `has_…` does not announce is unset. */
struct vmn_frame {
	struct vmn_ethernet ethernet; /* ethertype: as it stands in the header, a tag's too */
	struct vmn_tag tags[VMN_TAGS_MAX];
	__u8 tag_count;
	__u8 has_arp;
	__u8 has_ipv4;
	__u8 has_transport;   /* ports, from UDP or TCP, never from a later fragment */
	__u16 ethertype;      /* of the payload, under the tags; below VMN_ETHERTYPE_FIRST: an 802.3 length */
	__u32 payload_offset; /* of the innermost layer that was understood */
	struct vmn_arp arp;
	struct vmn_ipv4 ipv4;
	struct vmn_transport transport;
};

VMN_INLINE enum vmn_parse vmn_parse_tags(const __u8 *data, const __u8 *data_end, struct vmn_frame *frame)
{
	while (vmn_is_vlan(frame->ethertype) && frame->tag_count < VMN_TAGS_MAX) {
		const __u8 *at = data + frame->payload_offset;

		if (!vmn_holds(data, data_end, frame->payload_offset + 4))
			return VMN_PARSE_VLAN_TOO_SHORT;
		frame->tags[frame->tag_count].tpid = frame->ethertype;
		frame->tags[frame->tag_count].tci = VMN_NET16(vmn_load16(at));
		frame->tag_count++;
		frame->ethertype = VMN_NET16(vmn_load16(at + 2));
		frame->payload_offset += 4;
	}
	return VMN_PARSE_OK;
}

/*
 * The transport header. A first fragment carries ports but not all of the datagram that its length field speaks of, so
 * there only the header's presence is checked.
 */
VMN_INLINE enum vmn_parse vmn_parse_transport(const __u8 *data, const __u8 *data_end, struct vmn_frame *frame)
{
	const struct vmn_ipv4 *ip = &frame->ipv4;
	__u32 payload_bytes = ip->total_bytes - ip->header_bytes;
	enum vmn_parse parse;

	if (vmn_is_later_fragment(ip))
		return VMN_PARSE_OK;
	if (ip->protocol == VMN_PROTOCOL_UDP)
		parse = vmn_parse_udp(data, data_end, ip->payload_offset, payload_bytes, &frame->transport);
	else if (ip->protocol == VMN_PROTOCOL_TCP)
		parse = vmn_parse_tcp(data, data_end, ip->payload_offset, payload_bytes, &frame->transport);
	else
		return VMN_PARSE_OK;

	if (parse == VMN_PARSE_UDP_LENGTH && vmn_is_fragment(ip) && frame->transport.udp_bytes >= VMN_UDP_BYTES)
		parse = VMN_PARSE_OK;
	if (parse == VMN_PARSE_OK) {
		frame->has_transport = 1;
		frame->payload_offset = frame->transport.payload_offset;
	}
	return parse;
}

/* Everything that can be read of data..data_end, which is the whole frame. What came before a failure is filled in. */
VMN_INLINE enum vmn_parse vmn_parse_frame(const __u8 *data, const __u8 *data_end, struct vmn_frame *frame)
{
	__u32 frame_bytes = (__u32)(data_end - data);
	enum vmn_parse parse;

	__builtin_memset(frame, 0, sizeof(*frame));
	parse = vmn_parse_ethernet(data, data_end, &frame->ethernet);
	if (parse != VMN_PARSE_OK)
		return parse;
	frame->ethertype = frame->ethernet.ethertype;
	frame->payload_offset = frame->ethernet.payload_offset;
	parse = vmn_parse_tags(data, data_end, frame);
	if (parse != VMN_PARSE_OK)
		return parse;

	if (frame->ethertype == VMN_ETHERTYPE_ARP) {
		parse = vmn_parse_arp(data, data_end, frame->payload_offset, &frame->arp);
		frame->has_arp = parse == VMN_PARSE_OK;
		return parse;
	}
	if (frame->ethertype != VMN_ETHERTYPE_IPV4)
		return VMN_PARSE_OK;

	parse = vmn_parse_ipv4(data, data_end, frame_bytes, frame->payload_offset, &frame->ipv4);
	if (parse != VMN_PARSE_OK)
		return parse;
	frame->has_ipv4 = 1;
	frame->payload_offset = frame->ipv4.payload_offset;
	return vmn_parse_transport(data, data_end, frame);
}

#endif
