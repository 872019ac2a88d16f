/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Counting frames and telling user space about those that broke a rule. A lost event is counted, and so is what it was about. */
#ifndef VMN_BPF_REPORT_H
#define VMN_BPF_REPORT_H

#include "clock.h"
#include "maps.h"
#include "meta.h"
#include "policy.h"

#include "vmn/report.h"
#include "vmn/verdict.h"

static __always_inline void add_to(__u32 slot, __u32 frame_bytes)
{
	struct vmn_counter *counter = bpf_map_lookup_elem(&counters, &slot);

	if (!counter)
		return;
	counter->packets++;
	counter->bytes += frame_bytes;
}

static __always_inline void count(__u32 direction, const struct vmn_judgement *judgement, __u32 frame_bytes)
{
	__u32 block = (judgement->audited ? 2 : 0) + direction;

	add_to(block * VMN_REASON_SLOTS + (judgement->reason & (VMN_REASON_SLOTS - 1)), frame_bytes);
}

static __always_inline void tell(struct __sk_buff *skb, const struct vmn_policy *policy, __u32 direction,
                                 enum vmn_reason reason, __u32 audited, __u8 kind)
{
	__u32 last_byte = skb->len - 1;
	struct vmn_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		add_to(VMN_COUNTER_EVENTS_LOST, skb->len);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = bpf_ktime_get_ns();
	event->generation = policy ? policy->generation : 0;
	event->ifindex = skb->ifindex;
	event->frame_bytes = skb->len;
	event->direction = direction;
	event->reason = reason;
	event->kind = kind;
	event->audited = audited;
	/* Between 1 and 64, spelt so that neither clang nor the verifier of any kernel loses the bounds on the way. */
	if (last_byte > VMN_EVENT_HEAD_BYTES - 1)
		last_byte = VMN_EVENT_HEAD_BYTES - 1;
	asm volatile("%0 &= %1" : "+r"(last_byte) : "i"(VMN_EVENT_HEAD_BYTES - 1));
	if (!bpf_skb_load_bytes(skb, 0, event->head, last_byte + 1))
		event->head_bytes = last_byte + 1;
	bpf_ringbuf_submit(event, 0);
}

/* Adds a violation to the others of this VM. Whether they have become too many with it. */
static __always_inline int note_violation(const struct vmn_policy *policy, __u64 now_ns)
{
	__u32 zero = 0;
	struct vmn_guarded_state *guarded = bpf_map_lookup_elem(&state, &zero);
	int crossed;

	if (!guarded)
		return 0;
	bpf_spin_lock(&guarded->lock);
	crossed = vmn_violation_note(policy, &guarded->state.violations, now_ns);
	bpf_spin_unlock(&guarded->lock);
	return crossed;
}

/*
 * All that is said about a frame that broke a rule, after it was counted. Not static: so the verifier walks it once, by
 * itself, and not again for each way that leads to it.
 */
__noinline int report(struct __sk_buff *skb, __u32 direction, __u32 reason, __u32 audited)
{
	const struct vmn_policy *policy = policy_in_force();
	struct vmn_cpu *cpu = this_cpu();
	__u64 now_ns = tick_ns(cpu);
	__u32 kind =
		vmn_frame_kind(policy, direction, reason, (const __u8 *)(long)skb->data, (const __u8 *)(long)skb->data_end);
	enum vmn_report due = cpu ? vmn_report_due(&cpu->reports, kind, now_ns) : VMN_REPORT_SUPPRESSED;

	if (due == VMN_REPORT_NEW)
		tell(skb, policy, direction, reason, audited, VMN_EVENT_DROP);
	else if (due == VMN_REPORT_SUPPRESSED)
		add_to(VMN_COUNTER_EVENTS_SUPPRESSED, skb->len);
	if (direction == VMN_DIRECTION_FROM_VM && policy && policy->violation_threshold && vmn_is_violation(reason) &&
	    note_violation(policy, now_ns))
		tell(skb, policy, direction, reason, audited, VMN_EVENT_VIOLATIONS);
	return 0;
}

#endif
