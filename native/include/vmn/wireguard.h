/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What a WireGuard message looks like from outside (the WireGuard paper, 5.4). A shape is no proof: it keeps ordinary
 * protocols from being spoken to the endpoint by accident or convenience, not a determined guest from wrapping its own.
 */
#ifndef VMN_WIREGUARD_H
#define VMN_WIREGUARD_H

#include "vmn/bytes.h"

#define VMN_WIREGUARD_HEAD_BYTES 4

/*
 * `head`: the first four bytes of the datagram's payload as they stand in the frame: type, then three reserved zeros.
 * `payload_bytes`: length of that payload. A data message is a header of 16, a ciphertext padded to 16 and a tag of 16.
 */
VMN_INLINE int vmn_is_wireguard(__u32 head, __u32 payload_bytes)
{
	switch (head) {
	case VMN_NET32(0x01000000u): /* handshake initiation */
		return payload_bytes == 148;
	case VMN_NET32(0x02000000u): /* handshake response */
		return payload_bytes == 92;
	case VMN_NET32(0x03000000u): /* cookie reply */
		return payload_bytes == 64;
	case VMN_NET32(0x04000000u): /* data, keepalive */
		return payload_bytes >= 32 && payload_bytes % 16 == 0;
	default:
		return 0;
	}
}

#endif
