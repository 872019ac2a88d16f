// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The eBPF engine: one program for each direction of one VM's tap.
 *
 * Nothing is decided here. A frame is made readable, judged by vmn/verdict.h, counted by its reason, and let through or
 * dropped. Every path that is not an explicit pass ends in TC_ACT_SHOT.
 *
 * For BPF_PROG_TEST_RUN the judgement is left in skb->cb: [0] reason, [1] and [2] the nonce of mode Sampled, low word
 * first, [3] audited. Nothing on the host reads it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "vmn/abi.h"

#include "maps.h"
#include "meta.h"
#include "policy.h"
#include "report.h"
#include "watch-tunnel.h"

#include "vmn/verdict.h"

#define JUDGED_AUDITED 0x100u

/*
 * The rules, in a subprogram that the verifier walks once, and not anew for each way in which a frame can fail to be plain.
 * Of its result it believes nothing but that it is a number: the reason, and above it whether it was audited. It looks for
 * the policy itself, so that a frame caught in a change is judged by the newer one.
 */
__noinline int judge_by_rules(struct __sk_buff *skb, __u32 direction)
{
	const struct vmn_meta meta = {.skb = skb};
	struct vmn_judgement judgement = vmn_judge_by_rules(
		policy_in_force(), &meta, direction, (const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end);

	return judgement.reason | (judgement.audited ? JUDGED_AUDITED : 0);
}

static __always_inline struct vmn_judgement vmn_judge_apart(const struct vmn_meta *meta, __u32 direction)
{
	__u32 judged = (__u32)judge_by_rules(meta->skb, direction);
	struct vmn_judgement judgement = {judged & (JUDGED_AUDITED - 1), judged / JUDGED_AUDITED & 1};

	return judgement;
}

/* Asks the limits. Without its memory a limit lets nothing through. */
static __noinline enum vmn_reason limit(const struct vmn_policy *policy, __u32 wire_bytes, __u32 packets)
{
	__u32 zero = 0;
	struct vmn_guarded_state *guarded = bpf_map_lookup_elem(&state, &zero);
	__u64 now_ns = tick_ns(this_cpu());
	enum vmn_reason reason;

	if (!guarded || !policy)
		return VMN_REASON_BIT_RATE;
	bpf_spin_lock(&guarded->lock);
	reason = vmn_limit(policy, &guarded->state.limiter, now_ns, wire_bytes, packets);
	bpf_spin_unlock(&guarded->lock);
	return reason;
}

static __always_inline struct vmn_judgement judge(struct __sk_buff *skb, const struct vmn_policy *policy,
                                                  __u32 direction)
{
	const struct vmn_meta meta = {.skb = skb};
	struct vmn_judgement judgement;

	make_linear(skb, VMN_JUDGED_BYTES);
	judgement = vmn_judge(policy, &meta, direction, (const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end);
	if (policy && vmn_is_limited(policy, direction, &judgement))
		vmn_judge_limited(policy, &judgement, limit(policy, vmn_wire_bytes(&meta), vmn_wire_packets(&meta)));

	skb->cb[0] = judgement.reason;
	if (judgement.audited)
		skb->cb[3] = 1;
	count(direction, &judgement, skb->len);
	if (vmn_is_drop(judgement.reason))
		report(skb, direction, judgement.reason, judgement.audited);
	else
		watch_tunnel(skb, direction);
	return judgement;
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

SEC("tc")
int vmn_from_vm(struct __sk_buff *skb)
{
	const struct vmn_policy *policy = policy_in_force();
	struct vmn_judgement judgement = judge(skb, policy, VMN_DIRECTION_FROM_VM);

	if (!vmn_passes(&judgement))
		return TC_ACT_SHOT;
	if (judgement.reason == VMN_REASON_ARP_ANSWERED)
		return policy ? answer_arp(skb, policy) : TC_ACT_SHOT;
	skb->mark |= VMN_MARK_ALLOWED;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int vmn_to_vm(struct __sk_buff *skb)
{
	struct vmn_judgement judgement = judge(skb, policy_in_force(), VMN_DIRECTION_TO_VM);

	return vmn_passes(&judgement) ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
