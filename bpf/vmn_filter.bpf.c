// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The eBPF engine: one program for each direction of one VM's tap.
 *
 * Nothing is decided here. A frame is made readable, judged by vmn/verdict.h, counted by its reason, and let through or
 * dropped. Every path that is not an explicit pass ends in TC_ACT_SHOT.
 *
 * The judgement is left in skb->cb[0] for BPF_PROG_TEST_RUN; nothing on the host reads it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "vmn/abi.h"
#include "vmn/verdict.h"

#include "checksum-offload.h"
#include "maps.h"

static __always_inline const struct vmn_policy *policy_in_force(void)
{
	__u32 zero = 0;
	void *policy = bpf_map_lookup_elem(&policy_slot, &zero);

	return policy ? bpf_map_lookup_elem(policy, &zero) : NULL;
}

static __always_inline enum vmn_reason judge(struct __sk_buff *skb, const struct vmn_policy *policy, __u32 direction)
{
	const __u8 *data = (const __u8 *)(long)skb->data;
	const __u8 *data_end = (const __u8 *)(long)skb->data_end;
	struct vmn_meta meta = {
		.frame_bytes = skb->len,
		.vlan_in_metadata = skb->vlan_present != 0,
		.super_frame = skb->gso_size != 0,
		.own_answer = (skb->mark & VMN_MARK_ANSWER) != 0,
	};

	/* A guest can shape the linear part by its virtio-net header. When pulling fails the parser sees a short frame. */
	if (data + VMN_JUDGED_BYTES > data_end) {
		bpf_skb_pull_data(skb, meta.frame_bytes < VMN_JUDGED_BYTES ? meta.frame_bytes : VMN_JUDGED_BYTES);
		data = (const __u8 *)(long)skb->data;
		data_end = (const __u8 *)(long)skb->data_end;
	}
	meta.pending_checksum_offset = vmn_pending_checksum_offset(skb);
	if (policy && policy->previous.port_be)
		meta.now_ns = bpf_ktime_get_ns();

	return direction == VMN_DIRECTION_FROM_VM ? vmn_judge_from_vm(policy, &meta, data, data_end)
	                                          : vmn_judge_to_vm(policy, &meta, data, data_end);
}

/* Turns the guest's request into its answer and sends it back out of the tap it came from. */
static __always_inline int answer_arp(struct __sk_buff *skb, const struct vmn_policy *policy)
{
	struct vmn_arp_frame answer;

	vmn_arp_answer(policy, &answer);
	/* Whatever padding the guest sent is cut off: the answer is made of policy bytes only. */
	if (skb->len != sizeof(answer) && bpf_skb_change_tail(skb, sizeof(answer), 0))
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, 0, &answer, sizeof(answer), BPF_F_INVALIDATE_HASH))
		return TC_ACT_SHOT;
	skb->mark |= VMN_MARK_ANSWER;
	return bpf_redirect(skb->ifindex, 0);
}

/* Tells user space about a dropped frame. A full ring loses the event, never the count. */
static __always_inline void report(struct __sk_buff *skb, const struct vmn_policy *policy, __u32 direction,
                                   enum vmn_reason reason)
{
	__u32 last_byte = skb->len - 1;
	struct vmn_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = bpf_ktime_get_ns();
	event->generation = policy ? policy->generation : 0;
	event->ifindex = skb->ifindex;
	event->frame_bytes = skb->len;
	event->direction = direction;
	event->reason = reason;
	/* Between 1 and 64, spelt so that neither clang nor the verifier of any kernel loses the bounds on the way. */
	if (last_byte > VMN_EVENT_HEAD_BYTES - 1)
		last_byte = VMN_EVENT_HEAD_BYTES - 1;
	asm volatile("%0 &= %1" : "+r"(last_byte) : "i"(VMN_EVENT_HEAD_BYTES - 1));
	if (!bpf_skb_load_bytes(skb, 0, event->head, last_byte + 1))
		event->head_bytes = last_byte + 1;
	bpf_ringbuf_submit(event, 0);
}

/*
 * A clock for rate limits, good to a tick. Reading the exact one costs as much as the whole filter, and a flood of
 * dropped frames would pay it for each. Kernels before 5.11 have only the exact one.
 */
static __always_inline __u64 roughly_now_ns(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_ktime_get_coarse_ns))
		return bpf_ktime_get_coarse_ns();
	return bpf_ktime_get_ns();
}

static __always_inline void count(struct __sk_buff *skb, const struct vmn_policy *policy, __u32 direction,
                                  enum vmn_reason reason, __u32 frame_bytes)
{
	__u32 slot = direction * VMN_REASON_SLOTS + (reason & (VMN_REASON_SLOTS - 1));
	struct vmn_counter *counter = bpf_map_lookup_elem(&counters, &slot);
	__u64 now_ns;

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += frame_bytes;
	if (!vmn_is_drop(reason))
		return;
	now_ns = roughly_now_ns();
	if (counter->last_event_ns && now_ns - counter->last_event_ns < VMN_EVENT_INTERVAL_NS)
		return;
	counter->last_event_ns = now_ns;
	report(skb, policy, direction, reason);
}

SEC("tc")
int vmn_from_vm(struct __sk_buff *skb)
{
	const struct vmn_policy *policy = policy_in_force();
	enum vmn_reason reason = judge(skb, policy, VMN_DIRECTION_FROM_VM);

	skb->cb[0] = reason;
	count(skb, policy, VMN_DIRECTION_FROM_VM, reason, skb->len);
	if (reason == VMN_REASON_ARP_ANSWERED && policy)
		return answer_arp(skb, policy);
	if (reason != VMN_REASON_ALLOWED && reason != VMN_REASON_ALLOWED_PREVIOUS)
		return TC_ACT_SHOT;
	skb->mark |= VMN_MARK_ALLOWED;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int vmn_to_vm(struct __sk_buff *skb)
{
	const struct vmn_policy *policy = policy_in_force();
	enum vmn_reason reason = judge(skb, policy, VMN_DIRECTION_TO_VM);

	skb->cb[0] = reason;
	count(skb, policy, VMN_DIRECTION_TO_VM, reason, skb->len);
	return vmn_is_drop(reason) ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
