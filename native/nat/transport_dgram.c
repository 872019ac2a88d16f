// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "engine.h"
#include "transport.h"

#define READ_FRAMES 64
/* Ethernet and a packet of 9000 bytes, which is as large as the MTU of a network card is made. */
#define FRAME_MOST 9216
_Static_assert(READ_FRAMES *FRAME_MOST <= VMN_GUEST_READ_BYTES, "a burst fits");

#define WRITE_FRAMES 64

static void read_datagrams(struct vmn_engine *engine)
{
	struct vmn_guest_side *guest = &engine->guest;
	struct mmsghdr messages[READ_FRAMES];
	struct iovec places[READ_FRAMES];
	int count;

	memset(messages, 0, sizeof(messages));
	for (int i = 0; i < READ_FRAMES; i++) {
		places[i] = (struct iovec){guest->read + (size_t)i * FRAME_MOST, FRAME_MOST};
		messages[i].msg_hdr.msg_iov = &places[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(guest->fd, messages, READ_FRAMES, MSG_DONTWAIT, NULL);
	if (count < 0) {
		if (errno != EAGAIN && errno != EINTR)
			vmn_guest_side_left(engine);
		return;
	}
	for (int i = 0; i < count; i++) {
		if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
			vmn_count(engine, VMN_NAT_COUNT_FRAME_CUT, 1);
		else
			vmn_guest_side_frame(engine, places[i].iov_base, messages[i].msg_len);
	}
	vmn_send_run_end(engine);
}

static void write_datagrams(struct vmn_engine *engine)
{
	struct vmn_guest_out *out = &engine->out;
	struct mmsghdr messages[WRITE_FRAMES];

	while (!vmn_guest_out_is_empty(out)) {
		uint32_t left = out->frames - out->sent, frames = left < WRITE_FRAMES ? left : WRITE_FRAMES;
		int sent;

		memset(messages, 0, frames * sizeof(messages[0]));
		for (uint32_t i = 0; i < frames; i++) {
			messages[i].msg_hdr.msg_iov = &out->pieces[2 * (out->sent + i)];
			messages[i].msg_hdr.msg_iovlen = 2;
		}
		sent = sendmmsg(engine->guest.fd, messages, frames, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0) {
			out->sent += (uint32_t)sent;
			vmn_count(engine, VMN_NAT_COUNT_DELIVERED, (uint64_t)sent);
		} else if (errno == EMSGSIZE) {
			out->sent++;
			vmn_count(engine, VMN_NAT_COUNT_GUEST_DISCARDED, 1);
		} else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
			return;
		} else if (errno != EINTR) {
			vmn_guest_side_left(engine);
			return;
		}
	}
}

const struct vmn_transport_kind vmn_transport_dgram = {.read = read_datagrams, .write = write_datagrams};
