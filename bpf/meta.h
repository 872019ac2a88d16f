/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What the verdict asks about a frame (vmn/meta.h), answered by the kernel's skb when it is asked. */
#ifndef VMN_BPF_META_H
#define VMN_BPF_META_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "vmn/meta.h"

#include "maps.h"
#include "sk-buff.h"

#define vmn_whole_frame __sk_buff

struct vmn_meta {
	struct __sk_buff *skb;
};

/* A guest can shape the linear part by its virtio-net header. When pulling fails the parser sees a short frame. */
static __always_inline void make_linear(struct __sk_buff *skb, __u32 bytes)
{
	__u32 frame_bytes = skb->len;

	if ((long)skb->data + bytes > (long)skb->data_end)
		bpf_skb_pull_data(skb, frame_bytes < bytes ? frame_bytes : bytes);
}

static __noinline __u64 exact_now_ns(void)
{
	return bpf_ktime_get_ns();
}

VMN_INLINE __u64 vmn_now_ns(const struct vmn_meta *meta)
{
	return exact_now_ns();
}

/* The nonce is left where a test can find it and come to the same draw. */
static __noinline __u64 fresh_nonce(struct __sk_buff *skb)
{
	__u64 nonce = bpf_ktime_get_ns() ^ (__u64)bpf_get_prandom_u32() << 32;

	skb->cb[1] = (__u32)nonce;
	skb->cb[2] = (__u32)(nonce >> 32);
	return nonce;
}

VMN_INLINE __u64 vmn_nonce(const struct vmn_meta *meta)
{
	return fresh_nonce(meta->skb);
}

VMN_INLINE __u32 vmn_frame_bytes(const struct vmn_meta *meta)
{
	return meta->skb->len;
}

VMN_INLINE __u32 vmn_pending_checksum_offset(const struct vmn_meta *meta)
{
	return pending_checksum_offset(meta->skb);
}

VMN_INLINE int vmn_is_super_frame(const struct vmn_meta *meta)
{
	return meta->skb->gso_size != 0;
}

VMN_INLINE __u32 vmn_super_frame_kind(const struct vmn_meta *meta)
{
	return super_frame_kind(meta->skb);
}

VMN_INLINE __u32 vmn_segment_bytes(const struct vmn_meta *meta)
{
	return meta->skb->gso_size;
}

VMN_INLINE int vmn_has_vlan_in_metadata(const struct vmn_meta *meta)
{
	return meta->skb->vlan_present != 0;
}

VMN_INLINE int vmn_is_own_answer(const struct vmn_meta *meta)
{
	return (meta->skb->mark & VMN_MARK_ANSWER) != 0;
}

static __noinline struct vmn_flows *flow_table(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&flows, &zero);
}

VMN_INLINE struct vmn_flows *vmn_flows_of(const struct vmn_meta *meta)
{
	return flow_table();
}

VMN_INLINE struct vmn_whole_frame *vmn_whole_frame_of(const struct vmn_meta *meta)
{
	return meta->skb;
}

VMN_INLINE int vmn_load_far32(const struct vmn_whole_frame *whole, __u32 offset, __u32 *value)
{
	/* Eight bytes, since what the helper writes to makes the verifier forget the whole slot. */
	__u64 word = 0;
	long error = bpf_skb_load_bytes(whole, offset, &word, sizeof(*value));

	*value = (__u32)word;
	return error != 0;
}

#endif
