// SPDX-License-Identifier: Apache-2.0
/*
 * The traffic of a benchmark: where frames come from and where they end.
 *
 * vmn_inject runs under BPF_PROG_TEST_RUN with live frames and sends each of them up the stack as if it had just come in.
 * The kernel recycles the pages of such frames with whatever the last user left in them (a forwarded frame has other
 * MACs and another TTL), so the head is written anew each time.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "traffic.h"

const volatile __u64 vmn_frame_head[VMN_FRAME_HEAD_WORDS];
const volatile __u32 vmn_redirect_ifindex;

/* Frames that arrived at the far side. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} sunk SEC(".maps");

SEC("xdp")
int vmn_inject(struct xdp_md *context)
{
	__u64 *head = (__u64 *)(long)context->data;

	if ((void *)(head + VMN_FRAME_HEAD_WORDS) > (void *)(long)context->data_end)
		return XDP_ABORTED;
#pragma clang loop unroll(full)
	for (int i = 0; i < VMN_FRAME_HEAD_WORDS; i++)
		head[i] = vmn_frame_head[i];
	return XDP_PASS;
}

/* Counts a frame and ends it. */
SEC("tc")
int vmn_sink(struct __sk_buff *skb)
{
	__u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&sunk, &zero);

	if (count)
		*count += 1;
	return TC_ACT_SHOT;
}

/* Sends a frame that came in here out of the interface under measure. */
SEC("tc")
int vmn_redirect(struct __sk_buff *skb)
{
	return bpf_redirect(vmn_redirect_ifindex, 0);
}

char LICENSE[] SEC("license") = "Apache-2.0";
