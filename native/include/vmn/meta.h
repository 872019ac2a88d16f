/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What is known about a frame besides its bytes. The verdict asks for it by these functions, each only when a rule needs
 * the answer: in the kernel most answers cost something and few frames need them (bpf/meta.h). Elsewhere whoever holds the
 * frame fills in the struct.
 */
#ifndef VMN_META_H
#define VMN_META_H

#include "vmn/abi.h"
#include "vmn/bytes.h"

#define VMN_SUPER_NONE 0
#define VMN_SUPER_UDP 1   /* one UDP datagram that will be cut into many (SKB_GSO_UDP_L4) */
#define VMN_SUPER_OTHER 2 /* anything else that stands for several packets: fragments-to-be, tunnels, lists */
#define VMN_SUPER_TCP 3   /* one TCP segment that will be cut into many (SKB_GSO_TCPV4) */

/* UDP_MAX_SEGMENTS of the kernel since 6.9; before that it was 64. */
#define VMN_SEGMENTS_MAX 128

#ifndef __bpf__

struct vmn_whole_frame {
	const __u8 *data, *data_end;
};

struct vmn_meta {
	__u64 now_ns;      /* CLOCK_MONOTONIC; for policies with a previous endpoint */
	__u64 nonce;       /* another one for each frame; for mode SAMPLED */
	__u32 frame_bytes; /* whole length; what can be read may be shorter */
	/*
	 * Where the host will still write a checksum into this frame, after it was judged; 0: nowhere. The sender of a
	 * frame with a virtio-net header chooses that place, so a guest could have its port rewritten behind our back.
	 */
	__u32 pending_checksum_offset;
	__u32 segment_bytes;           /* of a super-frame: payload of each packet, of the last one what remains */
	__u8 super_frame;              /* VMN_SUPER_… */
	__u8 vlan_in_metadata;         /* the tag was taken off the frame and stands beside it */
	__u8 own_answer;               /* marked VMN_MARK_ANSWER by the from-VM program */
	struct vmn_flows *flows;       /* for mode CONNTRACK; NULL: every frame is the first of its flow */
	struct vmn_whole_frame *whole; /* for super-frames */
};

VMN_INLINE __u64 vmn_now_ns(const struct vmn_meta *meta)
{
	return meta->now_ns;
}

VMN_INLINE __u64 vmn_nonce(const struct vmn_meta *meta)
{
	return meta->nonce;
}

VMN_INLINE __u32 vmn_frame_bytes(const struct vmn_meta *meta)
{
	return meta->frame_bytes;
}

VMN_INLINE __u32 vmn_pending_checksum_offset(const struct vmn_meta *meta)
{
	return meta->pending_checksum_offset;
}

VMN_INLINE int vmn_is_super_frame(const struct vmn_meta *meta)
{
	return meta->super_frame != VMN_SUPER_NONE;
}

VMN_INLINE __u32 vmn_super_frame_kind(const struct vmn_meta *meta)
{
	return meta->super_frame;
}

VMN_INLINE __u32 vmn_segment_bytes(const struct vmn_meta *meta)
{
	return meta->segment_bytes;
}

VMN_INLINE int vmn_has_vlan_in_metadata(const struct vmn_meta *meta)
{
	return meta->vlan_in_metadata;
}

VMN_INLINE int vmn_is_own_answer(const struct vmn_meta *meta)
{
	return meta->own_answer;
}

VMN_INLINE struct vmn_flows *vmn_flows_of(const struct vmn_meta *meta)
{
	return meta->flows;
}

VMN_INLINE struct vmn_whole_frame *vmn_whole_frame_of(const struct vmn_meta *meta)
{
	return meta->whole;
}

/* Four bytes from anywhere in the frame, behind what was made readable too. 0 on success. */
VMN_INLINE int vmn_load_far32(const struct vmn_whole_frame *whole, __u32 offset, __u32 *value)
{
	if (!vmn_holds(whole->data, whole->data_end, offset + (__u32)sizeof(*value)))
		return -1;
	*value = vmn_load32(whole->data + offset);
	return 0;
}

#endif

#endif
