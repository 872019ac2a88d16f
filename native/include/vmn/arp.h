/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The one ARP exchange that exists between a guest and its host: "who has the gateway?", answered by the filter itself.
 * The guest's ARP never reaches the host's stack, and the host's never reaches the guest.
 */
#ifndef VMN_ARP_H
#define VMN_ARP_H

#include "vmn/abi.h"
#include "vmn/parse.h"

#define VMN_ARP_REQUEST 1
#define VMN_ARP_REPLY 2

/* Both headers and nothing else: the answer is not padded. */
#define VMN_ARP_FRAME_BYTES (VMN_ETHERNET_BYTES + VMN_ARP_BYTES)

/* Ethernet and ARP as they stand in the frame. */
struct vmn_arp_frame {
	__u8 destination[6];
	__u8 source[6];
	__u16 ethertype_be;
	__u16 hardware_be;
	__u16 protocol_be;
	__u8 hardware_bytes;
	__u8 protocol_bytes;
	__u16 operation_be;
	__u8 sender_mac[6];
	__u8 sender_address_be[4];
	__u8 target_mac[6];
	__u8 target_address_be[4];
};

VMN_STATIC_ASSERT(sizeof(struct vmn_arp_frame) == VMN_ARP_FRAME_BYTES, "vmn_arp_frame has no holes");

/* The answer to this policy's guest; the only ARP frame that may ever reach it. */
VMN_INLINE void vmn_arp_answer(const struct vmn_policy *policy, struct vmn_arp_frame *answer)
{
	__builtin_memcpy(answer->destination, policy->guest_mac, 6);
	__builtin_memcpy(answer->source, policy->gateway_mac, 6);
	answer->ethertype_be = VMN_NET16(VMN_ETHERTYPE_ARP);
	answer->hardware_be = VMN_NET16(1);
	answer->protocol_be = VMN_NET16(VMN_ETHERTYPE_IPV4);
	answer->hardware_bytes = 6;
	answer->protocol_bytes = 4;
	answer->operation_be = VMN_NET16(VMN_ARP_REPLY);
	__builtin_memcpy(answer->sender_mac, policy->gateway_mac, 6);
	__builtin_memcpy(answer->sender_address_be, &policy->gateway_address_be, 4);
	__builtin_memcpy(answer->target_mac, policy->guest_mac, 6);
	__builtin_memcpy(answer->target_address_be, &policy->guest_address_be, 4);
}

#endif
