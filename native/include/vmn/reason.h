/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Why a frame was let through or dropped. Numbers are stable and never reused: they are indices of the counters in the
 * kernel, metric labels and what operators search for. Below VMN_REASON_FIRST_DROP the frame passes or is answered;
 * from it on the frame is dropped. Whoever adds a line here also adds it to src/filter/drop-reason.ts and
 * docs/drop-reasons.md; a test holds the three together.
 */
#ifndef VMN_REASON_H
#define VMN_REASON_H

#define VMN_REASONS(X)                                 \
	X(0, ALLOWED, "Allowed")                           \
	X(1, ALLOWED_PREVIOUS, "AllowedPreviousEndpoint")  \
	X(2, ARP_ANSWERED, "ArpAnswered")                  \
	X(3, ALLOWED_FLOW, "AllowedFlow")                  \
	X(4, ALLOWED_UNSAMPLED, "AllowedUnsampled")        \
	X(5, ALLOWED_DIRECT, "AllowedDirect")              \
	X(16, NO_POLICY, "NoPolicy")                       \
	X(17, POLICY_ABI, "PolicyAbi")                     \
	X(18, QUARANTINED, "Quarantined")                  \
	X(19, FRAME_TOO_SHORT, "FrameTooShort")            \
	X(20, SOURCE_MAC, "SourceMac")                     \
	X(21, DESTINATION_MAC, "DestinationMac")           \
	X(22, GROUP_MAC, "GroupMac")                       \
	X(23, VLAN, "Vlan")                                \
	X(24, ETHERTYPE, "EtherType")                      \
	X(25, ARP_MALFORMED, "ArpMalformed")               \
	X(26, ARP_SPOOFED, "ArpSpoofed")                   \
	X(27, ARP_NOT_GATEWAY, "ArpNotGateway")            \
	X(28, ARP_FROM_HOST, "ArpFromHost")                \
	X(29, IPV6, "Ipv6")                                \
	X(30, IP_VERSION, "IpVersion")                     \
	X(31, IP_HEADER_LENGTH, "IpHeaderLength")          \
	X(32, IP_OPTIONS, "IpOptions")                     \
	X(33, IP_TOTAL_LENGTH, "IpTotalLength")            \
	X(34, IP_FRAGMENT, "IpFragment")                   \
	X(35, IP_CHECKSUM, "IpChecksum")                   \
	X(36, IP_TTL, "IpTtl")                             \
	X(37, SOURCE_ADDRESS, "SourceAddress")             \
	X(38, PROTOCOL, "Protocol")                        \
	X(39, UDP_LENGTH, "UdpLength")                     \
	X(40, DESTINATION_ADDRESS, "DestinationAddress")   \
	X(41, DESTINATION_PORT, "DestinationPort")         \
	X(42, PREVIOUS_EXPIRED, "PreviousEndpointExpired") \
	X(43, SOURCE_PORT, "SourcePort")                   \
	X(44, NOT_WIREGUARD, "NotWireGuard")               \
	X(45, SUPER_FRAME, "SuperFrame")                   \
	X(46, CHECKSUM_OFFLOAD, "ChecksumOffload")         \
	X(47, PACKET_TOO_BIG, "PacketTooBig")              \
	X(48, BIT_RATE, "BitRate")                         \
	X(49, PACKET_RATE, "PacketRate")                   \
	X(50, ICMP_TO_ENDPOINT, "IcmpToEndpoint")          \
	X(51, DENIED_NETWORK, "DeniedNetwork")

#define VMN_REASON_ENUM(number, symbol, name) VMN_REASON_##symbol = number,
enum vmn_reason { VMN_REASONS(VMN_REASON_ENUM) };
#undef VMN_REASON_ENUM

#define VMN_REASON_FIRST_DROP 16

/*
 * Drops that any decent guest causes: what systems say into the wild by themselves, what somebody else did, and sending
 * too much. The others mean that somebody in the guest tries to be, or to reach, what it may not.
 */
#define VMN_REASON_BIT(symbol) (1ull << VMN_REASON_##symbol)
#define VMN_HARMLESS_REASONS                                                                                           \
	(VMN_REASON_BIT(NO_POLICY) | VMN_REASON_BIT(POLICY_ABI) | VMN_REASON_BIT(QUARANTINED) |                            \
	 VMN_REASON_BIT(FRAME_TOO_SHORT) | VMN_REASON_BIT(GROUP_MAC) | VMN_REASON_BIT(ETHERTYPE) |                         \
	 VMN_REASON_BIT(ARP_NOT_GATEWAY) | VMN_REASON_BIT(ARP_FROM_HOST) | VMN_REASON_BIT(IPV6) | VMN_REASON_BIT(IP_TTL) | \
	 VMN_REASON_BIT(PREVIOUS_EXPIRED) | VMN_REASON_BIT(SUPER_FRAME) | VMN_REASON_BIT(PACKET_TOO_BIG) |                 \
	 VMN_REASON_BIT(BIT_RATE) | VMN_REASON_BIT(PACKET_RATE) | VMN_REASON_BIT(ICMP_TO_ENDPOINT))

static inline __attribute__((always_inline)) int vmn_is_drop(enum vmn_reason reason)
{
	return reason >= VMN_REASON_FIRST_DROP;
}

static inline __attribute__((always_inline)) int vmn_is_violation(enum vmn_reason reason)
{
	return vmn_is_drop(reason) && !(VMN_HARMLESS_REASONS >> (reason & 63) & 1);
}

#endif
