/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The maps of one VM's program set. README.md beside this file draws them and says who writes what. */
#ifndef VMN_MAPS_H
#define VMN_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "vmn/abi.h"

/*
 * The policy: one slot that holds an array map of one struct vmn_policy, or nothing, which means deny. User space fills
 * and freezes a new inner map and puts it into the slot: one pointer swap, seen by both hooks at once, and a policy can
 * not change while a frame is judged by it. Two array lookups are inlined; a hash lookup would cost more than the rest of the
 * filter (docs/adr/0011). Inner maps made at run time must have the same type, sizes and flags as this template.
 */
struct vmn_policy_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct vmn_policy)); /* a __type two structs deep is only a forward declaration in BTF */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct vmn_policy_map);
} policy_slot SEC(".maps");

/* Index: see abi.h. All of it constants of the code: no frame can name another slot. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VMN_COUNTER_SLOTS);
	__type(key, __u32);
	__type(value, struct vmn_counter);
} counters SEC(".maps");

/* Flows of mode Conntrack. Plain memory that both hooks and all CPUs share: flow.h says why that is enough. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vmn_flows);
} flows SEC(".maps");

/* Limits and violations. Only taken by frames of a policy that has them. */
struct vmn_guarded_state {
	struct bpf_spin_lock lock;
	__u32 abi; /* VMN_STATE_ABI; user space writes it once, before the filter is attached */
	struct vmn_state state;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vmn_guarded_state);
} state SEC(".maps");

/* What was seen of the tunnel. Handshakes are rare, and data is looked at once a tick: so it is guarded, too. */
struct vmn_guarded_tunnel {
	struct bpf_spin_lock lock;
	__u32 abi; /* VMN_TUNNEL_ABI, likewise */
	struct vmn_tunnel tunnel;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vmn_guarded_tunnel);
} tunnel SEC(".maps");

/* What each CPU has told already, and the time at its last tick. */
struct vmn_cpu {
	__u64 tick;
	__u64 tick_ns;
	struct vmn_reports reports;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct vmn_cpu);
} cpus SEC(".maps");

/* Dropped frames, a few a second; one ring for all VMs of the host, told apart by ifindex. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
} events SEC(".maps");

#endif
