/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What struct __sk_buff does not show of a frame, read from the kernel's own struct sk_buff. CO-RE finds the fields by the
 * running kernel's BTF. A read that fails yields something that no verdict accepts.
 *
 * Since Linux 6.2 the verifier lets us look at the sk_buff directly, which costs nothing. Before, bpf_probe_read_kernel
 * does the same for the price of a call; the object is built a second time for that (VMN_PROBE_SKB), since 5.13 to 5.15 refuse a
 * program that so much as names a function that they lack. Both need CAP_PERFMON.
 */
#ifndef VMN_SK_BUFF_H
#define VMN_SK_BUFF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "vmn/meta.h"

#define CHECKSUM_PARTIAL 3 /* <linux/skbuff.h>, as the others */
#define CHECKSUM_UNKNOWN 0xffffffffu
#define GSO_TCPV4 (1u << 0)
#define GSO_DODGY (1u << 1) /* SKB_GSO_…: from a guest, to be checked by whoever cuts it */
#define GSO_TCP_ECN (1u << 2)
#define GSO_UDP_L4 (1u << 17)

/* The parts of the kernel's structs that we read. */
struct sk_buff {
	unsigned char *head;
	unsigned char *data;
	unsigned int end;  /* from head; where struct skb_shared_info begins */
	__u16 csum_start;  /* from head */
	__u16 csum_offset; /* from csum_start */
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

struct skb_shared_info {
	unsigned int gso_type;
} __attribute__((preserve_access_index));

static __always_inline __u32 checksum_offset(const unsigned char *head, const unsigned char *data, __u32 place)
{
	__u32 offset = place - (__u32)((__u64)data - (__u64)head);

	return offset ? offset : CHECKSUM_UNKNOWN;
}

/*
 * Where the host will still write into a frame after we judged it; 0: nowhere. A guest with a virtio-net header may ask for
 * checksum offload and names the place itself. The host computes the sum late, on the way out of the uplink, over bytes
 * the guest chose: pointed at the destination port, it turns an allowed datagram into one for any port of the endpoint.
 */
#ifdef VMN_PROBE_SKB

static __always_inline __u32 pending_checksum_offset(struct __sk_buff *ctx)
{
	const struct sk_buff *skb = (const void *)ctx; /* at run time the context of a tc program is the sk_buff itself */
	unsigned char *head = NULL, *data = NULL;
	__u16 start = 0, offset = 0;

	if (BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed) != CHECKSUM_PARTIAL)
		return 0;
	if (bpf_core_read(&head, sizeof(head), &skb->head) || bpf_core_read(&data, sizeof(data), &skb->data) ||
	    bpf_core_read(&start, sizeof(start), &skb->csum_start) ||
	    bpf_core_read(&offset, sizeof(offset), &skb->csum_offset))
		return CHECKSUM_UNKNOWN;
	return checksum_offset(head, data, (__u32)start + offset);
}

#else

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;

static __always_inline __u32 pending_checksum_offset(struct __sk_buff *ctx)
{
	const struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx);

	if (BPF_CORE_READ_BITFIELD(skb, ip_summed) != CHECKSUM_PARTIAL)
		return 0;
	return checksum_offset(skb->head, skb->data, (__u32)skb->csum_start + skb->csum_offset);
}

#endif

/* VMN_SUPER_… of a frame with a gso_size; rare enough to be probed for on every kernel. */
static __noinline __u32 super_frame_kind(struct __sk_buff *ctx)
{
	const struct sk_buff *skb = (const void *)ctx;
	const struct skb_shared_info *shared;
	unsigned char *head = NULL;
	unsigned int end = 0, type = 0;

	if (bpf_core_read(&head, sizeof(head), &skb->head) || bpf_core_read(&end, sizeof(end), &skb->end))
		return VMN_SUPER_OTHER;
	shared = (const void *)(head + end);
	if (bpf_core_read(&type, sizeof(type), &shared->gso_type))
		return VMN_SUPER_OTHER;
	type &= ~GSO_DODGY;
	if (type == GSO_UDP_L4)
		return VMN_SUPER_UDP;
	return type == GSO_TCPV4 || type == (GSO_TCPV4 | GSO_TCP_ECN) ? VMN_SUPER_TCP : VMN_SUPER_OTHER;
}

#endif
