/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second opinion on a frame, small enough to be checked by reading: what must be so for it to pass, from the words of
 * design and RFCs, byte by byte. It names no reasons. It shares no line with vmn/parse.h and vmn/verdict.h on purpose.
 */
#ifndef VMN_FUZZ_EXPECT_H
#define VMN_FUZZ_EXPECT_H

#include "scene.h"

enum expect_remote {
	EXPECT_STRANGER,
	EXPECT_ENDPOINT,
	EXPECT_PREVIOUS, /* within its grace */
};

struct expectation {
	bool usable;   /* there is a policy, of this version, and not quarantined */
	bool arp;      /* the guest's question for its gateway, or the filter's own answer to it */
	bool identity; /* one sound IPv4 packet of the guest's own or for it: what no mode may overlook */
	bool datagram; /* and a whole UDP datagram, or a super-frame of whole ones, both ports those of somebody */
	bool shape;    /* and WireGuard's, where the policy asks for it */
	enum expect_remote remote;
	uint32_t remote_be; /* only with `datagram`, as are the ports */
	uint16_t remote_port, guest_port;
};

struct expectation expect_of(const struct scene_frame *frame);

/* Whether mode Filtered lets an IPv4 packet pass. */
static inline bool expect_right(const struct expectation *expected)
{
	return expected->identity && expected->datagram && expected->shape && expected->remote != EXPECT_STRANGER;
}

#endif
