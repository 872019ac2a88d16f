/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Where the host will still write into a frame after we judged it.
 *
 * A guest with a virtio-net header may ask for checksum offload and names the place itself (csum_start + csum_offset).
 * The host computes the sum late, on the way out of the uplink, over bytes the guest chose: pointed at the destination
 * port, it turns an allowed datagram into one for any port of the endpoint. struct __sk_buff does not show these fields,
 * so they are read from the sk_buff itself; CO-RE finds them by the running kernel's BTF. A read that fails yields a
 * place that no verdict accepts.
 *
 * Since Linux 6.2 the verifier lets us look at the sk_buff directly, which costs nothing. Before, bpf_probe_read_kernel
 * does the same for about 30 ns. Both need CAP_PERFMON.
 */
#ifndef VMN_CHECKSUM_OFFLOAD_H
#define VMN_CHECKSUM_OFFLOAD_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define VMN_CHECKSUM_PARTIAL 3 /* CHECKSUM_PARTIAL of <linux/skbuff.h> */
#define VMN_CHECKSUM_UNKNOWN 0xffffffffu

/* The part of the kernel's struct that we read. */
struct sk_buff {
	unsigned char *head;
	unsigned char *data;
	__u16 csum_start;  /* from head */
	__u16 csum_offset; /* from csum_start */
	__u8 ip_summed : 2;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym __weak;

static __always_inline __u32 vmn_checksum_offset(const unsigned char *head, const unsigned char *data, __u32 place)
{
	__u32 offset = place - (__u32)((__u64)data - (__u64)head);

	return offset ? offset : VMN_CHECKSUM_UNKNOWN;
}

static __always_inline __u32 vmn_probe_checksum_offset(const struct sk_buff *skb)
{
	unsigned char *head = NULL, *data = NULL;
	__u16 start = 0, offset = 0;

	if (BPF_CORE_READ_BITFIELD_PROBED(skb, ip_summed) != VMN_CHECKSUM_PARTIAL)
		return 0;
	if (bpf_core_read(&head, sizeof(head), &skb->head) || bpf_core_read(&data, sizeof(data), &skb->data) ||
	    bpf_core_read(&start, sizeof(start), &skb->csum_start) ||
	    bpf_core_read(&offset, sizeof(offset), &skb->csum_offset))
		return VMN_CHECKSUM_UNKNOWN;
	return vmn_checksum_offset(head, data, (__u32)start + offset);
}

/* Offset in the frame of the checksum that is pending, 0 when none is. */
static __always_inline __u32 vmn_pending_checksum_offset(struct __sk_buff *ctx)
{
	const struct sk_buff *skb;

	/* At run time the context of a tc program is the sk_buff itself. */
	if (!bpf_cast_to_kern_ctx)
		return vmn_probe_checksum_offset((const void *)ctx);
	skb = bpf_cast_to_kern_ctx(ctx);
	if (BPF_CORE_READ_BITFIELD(skb, ip_summed) != VMN_CHECKSUM_PARTIAL)
		return 0;
	return vmn_checksum_offset(skb->head, skb->data, (__u32)skb->csum_start + skb->csum_offset);
}

#endif
