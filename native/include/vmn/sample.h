/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which frames mode Sampled looks at. A guest that could tell would send what it should not in between, and it sees which
 * of its frames got through: so the draw is a keyed hash, of a nonce that need not be secret, under a secret it never sees.
 * A plain pseudo-random generator would not do: its outputs are linear in its state, and a few dozen drops give it away.
 */
#ifndef VMN_SAMPLE_H
#define VMN_SAMPLE_H

#include "vmn/abi.h"
#include "vmn/siphash.h"

/* True for sample_per_million of a million nonces. */
VMN_RARE int vmn_is_drawn(const struct vmn_policy *policy, __u64 nonce)
{
	__u64 draw = vmn_siphash13(policy->secret, &nonce, 1);

	return (draw >> 32) * VMN_MILLION >> 32 < policy->sample_per_million;
}

#endif
