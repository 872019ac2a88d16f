/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on their way to the guest. What the guest's end does not take at once stays queued, and until it has gone nothing
 * more is read from consumers: the kernel holds and in the end drops what they send, and nothing here grows or spins.
 */
#ifndef VMN_NAT_GUEST_OUT_H
#define VMN_NAT_GUEST_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "consumer_side.h"
#include "vmn/nat.h"
#include "vmn/wireguard.h"

struct vmn_engine;

#define VMN_STREAM_PREFIX_BYTES 4

/* Kernels since 6.9 cut one datagram into up to 128. */
#define VMN_GUEST_OUT_FRAMES (VMN_RECEIVE_MESSAGES * 128)

/* The payload's first bytes too: the filter looks at them right behind the headers. They are not sent from here. */
struct vmn_out_slot {
	uint8_t prefix[VMN_STREAM_PREFIX_BYTES];
	uint8_t frame[VMN_NAT_HEADER_BYTES + VMN_WIREGUARD_HEAD_BYTES];
};

/* Each frame has two pieces: slot and payload. */
struct vmn_guest_out {
	uint32_t frames; /* queued, of which `sent` are gone */
	uint32_t sent;
	bool begun; /* of the frame at `sent` a part is gone; its pieces say what is left */
	struct vmn_out_slot slots[VMN_GUEST_OUT_FRAMES];
	struct iovec pieces[2 * VMN_GUEST_OUT_FRAMES];
};

static inline bool vmn_guest_out_is_empty(const struct vmn_guest_out *out)
{
	return out->sent == out->frames;
}

/* Where the next frame is written; NULL when the queue is full. It is queued by the push that follows, or not at all. */
struct vmn_out_slot *vmn_guest_out_next(struct vmn_guest_out *out);
void vmn_guest_out_push(struct vmn_guest_out *out, size_t header_bytes, const uint8_t *payload, size_t payload_bytes);

/* As much as the guest's end takes now. */
void vmn_guest_out_flush(struct vmn_engine *engine);

/* Forgets all but the rest of a frame that has begun: a stream must not end in the middle of one. */
void vmn_guest_out_discard(struct vmn_engine *engine);

#endif
