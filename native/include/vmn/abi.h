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
#define VMN_POLICY_ABI 3

#define VMN_MODE_FILTERED 1  /* every frame by every rule */
#define VMN_MODE_CONNTRACK 2 /* the first frame of a flow by every rule, later ones as part of the flow */
#define VMN_MODE_SAMPLED 3   /* who the guest is: every frame; whom it talks to: a random part of them */
#define VMN_MODE_DIRECT 4    /* who the guest is, and whom nobody may talk to: every frame */

#define VMN_POLICY_QUARANTINED (1u << 0)      /* kill switch: nothing passes, whatever else is set */
#define VMN_POLICY_STRICT_WIREGUARD (1u << 1) /* only WireGuard-shaped datagrams pass */
#define VMN_POLICY_AUDIT (1u << 2)            /* whom the guest talks to is counted, not enforced */
#define VMN_POLICY_FLAGS (VMN_POLICY_QUARANTINED | VMN_POLICY_STRICT_WIREGUARD | VMN_POLICY_AUDIT)

/* What is beyond these is taken as these: user space refuses it, and the arithmetic of limit.h must not overflow. */
#define VMN_BITS_PER_SECOND_MAX 100000000000ull
#define VMN_PACKETS_PER_SECOND_MAX 1000000000ull
#define VMN_MILLION 1000000u

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

/* Addresses from `first` to `last`, both included, in host byte order, since they are compared by size. */
struct vmn_range {
	__u32 first;
	__u32 last;
};

/* A power of two: direct.h searches by halves. */
#define VMN_DENIED_MAX 512

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
	__u64 secret[2];              /* SipHash key, fresh with every policy: what the guest must not be able to predict */
	__u64 egress_bits_per_second; /* from the VM, Ethernet header included; 0: no limit */
	__u64 packets_per_second;     /* from the VM; 0: no limit */
	__u32 sample_per_million;     /* mode SAMPLED */
	__u32 max_packet_bytes;       /* IPv4 total length of one packet; 0: no limit */
	__u32 violation_threshold;    /* in the window; 0: never */
	__u32 violation_window_ms;
	__u64 reserved[2]; /* zero */
	/*
	 * Mode DIRECT: whom no guest may talk to; 0 ranges in every other mode. They stand in the policy, and not beside it, so that
	 * the one swap that puts a mode in force puts its ranges in force (docs/adr/0025).
	 */
	__u32 denied_count;
	__u32 denied_reserved;                   /* zero */
	struct vmn_range denied[VMN_DENIED_MAX]; /* so many of them by `first`, none touching another; zeros behind them */
};

#define VMN_DIRECTION_FROM_VM 0
#define VMN_DIRECTION_TO_VM 1

/*
 * Counters: per-CPU array, index = (audited * 2 + direction) * VMN_REASON_SLOTS + reason. Audited frames broke the rule
 * and passed. The last two slots of the first block are no reasons but what became of events.
 */
#define VMN_REASON_SLOTS 64
#define VMN_COUNTER_SLOTS (4 * VMN_REASON_SLOTS)
#define VMN_COUNTER_EVENTS_SUPPRESSED 62 /* new, but more than VMN_REPORTS_PER_SECOND */
#define VMN_COUNTER_EVENTS_LOST 63       /* the ring was full */

struct vmn_counter {
	__u64 packets;
	__u64 bytes;
};

/*
 * Flows of mode CONNTRACK: sets of fingerprints, the most recently used first. One of 64 bits is written in one piece,
 * so CPUs that race may forget a flow but never make one up.
 */
#define VMN_FLOW_SETS 64
#define VMN_FLOW_WAYS 8

struct vmn_flow_set {
	__u64 fingerprints[VMN_FLOW_WAYS]; /* 0: free */
};

struct vmn_flows {
	struct vmn_flow_set sets[VMN_FLOW_SETS];
};

/* What remains from frame to frame beside flows; the eBPF engine keeps it behind a lock. */
struct vmn_limiter {
	__u64 last_ns;
	__s64 bits;    /* in billionths; negative: in debt */
	__s64 packets; /* likewise */
};

struct vmn_violations {
	__u64 window_start_ns; /* 0: none yet */
	__u32 now;             /* in this window */
	__u32 before;          /* in the one before it */
	__u32 disarmed;        /* told already; see violation.h */
	__u32 generation;      /* of the policy that it was told under, its lower half */
	__u64 crossings;       /* how often the threshold was reached: events can be lost, this cannot */
};

/* Bumped when the meaning or place of a field of vmn_state changes: a filter goes on with no other version's. */
#define VMN_STATE_ABI 1

struct vmn_state {
	struct vmn_limiter limiter;
	struct vmn_violations violations;
};

/* Handshake initiations of one side that were not answered yet. */
struct vmn_asked {
	__u64 first_ns; /* of those in a row; 0: none */
	__u64 last_ns;
	__u32 sender; /* the sender's index in the last one; the others are void with it */
	__u32 reserved;
};

/* One handshake: the index that each side gave it, as they stand in the messages. */
struct vmn_session {
	__u64 time_ns; /* 0: none */
	__u32 vm_index;
	__u32 consumer_index;
};

/* Bumped when the meaning or place of a field of vmn_tunnel changes. */
#define VMN_TUNNEL_ABI 1

/* What passing datagrams told of the tunnel (tunnel.h). Times: CLOCK_MONOTONIC, 0: never. Pairs: by direction. */
struct vmn_tunnel {
	struct vmn_endpoint endpoint; /* whose it is */
	struct vmn_asked asked[2];
	struct vmn_session offered; /* the VM's answer to the consumer, who has not shown yet that it took it */
	struct vmn_session session; /* the last handshake */
	__u64 handshakes;
	__u64 data_ns[2]; /* the last data message of that session */
	__u32 used;       /* the index that the consumer last sent data to */
	__u32 has_used;
};

/* Which frames have been told about; per CPU in the eBPF engine. */
#define VMN_TOLD_SLOTS 64
#define VMN_TOLD_AGAIN_SECONDS 10
#define VMN_REPORTS_PER_SECOND 32

struct vmn_told {
	__u32 fingerprint;
	__u32 second;
};

struct vmn_reports {
	__u32 second;
	__u32 sent; /* in that second */
	struct vmn_told told[VMN_TOLD_SLOTS];
};

#define VMN_EVENT_DROP 0       /* the first frame of its kind that was dropped, or would have been */
#define VMN_EVENT_VIOLATIONS 1 /* the frame that reached the violation threshold */

#define VMN_EVENT_HEAD_BYTES 64

struct vmn_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 generation;
	__u32 ifindex;
	__u32 frame_bytes; /* whole length of the frame */
	__u16 head_bytes;  /* how much of `head` is the frame */
	__u8 direction;
	__u8 reason;
	__u8 kind;    /* VMN_EVENT_… */
	__u8 audited; /* it passed all the same */
	__u16 reserved;
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

VMN_STATIC_ASSERT(sizeof(struct vmn_policy) == 4232, "vmn_policy is 4232 bytes");
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
VMN_AT(vmn_policy, secret, 64);
VMN_AT(vmn_policy, egress_bits_per_second, 80);
VMN_AT(vmn_policy, packets_per_second, 88);
VMN_AT(vmn_policy, sample_per_million, 96);
VMN_AT(vmn_policy, max_packet_bytes, 100);
VMN_AT(vmn_policy, violation_threshold, 104);
VMN_AT(vmn_policy, violation_window_ms, 108);
VMN_AT(vmn_policy, reserved, 112);
VMN_AT(vmn_policy, denied_count, 128);
VMN_AT(vmn_policy, denied, 136);
VMN_STATIC_ASSERT(sizeof(struct vmn_range) == 8, "vmn_range is 8 bytes");
VMN_STATIC_ASSERT((VMN_DENIED_MAX & (VMN_DENIED_MAX - 1)) == 0, "VMN_DENIED_MAX is a power of two");
VMN_STATIC_ASSERT(sizeof(struct vmn_counter) == 16, "vmn_counter is 16 bytes");
VMN_STATIC_ASSERT(sizeof(struct vmn_flows) == 4096, "vmn_flows is 4096 bytes");
VMN_STATIC_ASSERT(sizeof(struct vmn_state) == 56, "vmn_state is 56 bytes");
VMN_AT(vmn_state, violations, 24);
VMN_AT(vmn_violations, crossings, 24);
VMN_STATIC_ASSERT(sizeof(struct vmn_tunnel) == 120, "vmn_tunnel is 120 bytes");
VMN_AT(vmn_tunnel, offered, 56);
VMN_AT(vmn_tunnel, session, 72);
VMN_AT(vmn_tunnel, used, 112);
VMN_STATIC_ASSERT(sizeof(struct vmn_reports) == 520, "vmn_reports is 520 bytes");
VMN_STATIC_ASSERT(sizeof(struct vmn_event) == 96, "vmn_event is 96 bytes");
VMN_AT(vmn_event, kind, 28);
VMN_AT(vmn_event, head, 32);

#endif
