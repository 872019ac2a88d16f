/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * How vmn-nat is spoken to: requests and answers on a Unix stream socket, each a head and a body of a size that its
 * operation fixes. Little-endian, no padding; src/native/nat-control-abi.ts is tested against the compiler's offsets.
 *
 * Requests of one client are answered in order. A head that is no request of this version ends the connection, since
 * nobody can tell where the next one begins; everything else that is wrong is answered by a status.
 */
#ifndef VMN_NAT_CONTROL_H
#define VMN_NAT_CONTROL_H

#include "vmn/abi.h"
#include "vmn/siphash.h"

/* A policy travels as it lies in memory. */
VMN_STATIC_ASSERT(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vmn-nat is for little-endian machines");

#define VMN_NAT_CONTROL_MAGIC 0x4e4d56u /* "VMN" */
#define VMN_NAT_CONTROL_VERSION 1

#define VMN_NAT_STATUS 1      /* answered by struct vmn_nat_status */
#define VMN_NAT_SET_POLICY 2  /* struct vmn_nat_set_policy; answered by struct vmn_nat_status */
#define VMN_NAT_READ_POLICY 3 /* answered by struct vmn_policy, its secret zeros */
#define VMN_NAT_COUNTERS 4    /* answered by struct vmn_nat_counters */
#define VMN_NAT_QUARANTINE 5  /* nothing passes until the next policy; answered by struct vmn_nat_status */
#define VMN_NAT_DENY 6        /* no policy any more; answered by struct vmn_nat_status */
#define VMN_NAT_SUBSCRIBE 7   /* from now on struct vmn_event, each under a head with operation VMN_NAT_EVENT */
#define VMN_NAT_EVENT 8       /* never asked for */
#define VMN_NAT_QUIT 9        /* ends the engine once what is on its way to the guest is written */

#define VMN_NAT_OK 0
#define VMN_NAT_UNKNOWN_OPERATION 1
#define VMN_NAT_BODY_SIZE 2   /* not what the operation has */
#define VMN_NAT_POLICY_HASH 3 /* the policy is not what its sender hashed */
#define VMN_NAT_POLICY_ABI 4  /* the policy is of another version, or makes no sense */
#define VMN_NAT_POLICY_MODE 5 /* mode Direct is not for this engine: it carries UDP alone */
#define VMN_NAT_NO_POLICY 6   /* there is none to read, or to quarantine */

struct vmn_nat_head {
	__u32 magic;
	__u16 version;
	__u16 operation;
	__u32 sequence; /* the client's; comes back with the answer */
	__u16 status;   /* 0 in a request */
	__u16 reserved;
	__u32 body_bytes;
};

struct vmn_nat_set_policy {
	__u64 hash; /* vmn_nat_policy_hash of what follows */
	struct vmn_policy policy;
};

#define VMN_NAT_HAS_POLICY (1u << 0)
#define VMN_NAT_GUEST_CONNECTED (1u << 1)
#define VMN_NAT_SEGMENTS (1u << 2) /* runs of datagrams are handed to the kernel in one piece (UDP_SEGMENT) */

struct vmn_nat_status {
	__u32 policy_abi;
	__u32 flags;
	__u64 generation;  /* 0 without a policy */
	__u64 policy_hash; /* of the policy in force, secret included; 0 without one */
	__u64 judged[2];   /* frames since that policy is in force, by direction */
	__u64 crossings;   /* how often the violation threshold was reached, since the start */
	__u32 flows;       /* open now */
	__u32 pid;         /* in the engine's own namespace */
};

/*
 * What became of frames beside their verdict, and of the engine's surroundings; since the start. Numbers are stable.
 * A name is a metric label; src/native/nat-control-abi.ts has the same list.
 */
#define VMN_NAT_COUNTS(X)                       \
	X(0, SENT, "sent")                          \
	X(1, RECEIVED, "received")                  \
	X(2, DELIVERED, "delivered")                \
	X(3, NOT_CARRIED, "not_carried")            \
	X(4, SEND_FULL, "send_full")                \
	X(5, SEND_TOO_BIG, "send_too_big")          \
	X(6, SEND_FAILED, "send_failed")            \
	X(7, REFUSED, "refused")                    \
	X(8, UNREACHABLE, "unreachable")            \
	X(9, BACKING_OFF, "backing_off")            \
	X(10, OPEN_FAILED, "open_failed")           \
	X(11, FLOWS_OPENED, "flows_opened")         \
	X(12, FLOWS_PUSHED_OUT, "flows_pushed_out") \
	X(13, RECEIVE_FAILED, "receive_failed")     \
	X(14, GUEST_BUSY, "guest_busy")             \
	X(15, GUEST_DISCARDED, "guest_discarded")   \
	X(16, GUEST_ENTERED, "guest_entered")       \
	X(17, GUEST_LEFT, "guest_left")             \
	X(18, FRAME_CUT, "frame_cut")               \
	X(19, STREAM_BROKEN, "stream_broken")       \
	X(20, SEGMENTING_ENDED, "segmenting_ended") \
	X(21, CONTROL_REFUSED, "control_refused")   \
	X(22, CONTROL_PUSHED_OUT, "control_pushed_out")

#define VMN_NAT_COUNT_ENUM(number, symbol, name) VMN_NAT_COUNT_##symbol = number,
enum vmn_nat_count { VMN_NAT_COUNTS(VMN_NAT_COUNT_ENUM) };
#undef VMN_NAT_COUNT_ENUM

#define VMN_NAT_COUNT_SLOTS 32

struct vmn_nat_counters {
	struct vmn_counter filter[VMN_COUNTER_SLOTS]; /* as the eBPF engine's, summed over its CPUs */
	__u64 engine[VMN_NAT_COUNT_SLOTS];
};

VMN_STATIC_ASSERT(sizeof(struct vmn_nat_head) == 20, "vmn_nat_head is 20 bytes");
VMN_AT(vmn_nat_head, sequence, 8);
VMN_AT(vmn_nat_head, body_bytes, 16);
VMN_STATIC_ASSERT(sizeof(struct vmn_nat_set_policy) == 8 + sizeof(struct vmn_policy), "no holes");
VMN_STATIC_ASSERT(sizeof(struct vmn_nat_status) == 56, "vmn_nat_status is 56 bytes");
VMN_AT(vmn_nat_status, judged, 24);
VMN_AT(vmn_nat_status, pid, 52);
VMN_STATIC_ASSERT(sizeof(struct vmn_nat_counters) == 4352, "vmn_nat_counters is 4352 bytes");

/*
 * By SipHash-1-3 without a key: it finds a policy that was cut, mixed or written by another version. It proves nothing
 * against somebody who may write to the socket.
 */
VMN_INLINE __u64 vmn_nat_policy_hash(const struct vmn_policy *policy)
{
	static const __u64 no_key[2] = {0, 0};
	__u64 words[sizeof(*policy) / sizeof(__u64)];

	__builtin_memcpy(words, policy, sizeof(words));
	return vmn_siphash13(no_key, words, sizeof(words) / sizeof(words[0]));
}

#endif
