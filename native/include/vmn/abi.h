/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The one binary interface between user space and every engine: what a policy is, how counters are indexed, what an
 * event carries, which packet marks we own. Everything has a fixed width and no implicit padding; the assertions below
 * are the specification that src/native/policy-abi.ts is tested against.
 *
 * Naming: `_be` is network byte order as it stands in the frame, so that the filter compares without swapping.
 */
#ifndef VMN_ABI_H
#define VMN_ABI_H

#include <linux/types.h>

/* Bumped when the meaning or place of a field changes. A program that meets another number drops everything. */
#define VMN_POLICY_ABI 1

#define VMN_MODE_FILTERED 1

#define VMN_POLICY_QUARANTINED (1u << 0)      /* kill switch: nothing passes, whatever else is set */
#define VMN_POLICY_STRICT_WIREGUARD (1u << 1) /* only WireGuard-shaped datagrams pass */

/*
 * Packet mark bits. The from-VM program sets ALLOWED on what it lets through, and the standing nftables guard drops
 * what comes from a managed tap without it: a tap without a program is closed, not open. ANSWER marks the program's
 * own ARP answer on its way back out of the tap. A guest cannot set either: marks do not cross a wire.
 */
#define VMN_MARK_ALLOWED 0x00100000u
#define VMN_MARK_ANSWER 0x00200000u

struct vmn_endpoint {
	__u32 address_be;
	__u16 port_be;
	__u16 reserved;
};

struct vmn_policy {
	__u32 abi;
	__u32 flags;
	__u64 generation; /* moves with every change that user space commits */
	__u8 guest_mac[6];
	__u8 gateway_mac[6];
	__u32 guest_address_be;
	__u32 gateway_address_be;
	__u32 mode;
	struct vmn_endpoint endpoint;
	struct vmn_endpoint previous; /* zero when there is none */
	__u64 previous_until_ns;      /* CLOCK_MONOTONIC; at and after it the previous endpoint is refused */
	__u64 reserved[8];            /* zero */
};

#define VMN_DIRECTION_FROM_VM 0
#define VMN_DIRECTION_TO_VM 1

/* Counters: per-CPU array, index = direction * VMN_REASON_SLOTS + reason. */
#define VMN_REASON_SLOTS 64
#define VMN_COUNTER_SLOTS (2 * VMN_REASON_SLOTS)

struct vmn_counter {
	__u64 packets;
	__u64 bytes;
	__u64 last_event_ns; /* when this CPU last sent an event for this slot; bounds the event rate in the kernel */
};

/* At most one event per slot, CPU and this long. */
#define VMN_EVENT_INTERVAL_NS 100000000ull

#define VMN_EVENT_HEAD_BYTES 64

struct vmn_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 generation;
	__u32 ifindex;
	__u32 frame_bytes; /* whole length of the frame */
	__u16 head_bytes;  /* how much of `head` is the frame */
	__u8 direction;
	__u8 reason;
	__u32 reserved;
	__u8 head[VMN_EVENT_HEAD_BYTES]; /* first bytes of the frame, Ethernet header first */
};

/* The addon includes this from C++, which spells it differently. */
#ifdef __cplusplus
#define VMN_STATIC_ASSERT static_assert
#else
#define VMN_STATIC_ASSERT _Static_assert
#endif

#define VMN_AT(type, field, offset) \
	VMN_STATIC_ASSERT(__builtin_offsetof(struct type, field) == (offset), #type "." #field " moved")

VMN_STATIC_ASSERT(sizeof(struct vmn_policy) == 128, "vmn_policy is 128 bytes");
VMN_AT(vmn_policy, abi, 0);
VMN_AT(vmn_policy, flags, 4);
VMN_AT(vmn_policy, generation, 8);
VMN_AT(vmn_policy, guest_mac, 16);
VMN_AT(vmn_policy, gateway_mac, 22);
VMN_AT(vmn_policy, guest_address_be, 28);
VMN_AT(vmn_policy, gateway_address_be, 32);
VMN_AT(vmn_policy, mode, 36);
VMN_AT(vmn_policy, endpoint, 40);
VMN_AT(vmn_policy, previous, 48);
VMN_AT(vmn_policy, previous_until_ns, 56);
VMN_AT(vmn_policy, reserved, 64);
VMN_STATIC_ASSERT(sizeof(struct vmn_counter) == 24, "vmn_counter is 24 bytes");
VMN_STATIC_ASSERT(sizeof(struct vmn_event) == 96, "vmn_event is 96 bytes");
VMN_AT(vmn_event, head, 32);

#endif
