/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How much a VM may send: a token bucket for bits and one for packets, filled by the clock.
 *
 * Levels count billionths, so that filling is a multiplication by nanoseconds and nothing is ever rounded away. A frame
 * passes while there is anything in both buckets, and then pays in full, into debt if need be: a bucket smaller than a
 * frame works too, and over time exactly the rate goes through. A frame that is refused pays nothing.
 */
#ifndef VMN_LIMIT_H
#define VMN_LIMIT_H

#include "vmn/abi.h"
#include "vmn/bytes.h"
#include "vmn/reason.h"

/* What a bucket holds: this long at its rate. Over 10 s it is half a percent. */
#define VMN_BURST_NS 50000000ull
#define VMN_BILLION 1000000000ll

VMN_INLINE __u64 vmn_at_most(__u64 rate, __u64 most)
{
	return rate < most ? rate : most;
}

/* `level` after `elapsed_ns` more; `rate` in units a second, not 0 and at most VMN_BITS_PER_SECOND_MAX. */
VMN_INLINE __s64 vmn_refill(__s64 level, __u64 rate, __u64 elapsed_ns)
{
	__s64 full = (__s64)(rate * VMN_BURST_NS);
	__u64 room = level < full ? (__u64)full - (__u64)level : 0;

	/* The product of a longer time might not fit; what it would have to reach always does. */
	if (elapsed_ns >= VMN_BURST_NS && elapsed_ns > room / rate)
		return full;
	if (elapsed_ns * rate >= room)
		return full;
	return level + (__s64)(elapsed_ns * rate);
}

/* ALLOWED, BIT_RATE or PACKET_RATE. `wire_bytes`: with Ethernet headers, of all `packets` in the frame together. */
VMN_INLINE enum vmn_reason vmn_limit(const struct vmn_policy *policy, struct vmn_limiter *limiter, __u64 now_ns,
                                     __u32 wire_bytes, __u32 packets)
{
	__u64 bit_rate = vmn_at_most(policy->egress_bits_per_second, VMN_BITS_PER_SECOND_MAX);
	__u64 packet_rate = vmn_at_most(policy->packets_per_second, VMN_PACKETS_PER_SECOND_MAX);
	__u64 elapsed_ns = now_ns > limiter->last_ns ? now_ns - limiter->last_ns : 0;

	if (!limiter->last_ns)
		elapsed_ns = ~0ull; /* the first frame: full buckets, whatever the clock says */
	if (now_ns > limiter->last_ns)
		limiter->last_ns = now_ns;
	if (bit_rate)
		limiter->bits = vmn_refill(limiter->bits, bit_rate, elapsed_ns);
	if (packet_rate)
		limiter->packets = vmn_refill(limiter->packets, packet_rate, elapsed_ns);
	if (bit_rate && limiter->bits <= 0)
		return VMN_REASON_BIT_RATE;
	if (packet_rate && limiter->packets <= 0)
		return VMN_REASON_PACKET_RATE;
	if (bit_rate)
		limiter->bits -= (__s64)wire_bytes * 8 * VMN_BILLION;
	if (packet_rate)
		limiter->packets -= (__s64)packets * VMN_BILLION;
	return VMN_REASON_ALLOWED;
}

#endif
