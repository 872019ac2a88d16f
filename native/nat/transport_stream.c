// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.h"
#include "transport.h"

/* Ethernet and the largest IPv4 packet. Whoever announces more has lost the thread, or never had it. */
#define FRAME_MOST (VMN_ETHERNET_BYTES + 65535)
_Static_assert(VMN_GUEST_READ_BYTES >= 2 * (VMN_STREAM_PREFIX_BYTES + FRAME_MOST),
               "any frame fits, and the next begins");

/* Below IOV_MAX, and even: a frame has two pieces. */
#define PIECES_AT_ONCE 512

/* Takes whole frames from the start of what was read; false: the stream makes no sense. */
static bool take_frames(struct vmn_engine *engine, size_t *used)
{
	struct vmn_guest_side *guest = &engine->guest;

	*used = 0;
	while (guest->filled - *used >= VMN_STREAM_PREFIX_BYTES) {
		const uint8_t *at = guest->read + *used;
		uint32_t bytes = VMN_NET32(vmn_load32(at));

		if (bytes > FRAME_MOST)
			return false;
		if (guest->filled - *used - VMN_STREAM_PREFIX_BYTES < bytes)
			break;
		vmn_guest_side_frame(engine, at + VMN_STREAM_PREFIX_BYTES, bytes);
		*used += VMN_STREAM_PREFIX_BYTES + bytes;
	}
	return true;
}

static void read_stream(struct vmn_engine *engine)
{
	struct vmn_guest_side *guest = &engine->guest;
	ssize_t bytes = read(guest->fd, guest->read + guest->filled, sizeof(guest->read) - guest->filled);
	size_t used;
	bool sound;

	if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (bytes <= 0) {
		vmn_guest_side_left(engine);
		return;
	}
	guest->filled += (size_t)bytes;
	sound = take_frames(engine, &used);
	vmn_send_run_end(engine);
	if (!sound) {
		vmn_count(engine, VMN_NAT_COUNT_STREAM_BROKEN, 1);
		vmn_guest_side_left(engine);
		return;
	}
	guest->filled -= used;
	memmove(guest->read, guest->read + used, guest->filled);
}

/* Moves on by what was written, which may end inside of any piece. */
static void written(struct vmn_engine *engine, size_t bytes)
{
	struct vmn_guest_out *out = &engine->out;

	while (!vmn_guest_out_is_empty(out)) {
		struct iovec *pieces = &out->pieces[2 * out->sent];

		for (int i = 0; i < 2; i++) {
			size_t taken = bytes < pieces[i].iov_len ? bytes : pieces[i].iov_len;

			pieces[i].iov_base = (uint8_t *)pieces[i].iov_base + taken;
			pieces[i].iov_len -= taken;
			bytes -= taken;
			out->begun |= taken > 0;
		}
		if (pieces[0].iov_len || pieces[1].iov_len)
			return;
		out->begun = false;
		out->sent++;
		vmn_count(engine, VMN_NAT_COUNT_DELIVERED, 1);
	}
}

/* The prefix lies before the frame's first piece, and is taken in when the frame is first offered. */
static void put_prefixes(struct vmn_guest_out *out, uint32_t frames)
{
	/* Of a frame that has begun what is left may start right behind its prefix. */
	for (uint32_t i = out->sent + (out->begun ? 1 : 0); i < out->sent + frames; i++) {
		struct iovec *piece = &out->pieces[2 * i];

		if (piece->iov_base == out->slots[i].prefix)
			continue;
		piece->iov_base = out->slots[i].prefix;
		piece->iov_len += VMN_STREAM_PREFIX_BYTES;
	}
}

static void write_stream(struct vmn_engine *engine)
{
	struct vmn_guest_out *out = &engine->out;

	while (!vmn_guest_out_is_empty(out)) {
		uint32_t left = out->frames - out->sent;
		uint32_t frames = left < PIECES_AT_ONCE / 2 ? left : PIECES_AT_ONCE / 2;
		struct msghdr message = {.msg_iov = &out->pieces[2 * out->sent], .msg_iovlen = 2 * frames};
		ssize_t bytes;

		put_prefixes(out, frames);
		bytes = sendmsg(engine->guest.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (bytes >= 0) {
			written(engine, (size_t)bytes);
		} else if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM) {
			return;
		} else if (errno != EINTR) {
			vmn_guest_side_left(engine);
			return;
		}
	}
}

const struct vmn_transport_kind vmn_transport_stream = {.read = read_stream, .write = write_stream};
