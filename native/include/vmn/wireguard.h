/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What a WireGuard message looks like from outside (the WireGuard paper, 5.4). A shape is no proof: it keeps ordinary
 * protocols from being spoken to the endpoint by accident or convenience, not a determined guest from wrapping its own.
 */
#ifndef VMN_WIREGUARD_H
#define VMN_WIREGUARD_H

#include "vmn/bytes.h"

#define VMN_WIREGUARD_HEAD_BYTES 4

/* The heads of messages as they stand in the frame: type, then three reserved zeros. */
#define VMN_WIREGUARD_INITIATION VMN_NET32(0x01000000u)
#define VMN_WIREGUARD_RESPONSE VMN_NET32(0x02000000u)
#define VMN_WIREGUARD_COOKIE VMN_NET32(0x03000000u)
#define VMN_WIREGUARD_DATA VMN_NET32(0x04000000u)

/*
 * A data message: a header of 16, a padded packet, a tag of 16. Senders pad to 16, but never beyond the MTU of their tunnel
 * (5.4.6): with the usual 1420 every full packet is 1452 long. So an odd length is right for long messages only. 576: the
 * packet that every IPv4 host takes (RFC 791), and no tunnel has a smaller MTU.
 */
#define VMN_WIREGUARD_DATA_OVERHEAD 32
#define VMN_WIREGUARD_LEAST_MTU 576

VMN_INLINE int vmn_is_wireguard_data(__u32 payload_bytes)
{
	return payload_bytes >= VMN_WIREGUARD_DATA_OVERHEAD &&
	       (payload_bytes % 16 == 0 || payload_bytes >= VMN_WIREGUARD_DATA_OVERHEAD + VMN_WIREGUARD_LEAST_MTU);
}

/*
 * `head`: the first four bytes of the datagram's payload as they stand in the frame. `payload_bytes`: length of that
 * payload.
 */
VMN_INLINE int vmn_is_wireguard(__u32 head, __u32 payload_bytes)
{
	switch (head) {
	case VMN_WIREGUARD_INITIATION:
		return payload_bytes == 148;
	case VMN_WIREGUARD_RESPONSE:
		return payload_bytes == 92;
	case VMN_WIREGUARD_COOKIE:
		return payload_bytes == 64;
	case VMN_WIREGUARD_DATA: /* keepalives too */
		return vmn_is_wireguard_data(payload_bytes);
	default:
		return 0;
	}
}

#endif
