/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * A clock good to a tick (1 to 10 ms). Asking the kernel for the time costs more than judging a frame, and a flood of
 * dropped or limited frames would pay it for each; its tick counter costs nothing. So the time is asked for once a tick.
 */
#ifndef VMN_BPF_CLOCK_H
#define VMN_BPF_CLOCK_H

#include "maps.h"

static __always_inline struct vmn_cpu *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpus, &zero);
}

/* CLOCK_MONOTONIC at the first call of this tick on this CPU. */
static __always_inline __u64 tick_ns(struct vmn_cpu *cpu)
{
	__u64 tick = bpf_jiffies64();

	if (!cpu)
		return bpf_ktime_get_ns();
	if (cpu->tick != tick) {
		cpu->tick = tick;
		cpu->tick_ns = bpf_ktime_get_ns();
	}
	return cpu->tick_ns;
}

#endif
