/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The IPv4 header checksum (RFC 791, RFC 1071), for the one header length that the filter lets through. */
#ifndef VMN_CHECKSUM_H
#define VMN_CHECKSUM_H

#include "vmn/bytes.h"

/* Whether the 20 bytes at `header` sum up to a right checksum. The byte order of the host does not matter. */
VMN_INLINE int vmn_ipv4_checksum_right(const __u8 *header)
{
	__u64 sum = (__u64)vmn_load32(header) + vmn_load32(header + 4) + vmn_load32(header + 8) + vmn_load32(header + 12) +
	            vmn_load32(header + 16);

	sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

#endif
