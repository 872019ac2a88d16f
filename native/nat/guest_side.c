// SPDX-License-Identifier: Apache-2.0
#include "guest_side.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.h"
#include "loop.h"
#include "transport.h"
#include "vmn/arp.h"

static int socket_number(int fd, int option)
{
	int value = -1;
	socklen_t bytes = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &bytes) ? -1 : value;
}

static void enter(struct vmn_engine *engine, int fd)
{
	struct vmn_guest_side *guest = &engine->guest;

	guest->fd = fd;
	guest->filled = 0;
	guest->watched = 0;
	vmn_count(engine, VMN_NAT_COUNT_GUEST_ENTERED, 1);
	vmn_guest_side_watch(engine);
}

int vmn_guest_side_open(struct vmn_engine *engine, int fd)
{
	struct vmn_guest_side *guest = &engine->guest;
	int type = socket_number(fd, SO_TYPE);

	guest->fd = -1;
	guest->listener = -1;
	if (socket_number(fd, SO_DOMAIN) != AF_UNIX || (type != SOCK_STREAM && type != SOCK_DGRAM))
		return -1;
	guest->transport = type == SOCK_STREAM ? &vmn_transport_stream : &vmn_transport_dgram;
	if (socket_number(fd, SO_ACCEPTCONN) == 1) {
		guest->listener = fd;
		vmn_loop_watch(engine, fd, VMN_WAKE_GUEST_LISTENER, 0, EPOLLIN);
	} else {
		enter(engine, fd);
	}
	return 0;
}

/* One at a time: the next waits in the kernel until this one has left. */
void vmn_guest_side_accept(struct vmn_engine *engine)
{
	int fd = accept4(engine->guest.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	vmn_loop_watch(engine, engine->guest.listener, VMN_WAKE_GUEST_LISTENER, 0, 0);
	enter(engine, fd);
}

void vmn_guest_side_watch(struct vmn_engine *engine)
{
	struct vmn_guest_side *guest = &engine->guest;
	uint32_t events = EPOLLIN | (vmn_guest_out_is_empty(&engine->out) ? 0 : EPOLLOUT);

	if (guest->fd < 0 || guest->watched == events)
		return;
	guest->watched = events;
	vmn_loop_watch(engine, guest->fd, VMN_WAKE_GUEST, 0, events);
}

void vmn_guest_side_left(struct vmn_engine *engine)
{
	struct vmn_guest_side *guest = &engine->guest;

	if (guest->fd < 0)
		return;
	close(guest->fd);
	guest->fd = -1;
	engine->out.begun = false;
	vmn_guest_out_discard(engine);
	vmn_count(engine, VMN_NAT_COUNT_GUEST_LEFT, 1);
	vmn_flow_table_pause(engine, false);
	if (guest->listener >= 0)
		vmn_loop_watch(engine, guest->listener, VMN_WAKE_GUEST_LISTENER, 0, EPOLLIN);
	else
		engine->guest_gone = true;
}

void vmn_guest_side_wake(struct vmn_engine *engine, uint32_t events)
{
	if (engine->guest.fd < 0)
		return; /* left while its turn was waiting */
	if (events & EPOLLOUT)
		vmn_guest_out_flush(engine);
	if (engine->guest.fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		engine->guest.transport->read(engine);
	if (engine->guest.fd >= 0)
		vmn_guest_out_flush(engine);
	/* The other end of a pair of datagram sockets is closed: there is no end of file to read. */
	if (engine->guest.fd >= 0 && events & EPOLLHUP && !(events & EPOLLIN))
		vmn_guest_side_left(engine);
}

static void answer_arp(struct vmn_engine *engine)
{
	struct vmn_out_slot *slot = vmn_guest_out_next(&engine->out);
	struct vmn_arp_frame answer;

	_Static_assert(sizeof(answer) <= sizeof(slot->frame), "an answer fits where headers do");
	if (!slot) {
		vmn_count(engine, VMN_NAT_COUNT_GUEST_BUSY, 1);
		return;
	}
	vmn_arp_answer(&engine->judge.policy, &answer);
	__builtin_memcpy(slot->frame, &answer, sizeof(answer));
	vmn_guest_out_push(&engine->out, sizeof(answer), NULL, 0);
}

/*
 * What passes is UDP for an endpoint in mode Filtered and Conntrack. Sampled and audit let more pass, which this engine does
 * not carry: its sockets could reach the host itself.
 */
static void forward(struct vmn_engine *engine, const uint8_t *data, size_t bytes)
{
	const uint8_t *end = data + bytes;
	struct vmn_nat_flow *flow;
	struct vmn_transport udp;
	struct vmn_ipv4 ip;

	if (vmn_parse_ipv4(data, end, (uint32_t)bytes, VMN_ETHERNET_BYTES, &ip) != VMN_PARSE_OK ||
	    ip.protocol != VMN_PROTOCOL_UDP || ip.header_bytes != VMN_IPV4_BYTES || vmn_is_fragment(&ip) ||
	    vmn_parse_udp(data, end, ip.payload_offset, ip.total_bytes - VMN_IPV4_BYTES, &udp) != VMN_PARSE_OK ||
	    !vmn_nat_is_endpoint(engine, ip.destination_be, VMN_NET16(udp.destination_port))) {
		vmn_count(engine, VMN_NAT_COUNT_NOT_CARRIED, 1);
		return;
	}
	flow = vmn_flow_for(engine, VMN_NET16(udp.source_port), ip.destination_be, VMN_NET16(udp.destination_port));
	if (flow)
		vmn_send_run_add(engine, flow, data + udp.payload_offset, udp.udp_bytes - VMN_UDP_BYTES);
}

void vmn_guest_side_frame(struct vmn_engine *engine, const uint8_t *data, size_t bytes)
{
	struct vmn_judgement judgement = vmn_nat_judge(engine, VMN_DIRECTION_FROM_VM, data, bytes, bytes);

	if (!vmn_passes(&judgement))
		return;
	if (judgement.reason == VMN_REASON_ARP_ANSWERED)
		answer_arp(engine);
	else
		forward(engine, data, bytes);
}
