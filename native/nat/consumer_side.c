// SPDX-License-Identifier: Apache-2.0
#include "consumer_side.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

#include "engine.h"
#include "vmn/nat.h"

static void prepare(struct vmn_consumer_side *consumer)
{
	for (int i = 0; i < VMN_RECEIVE_MESSAGES; i++) {
		consumer->places[i] = (struct iovec){consumer->read[i], VMN_RECEIVE_BYTES};
		consumer->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &consumer->senders[i],
			.msg_namelen = sizeof(consumer->senders[i]),
			.msg_iov = &consumer->places[i],
			.msg_iovlen = 1,
			.msg_control = &consumer->controls[i],
			.msg_controllen = sizeof(consumer->controls[i]),
		};
	}
}

/* Of the datagrams that the kernel put together into this one; 0: it is one. */
static size_t segment_bytes(struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
		int bytes;

		if (part->cmsg_level != SOL_UDP || part->cmsg_type != UDP_GRO || part->cmsg_len < CMSG_LEN(sizeof(bytes)))
			continue;
		memcpy(&bytes, CMSG_DATA(part), sizeof(bytes));
		return bytes > 0 ? (size_t)bytes : 0;
	}
	return 0;
}

static void deliver(struct vmn_engine *engine, const struct vmn_nat_tuple *tuple, const uint8_t *payload, size_t bytes)
{
	struct vmn_out_slot *slot = vmn_guest_out_next(&engine->out);
	size_t head_bytes = bytes < VMN_WIREGUARD_HEAD_BYTES ? bytes : VMN_WIREGUARD_HEAD_BYTES;
	struct vmn_judgement judgement;

	vmn_count(engine, VMN_NAT_COUNT_RECEIVED, 1);
	if (!slot || bytes > VMN_NAT_PAYLOAD_MAX) {
		vmn_count(engine, VMN_NAT_COUNT_GUEST_BUSY, 1);
		return;
	}
	vmn_nat_headers(&engine->judge.policy, tuple, payload, (uint32_t)bytes, slot->frame);
	memcpy(slot->frame + VMN_NAT_HEADER_BYTES, payload, head_bytes);
	judgement = vmn_nat_judge(engine, VMN_DIRECTION_TO_VM, slot->frame, VMN_NAT_HEADER_BYTES + head_bytes,
	                          VMN_NAT_HEADER_BYTES + bytes);
	if (vmn_passes(&judgement))
		vmn_guest_out_push(&engine->out, VMN_NAT_HEADER_BYTES, payload, bytes);
}

static void take(struct vmn_engine *engine, const struct vmn_nat_flow *flow, int i)
{
	struct vmn_consumer_side *consumer = &engine->consumer;
	const struct vmn_nat_tuple tuple = {
		.remote_be = consumer->senders[i].sin_addr.s_addr,
		.remote_port_be = consumer->senders[i].sin_port,
		.guest_port_be = flow->guest_port_be,
	};
	size_t left = consumer->messages[i].msg_len, segment = segment_bytes(&consumer->messages[i].msg_hdr);
	const uint8_t *payload = consumer->read[i];

	do {
		size_t bytes = segment && segment < left ? segment : left;

		deliver(engine, &tuple, payload, bytes);
		payload += bytes;
		left -= bytes;
	} while (left);
}

void vmn_consumer_side_receive(struct vmn_engine *engine, struct vmn_nat_flow *flow)
{
	int count;

	/* Closed, or paused, while its turn was waiting. What is queued for the guest lies where would be read to. */
	if (flow->fd < 0 || !vmn_guest_out_is_empty(&engine->out))
		return;
	prepare(&engine->consumer);
	count = recvmmsg(flow->fd, engine->consumer.messages, VMN_RECEIVE_MESSAGES, MSG_DONTWAIT, NULL);
	if (count < 0) {
		if (errno == ECONNREFUSED)
			vmn_count(engine, VMN_NAT_COUNT_REFUSED, 1);
		else if (errno != EAGAIN && errno != EINTR)
			vmn_count(engine, VMN_NAT_COUNT_RECEIVE_FAILED, 1);
		return;
	}
	for (int i = 0; i < count; i++)
		take(engine, flow, i);
	vmn_guest_out_flush(engine);
}
