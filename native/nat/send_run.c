// SPDX-License-Identifier: Apache-2.0
#include "send_run.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

#include "engine.h"
#include "vmn/nat.h"

static int send_together(const struct vmn_send_run *run, int fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(uint16_t))];
	} control = {0};
	struct msghdr message = {
		.msg_iov = (struct iovec *)run->payloads,
		.msg_iovlen = run->count,
		.msg_control = &control,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *segment = CMSG_FIRSTHDR(&message);
	uint16_t bytes = (uint16_t)run->segment_bytes;

	segment->cmsg_level = SOL_UDP;
	segment->cmsg_type = UDP_SEGMENT;
	segment->cmsg_len = CMSG_LEN(sizeof(bytes));
	memcpy(CMSG_DATA(segment), &bytes, sizeof(bytes));
	return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* What an error means for the datagrams from `next` on: how many of them are given up. */
static unsigned int give_up(struct vmn_engine *engine, struct vmn_nat_flow *flow, int error, unsigned int left)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		vmn_count(engine, VMN_NAT_COUNT_SEND_FULL, left);
		return left;
	case EMSGSIZE:
		vmn_count(engine, VMN_NAT_COUNT_SEND_TOO_BIG, 1);
		return 1;
	case EINVAL: /* the socket's source address is no longer the host's */
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
		vmn_count(engine, VMN_NAT_COUNT_UNREACHABLE, left);
		vmn_flow_back_off(engine, flow);
		return left;
	default:
		vmn_count(engine, VMN_NAT_COUNT_SEND_FAILED, 1);
		return 1;
	}
}

/* How many of them the kernel took. */
static unsigned int send_one_by_one(struct vmn_engine *engine, struct vmn_send_run *run, struct vmn_nat_flow *flow)
{
	struct mmsghdr messages[VMN_RUN_DATAGRAMS];
	unsigned int next = 0, took = 0;
	bool refused = false;

	memset(messages, 0, run->count * sizeof(messages[0]));
	for (unsigned int i = 0; i < run->count; i++) {
		messages[i].msg_hdr.msg_iov = &run->payloads[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (next < run->count) {
		int sent = sendmmsg(flow->fd, messages + next, run->count - next, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (sent > 0) {
			next += (unsigned int)sent;
			took += (unsigned int)sent;
		} else if (errno == ECONNREFUSED && !refused) {
			/* Of an earlier datagram; this one was not tried. */
			vmn_count(engine, VMN_NAT_COUNT_REFUSED, 1);
			refused = true;
		} else {
			next += give_up(engine, flow, errno, run->count - next);
		}
	}
	return took;
}

/* How many of them the kernel took. */
static unsigned int send_all(struct vmn_engine *engine, struct vmn_send_run *run, struct vmn_nat_flow *flow)
{
	unsigned int took;
	int error;

	if (run->count == 1 || run->one_by_one)
		return send_one_by_one(engine, run, flow);
	if (!send_together(run, flow->fd))
		return run->count;
	error = errno;
	if (error == ECONNREFUSED)
		vmn_count(engine, VMN_NAT_COUNT_REFUSED, 1);
	took = send_one_by_one(engine, run, flow);
	/* It was the cutting, not the way there, that failed. */
	if (took && (error == EIO || error == EINVAL)) {
		run->one_by_one = true;
		vmn_count(engine, VMN_NAT_COUNT_SEGMENTING_ENDED, 1);
	}
	return took;
}

void vmn_send_run_end(struct vmn_engine *engine)
{
	struct vmn_send_run *run = &engine->sending;
	struct vmn_nat_flow *flow = run->flow;
	unsigned int took;

	if (!run->count)
		return;
	run->flow = NULL; /* what follows may close the flow, which would end its run */
	took = send_all(engine, run, flow);
	if (took)
		flow->back_off_ms = 0;
	vmn_count(engine, VMN_NAT_COUNT_SENT, took);
	run->count = 0;
	run->total_bytes = 0;
}

void vmn_send_run_add(struct vmn_engine *engine, struct vmn_nat_flow *flow, const uint8_t *payload, size_t bytes)
{
	struct vmn_send_run *run = &engine->sending;

	if (run->count && (run->flow != flow || bytes > run->segment_bytes || run->count == VMN_RUN_DATAGRAMS ||
	                   run->total_bytes + bytes > VMN_NAT_PAYLOAD_MAX))
		vmn_send_run_end(engine);
	if (flow->fd < 0) {
		/* It was this flow's own run that found the way gone. */
		vmn_count(engine, VMN_NAT_COUNT_BACKING_OFF, 1);
		return;
	}
	if (!run->count)
		run->segment_bytes = bytes;
	run->flow = flow;
	run->payloads[run->count++] = (struct iovec){(void *)payload, bytes};
	run->total_bytes += bytes;
	/* Only the last datagram of a run may be shorter; one of nothing cannot be part of any. */
	if (bytes < run->segment_bytes || !bytes)
		vmn_send_run_end(engine);
}
