/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How the filter touches a frame: one bounds check and unaligned loads. A frame's Ethernet header is 14 bytes, so what
 * follows it is never aligned in memory.
 *
 * The two spellings mean the same. The BPF verifier only believes a comparison of packet pointers, and its target would
 * turn memcpy from an unaligned address into single bytes; on a host, a pointer past the buffer or an unaligned load is
 * undefined behaviour.
 */
#ifndef VMN_BYTES_H
#define VMN_BYTES_H

#include <linux/types.h>

#define VMN_INLINE static inline __attribute__((always_inline))
/*
 * What few frames need, kept out of the way of the others: in BPF a function of its own, since with everything in one the
 * compiler runs out of registers and the common path pays for the rare ones.
 */
#ifdef __bpf__
#define VMN_RARE static __attribute__((noinline))
#else
#define VMN_RARE static inline __attribute__((unused))
#endif

/* The same for a loop that the BPF verifier shall walk once, by itself, and not again for each way that leads to it. */
#ifdef __bpf__
#define VMN_SUBPROGRAM __attribute__((noinline))
#else
#define VMN_SUBPROGRAM VMN_RARE
#endif

/*
 * Keeps the compiler from carrying along what it could compute anew from the variable. The verifier knows little of what
 * was spilled to the stack, least on old kernels, and a loop whose counter it lost never ends.
 */
#ifdef __bpf__
#define VMN_OPAQUE(variable) asm volatile("" : "+r"(variable))
#else
#define VMN_OPAQUE(variable) ((void)(variable))
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define VMN_NET16(value) __builtin_bswap16(value)
#define VMN_NET32(value) __builtin_bswap32(value)
#else
#define VMN_NET16(value) (value)
#define VMN_NET32(value) (value)
#endif

/* Whether the bytes [data, data + length) lie before data_end. */
VMN_INLINE int vmn_holds(const __u8 *data, const __u8 *data_end, __u32 length)
{
#ifdef __bpf__
	return data + length <= data_end;
#else
	return data_end >= data && (__u64)(data_end - data) >= length;
#endif
}

/* Two and four bytes as they stand in the frame. The caller has checked the bounds. */
VMN_INLINE __u16 vmn_load16(const __u8 *at)
{
#ifdef __bpf__
	return *(const __u16 *)at;
#else
	__u16 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
#endif
}

VMN_INLINE __u32 vmn_load32(const __u8 *at)
{
#ifdef __bpf__
	return *(const __u32 *)at;
#else
	__u32 value;

	__builtin_memcpy(&value, at, sizeof(value));
	return value;
#endif
}

VMN_INLINE int vmn_same_mac(const __u8 *a, const __u8 *b)
{
	return vmn_load32(a) == vmn_load32(b) && vmn_load16(a + 4) == vmn_load16(b + 4);
}

VMN_INLINE int vmn_is_broadcast_mac(const __u8 *mac)
{
	return vmn_load32(mac) == 0xffffffffu && vmn_load16(mac + 4) == 0xffffu;
}

/* Multicast or broadcast: the lowest bit of the first byte (IEEE 802-2014, 8.2.2). */
VMN_INLINE int vmn_is_group_mac(const __u8 *mac)
{
	return mac[0] & 1;
}

#endif
