/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Keeping an eye on the tunnel (vmn/tunnel.h): every handshake message, of data the first in a tick and direction. */
#ifndef VMN_BPF_WATCH_TUNNEL_H
#define VMN_BPF_WATCH_TUNNEL_H

#include "maps.h"
#include "meta.h"
#include "policy.h"

#include "vmn/tunnel.h"

/*
 * The tick of the data that was looked at last, by direction. A variable, not a map: it stands at an address that the code has as a
 * constant, and every frame asks for it.
 */
static volatile __u64 looked_at[2];

static __always_inline struct vmn_guarded_tunnel *guarded_tunnel(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tunnel, &zero);
}

/*
 * After a handshake message the next data is looked at, whenever it comes: it may be what shows that the handshake was taken.
 * Not static: see `report`.
 */
__noinline int note_message(struct __sk_buff *skb, __u32 direction)
{
	const struct vmn_policy *policy = policy_in_force();
	struct vmn_guarded_tunnel *guarded = guarded_tunnel();
	const struct vmn_meta meta = {.skb = skb};
	__u64 tick = bpf_jiffies64(), now_ns = bpf_ktime_get_ns();
	const __u8 *frame, *frame_end;
	struct vmn_message message;

	make_linear(skb, VMN_TUNNEL_FRAME_BYTES);
	frame = (const __u8 *)(long)skb->data;
	frame_end = (const __u8 *)(long)skb->data_end;
	if (!policy || !guarded || !vmn_holds(frame, frame_end, VMN_TUNNEL_FRAME_BYTES) ||
	    !vmn_tunnel_message(policy, &meta, direction, frame, &message))
		return 0;
	bpf_spin_lock(&guarded->lock);
	vmn_tunnel_note(&guarded->tunnel, &policy->endpoint, direction, &message, now_ns);
	if (message.head == VMN_WIREGUARD_DATA) {
		looked_at[direction & 1] = tick;
	} else {
		looked_at[0] = 0;
		looked_at[1] = 0;
	}
	bpf_spin_unlock(&guarded->lock);
	return 0;
}

/* Of a frame that passes. What is read without the lock only decides whether to look closer. */
static __always_inline void watch_tunnel(struct __sk_buff *skb, __u32 direction)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *data_end = (const __u8 *)(long)skb->data_end;
	__u32 head;

	if (!vmn_holds(data, data_end, VMN_JUDGED_BYTES))
		return;
	head = vmn_load32(data + VMN_UDP_PAYLOAD_OFFSET);
	if (head == VMN_WIREGUARD_DATA && looked_at[direction] == bpf_jiffies64())
		return;
	if (vmn_is_message_head(head))
		note_message(skb, direction);
}

#endif
