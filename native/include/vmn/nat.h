/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the userspace engine writes for a guest: the headers of a datagram that its consumer sent. No I/O and no memory of
 * its own; the frame is judged afterwards, like any other.
 */
#ifndef VMN_NAT_H
#define VMN_NAT_H

#include "vmn/abi.h"
#include "vmn/parse.h"

/* Ethernet, IPv4 without options and UDP; the payload follows. */
#define VMN_NAT_HEADER_BYTES (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + VMN_UDP_BYTES)

/* The largest payload whose IPv4 total length can be written down. */
#define VMN_NAT_PAYLOAD_MAX (65535 - VMN_IPV4_BYTES - VMN_UDP_BYTES)

#define VMN_NAT_TTL 64

/* The sum of RFC 1071 over bytes as they stand in memory, not yet folded. The byte order of the host does not matter. */
VMN_INLINE __u64 vmn_sum(const __u8 *data, __u32 bytes)
{
	__u64 sum = 0;
	__u16 last = 0;

	for (; bytes >= 4; data += 4, bytes -= 4)
		sum += vmn_load32(data);
	if (bytes >= 2) {
		sum += vmn_load16(data);
		data += 2;
		bytes -= 2;
	}
	if (bytes) {
		__builtin_memcpy(&last, data, 1);
		sum += last;
	}
	return sum;
}

VMN_INLINE __u16 vmn_folded(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

VMN_INLINE void vmn_store16(__u8 *at, __u16 value)
{
	__builtin_memcpy(at, &value, sizeof(value));
}

/* Addresses and ports of a datagram on its way to the guest. */
struct vmn_nat_tuple {
	__u32 remote_be;
	__u16 remote_port_be;
	__u16 guest_port_be;
};

VMN_INLINE void vmn_nat_ipv4_header(const struct vmn_policy *policy, __u32 remote_be, __u32 total_bytes, __u8 *ip)
{
	__builtin_memset(ip, 0, VMN_IPV4_BYTES);
	ip[0] = 0x45;
	vmn_store16(ip + 2, VMN_NET16((__u16)total_bytes));
	/* One link to cross: it is never fragmented, so it needs no identification (RFC 6864, 4.1). */
	vmn_store16(ip + 6, VMN_NET16(VMN_IPV4_DONT_FRAGMENT));
	ip[8] = VMN_NAT_TTL;
	ip[9] = VMN_PROTOCOL_UDP;
	__builtin_memcpy(ip + 12, &remote_be, 4);
	__builtin_memcpy(ip + 16, &policy->guest_address_be, 4);
	vmn_store16(ip + 10, (__u16)~vmn_folded(vmn_sum(ip, VMN_IPV4_BYTES)));
}

/* The VMN_NAT_HEADER_BYTES before the payload, which has at most VMN_NAT_PAYLOAD_MAX bytes. */
VMN_INLINE void vmn_nat_headers(const struct vmn_policy *policy, const struct vmn_nat_tuple *tuple, const __u8 *payload,
                                __u32 payload_bytes, __u8 *frame)
{
	__u8 *ip = frame + VMN_ETHERNET_BYTES, *udp = ip + VMN_IPV4_BYTES;
	__u32 udp_bytes = VMN_UDP_BYTES + payload_bytes;
	__u16 checksum;

	__builtin_memcpy(frame, policy->guest_mac, 6);
	__builtin_memcpy(frame + 6, policy->gateway_mac, 6);
	vmn_store16(frame + 12, VMN_NET16(VMN_ETHERTYPE_IPV4));
	vmn_nat_ipv4_header(policy, tuple->remote_be, VMN_IPV4_BYTES + udp_bytes, ip);

	vmn_store16(udp, tuple->remote_port_be);
	vmn_store16(udp + 2, tuple->guest_port_be);
	vmn_store16(udp + 4, VMN_NET16((__u16)udp_bytes));
	vmn_store16(udp + 6, 0);
	/* The pseudo-header: both addresses, the protocol, the length. */
	checksum = (__u16)~vmn_folded(vmn_sum(ip + 12, 8) + VMN_NET16(VMN_PROTOCOL_UDP) + VMN_NET16((__u16)udp_bytes) +
	                              vmn_sum(udp, VMN_UDP_BYTES) + vmn_sum(payload, payload_bytes));
	/* 0 would mean that there is none (RFC 768). */
	vmn_store16(udp + 6, checksum ? checksum : 0xffff);
}

#endif
