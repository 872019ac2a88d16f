/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From bytes to headers: Ethernet, ARP, IPv4, UDP, TCP. Says what a frame is and where it breaks off; what is allowed is
 * decided in verdict.h.
 *
 * Terms. `data`..`data_end` are the bytes that can be read. In the kernel that may be the first part of the frame only;
 * `frame_bytes` is the whole length, and length fields are checked against that. Numbers are in host byte order unless
 * the name ends in `_be`. Offsets count from the first byte of the frame. Everything is a view: nothing is copied out
 * but numbers.
 *
 * Failures are values. A function that fails has filled in what it read before it failed; the rest is unset.
 */
#ifndef VMN_PARSE_H
#define VMN_PARSE_H

#include "vmn/bytes.h"

#define VMN_ETHERNET_BYTES 14
#define VMN_ARP_BYTES 28
#define VMN_IPV4_BYTES 20
#define VMN_UDP_BYTES 8
#define VMN_TCP_BYTES 20

#define VMN_ETHERTYPE_IPV4 0x0800
#define VMN_ETHERTYPE_ARP 0x0806
#define VMN_ETHERTYPE_VLAN 0x8100 /* 802.1Q */
#define VMN_ETHERTYPE_IPV6 0x86dd
#define VMN_ETHERTYPE_QINQ 0x88a8        /* 802.1ad */
#define VMN_ETHERTYPE_QINQ_LEGACY 0x9100 /* QinQ before 802.1ad */
#define VMN_ETHERTYPE_FIRST 0x0600       /* below it the field is an 802.3 length */

#define VMN_PROTOCOL_ICMP 1
#define VMN_PROTOCOL_TCP 6
#define VMN_PROTOCOL_UDP 17

#define VMN_IPV4_RESERVED 0x8000 /* the "evil bit" of RFC 3514; must be zero */
#define VMN_IPV4_DONT_FRAGMENT 0x4000
#define VMN_IPV4_MORE_FRAGMENTS 0x2000
#define VMN_IPV4_FRAGMENT_OFFSET 0x1fff

#define VMN_PARSES(X)                     \
	X(OK, "Ok")                           \
	X(FRAME_TOO_SHORT, "FrameTooShort")   \
	X(VLAN_TOO_SHORT, "VlanTooShort")     \
	X(ARP_TOO_SHORT, "ArpTooShort")       \
	X(ARP_FORMAT, "ArpFormat")            \
	X(IP_TOO_SHORT, "IpTooShort")         \
	X(IP_VERSION, "IpVersion")            \
	X(IP_HEADER_LENGTH, "IpHeaderLength") \
	X(IP_TOTAL_LENGTH, "IpTotalLength")   \
	X(UDP_TOO_SHORT, "UdpTooShort")       \
	X(UDP_LENGTH, "UdpLength")            \
	X(TCP_TOO_SHORT, "TcpTooShort")       \
	X(TCP_HEADER_LENGTH, "TcpHeaderLength")

#define VMN_PARSE_ENUM(symbol, name) VMN_PARSE_##symbol,
enum vmn_parse { VMN_PARSES(VMN_PARSE_ENUM) };
#undef VMN_PARSE_ENUM

struct vmn_ethernet {
	const __u8 *destination;
	const __u8 *source;
	__u16 ethertype;
	__u32 payload_offset;
};

struct vmn_arp {
	__u16 hardware;
	__u16 protocol;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__u16 operation;
	const __u8 *sender_mac;
	__u32 sender_address_be;
	const __u8 *target_mac;
	__u32 target_address_be;
};

struct vmn_ipv4 {
	__u32 header_bytes;
	__u32 total_bytes;
	__u16 fragment; /* flags and offset, VMN_IPV4_… */
	__u8 ttl;
	__u8 protocol;
	__u32 source_be;
	__u32 destination_be;
	__u32 payload_offset;
};

/* What UDP and TCP have in common, and a UDP length. */
struct vmn_transport {
	__u16 source_port;
	__u16 destination_port;
	__u32 udp_bytes; /* the UDP length field; 0 for TCP */
	__u32 payload_offset;
};

VMN_INLINE int vmn_is_vlan(__u16 ethertype)
{
	return ethertype == VMN_ETHERTYPE_VLAN || ethertype == VMN_ETHERTYPE_QINQ || ethertype == VMN_ETHERTYPE_QINQ_LEGACY;
}

/* A piece of a datagram, the first one included. */
VMN_INLINE int vmn_is_fragment(const struct vmn_ipv4 *ip)
{
	return ip->fragment & (VMN_IPV4_MORE_FRAGMENTS | VMN_IPV4_FRAGMENT_OFFSET);
}

/* Without a transport header of its own: its first bytes are the sender's choice and never ports. */
VMN_INLINE int vmn_is_later_fragment(const struct vmn_ipv4 *ip)
{
	return ip->fragment & VMN_IPV4_FRAGMENT_OFFSET;
}

/* Fails with FRAME_TOO_SHORT. IEEE 802.3, 3.1.1. */
VMN_INLINE enum vmn_parse vmn_parse_ethernet(const __u8 *data, const __u8 *data_end, struct vmn_ethernet *ethernet)
{
	if (!vmn_holds(data, data_end, VMN_ETHERNET_BYTES))
		return VMN_PARSE_FRAME_TOO_SHORT;

	ethernet->destination = data;
	ethernet->source = data + 6;
	ethernet->ethertype = VMN_NET16(vmn_load16(data + 12));
	ethernet->payload_offset = VMN_ETHERNET_BYTES;
	return VMN_PARSE_OK;
}

/*
 * The ARP packet at `offset`. ARP_FORMAT when it is not about Ethernet and IPv4, since its addresses then have other
 * places; the operation is for the caller to judge. RFC 826.
 */
VMN_INLINE enum vmn_parse vmn_parse_arp(const __u8 *data, const __u8 *data_end, __u32 offset, struct vmn_arp *arp)
{
	const __u8 *at = data + offset;

	if (!vmn_holds(data, data_end, offset + VMN_ARP_BYTES))
		return VMN_PARSE_ARP_TOO_SHORT;

	arp->hardware = VMN_NET16(vmn_load16(at));
	arp->protocol = VMN_NET16(vmn_load16(at + 2));
	arp->hardware_bytes = at[4];
	arp->protocol_bytes = at[5];
	arp->operation = VMN_NET16(vmn_load16(at + 6));
	if (arp->hardware != 1 || arp->protocol != VMN_ETHERTYPE_IPV4 || arp->hardware_bytes != 6 ||
	    arp->protocol_bytes != 4)
		return VMN_PARSE_ARP_FORMAT;

	arp->sender_mac = at + 8;
	arp->sender_address_be = vmn_load32(at + 14);
	arp->target_mac = at + 18;
	arp->target_address_be = vmn_load32(at + 24);
	return VMN_PARSE_OK;
}

/*
 * The IPv4 header at `offset`. Fails with IP_TOO_SHORT, IP_VERSION, IP_HEADER_LENGTH (under 20 bytes or past the frame)
 * or IP_TOTAL_LENGTH (shorter than the header or past the frame); with the last one every field is filled in. Bytes
 * after the total length are padding. RFC 791, 3.1.
 */
VMN_INLINE enum vmn_parse vmn_parse_ipv4(const __u8 *data, const __u8 *data_end, __u32 frame_bytes, __u32 offset,
                                         struct vmn_ipv4 *ip)
{
	const __u8 *at = data + offset;

	if (frame_bytes < offset + VMN_IPV4_BYTES || !vmn_holds(data, data_end, offset + VMN_IPV4_BYTES))
		return VMN_PARSE_IP_TOO_SHORT;
	if (at[0] >> 4 != 4)
		return VMN_PARSE_IP_VERSION;

	ip->header_bytes = (at[0] & 0xf) * 4u;
	if (ip->header_bytes < VMN_IPV4_BYTES || offset + ip->header_bytes > frame_bytes)
		return VMN_PARSE_IP_HEADER_LENGTH;

	ip->total_bytes = VMN_NET16(vmn_load16(at + 2));
	ip->fragment = VMN_NET16(vmn_load16(at + 6));
	ip->ttl = at[8];
	ip->protocol = at[9];
	ip->source_be = vmn_load32(at + 12);
	ip->destination_be = vmn_load32(at + 16);
	ip->payload_offset = offset + ip->header_bytes;
	if (ip->total_bytes < ip->header_bytes || offset + ip->total_bytes > frame_bytes)
		return VMN_PARSE_IP_TOTAL_LENGTH;
	return VMN_PARSE_OK;
}

/*
 * The UDP header at `offset`, in an IP payload of `payload_bytes`. Fails with UDP_TOO_SHORT, or with UDP_LENGTH when the
 * length field is under 8 or past the packet. Never call it for a later fragment. RFC 768.
 */
VMN_INLINE enum vmn_parse vmn_parse_udp(const __u8 *data, const __u8 *data_end, __u32 offset, __u32 payload_bytes,
                                        struct vmn_transport *udp)
{
	const __u8 *at = data + offset;

	if (payload_bytes < VMN_UDP_BYTES || !vmn_holds(data, data_end, offset + VMN_UDP_BYTES))
		return VMN_PARSE_UDP_TOO_SHORT;

	udp->source_port = VMN_NET16(vmn_load16(at));
	udp->destination_port = VMN_NET16(vmn_load16(at + 2));
	udp->udp_bytes = VMN_NET16(vmn_load16(at + 4));
	udp->payload_offset = offset + VMN_UDP_BYTES;
	if (udp->udp_bytes < VMN_UDP_BYTES || udp->udp_bytes > payload_bytes)
		return VMN_PARSE_UDP_LENGTH;
	return VMN_PARSE_OK;
}

/* The TCP header at `offset`. Fails with TCP_TOO_SHORT or TCP_HEADER_LENGTH. RFC 9293, 3.1. */
VMN_INLINE enum vmn_parse vmn_parse_tcp(const __u8 *data, const __u8 *data_end, __u32 offset, __u32 payload_bytes,
                                        struct vmn_transport *tcp)
{
	const __u8 *at = data + offset;
	__u32 header_bytes;

	if (payload_bytes < VMN_TCP_BYTES || !vmn_holds(data, data_end, offset + VMN_TCP_BYTES))
		return VMN_PARSE_TCP_TOO_SHORT;

	header_bytes = (at[12] >> 4) * 4u;
	tcp->source_port = VMN_NET16(vmn_load16(at));
	tcp->destination_port = VMN_NET16(vmn_load16(at + 2));
	tcp->udp_bytes = 0;
	tcp->payload_offset = offset + header_bytes;
	if (header_bytes < VMN_TCP_BYTES || header_bytes > payload_bytes)
		return VMN_PARSE_TCP_HEADER_LENGTH;
	return VMN_PARSE_OK;
}

#endif
