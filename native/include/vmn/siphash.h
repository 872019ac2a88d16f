/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012; one round a word, three at the end, as hash
 * tables of Linux and others use it) over whole 64-bit words. Without the key nobody can tell what it gives, however many
 * results they have seen the effects of.
 */
#ifndef VMN_SIPHASH_H
#define VMN_SIPHASH_H

#include "vmn/bytes.h"

struct vmn_siphash {
	__u64 v0, v1, v2, v3;
};

VMN_INLINE __u64 vmn_rotate_left(__u64 value, unsigned int bits)
{
	return value << bits | value >> (64 - bits);
}

VMN_INLINE void vmn_siphash_round(struct vmn_siphash *hash)
{
	hash->v0 += hash->v1;
	hash->v2 += hash->v3;
	hash->v1 = vmn_rotate_left(hash->v1, 13) ^ hash->v0;
	hash->v3 = vmn_rotate_left(hash->v3, 16) ^ hash->v2;
	hash->v0 = vmn_rotate_left(hash->v0, 32);
	hash->v2 += hash->v1;
	hash->v0 += hash->v3;
	hash->v1 = vmn_rotate_left(hash->v1, 17) ^ hash->v2;
	hash->v3 = vmn_rotate_left(hash->v3, 21) ^ hash->v0;
	hash->v2 = vmn_rotate_left(hash->v2, 32);
}

VMN_INLINE void vmn_siphash_word(struct vmn_siphash *hash, __u64 word)
{
	hash->v3 ^= word;
	vmn_siphash_round(hash);
	hash->v0 ^= word;
}

/* Of `count` words; their bytes are those of little-endian memory. */
VMN_INLINE __u64 vmn_siphash13(const __u64 key[2], const __u64 *words, __u32 count)
{
	struct vmn_siphash hash;

	hash.v0 = key[0] ^ 0x736f6d6570736575ull;
	hash.v1 = key[1] ^ 0x646f72616e646f6dull;
	hash.v2 = key[0] ^ 0x6c7967656e657261ull;
	hash.v3 = key[1] ^ 0x7465646279746573ull;
	for (__u32 i = 0; i < count; i++)
		vmn_siphash_word(&hash, words[i]);
	vmn_siphash_word(&hash, (__u64)count << 59); /* the length in bytes, in the highest byte */
	hash.v2 ^= 0xff;
	vmn_siphash_round(&hash);
	vmn_siphash_round(&hash);
	vmn_siphash_round(&hash);
	return hash.v0 ^ hash.v1 ^ hash.v2 ^ hash.v3;
}

#endif
