// SPDX-License-Identifier: Apache-2.0
#include "flow_table.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.h"
#include "loop.h"

#define BACK_OFF_FIRST_MS 50
#define BACK_OFF_MOST_MS 2000
/* What the kernel holds for a flow while the guest is busy; it gives as much of this as it likes. */
#define SOCKET_BUFFER_BYTES (1 << 20)

void vmn_flow_table_init(struct vmn_engine *engine)
{
	for (int i = 0; i < VMN_NAT_FLOWS; i++)
		engine->flows.flows[i].fd = -1;
}

static void watch(struct vmn_engine *engine, struct vmn_nat_flow *flow)
{
	vmn_loop_watch(engine, flow->fd, VMN_WAKE_FLOW, (uint32_t)(flow - engine->flows.flows), EPOLLIN);
}

static void close_socket(struct vmn_engine *engine, struct vmn_nat_flow *flow)
{
	if (engine->sending.flow == flow)
		vmn_send_run_end(engine);
	if (flow->fd < 0)
		return;
	close(flow->fd);
	flow->fd = -1;
	engine->flows.open--;
}

static void forget(struct vmn_engine *engine, struct vmn_nat_flow *flow)
{
	close_socket(engine, flow);
	flow->taken = false;
	if (engine->flows.last == flow)
		engine->flows.last = NULL;
}

void vmn_flow_back_off(struct vmn_engine *engine, struct vmn_nat_flow *flow)
{
	close_socket(engine, flow);
	flow->back_off_ms = flow->back_off_ms ? flow->back_off_ms * 2 : BACK_OFF_FIRST_MS;
	if (flow->back_off_ms > BACK_OFF_MOST_MS)
		flow->back_off_ms = BACK_OFF_MOST_MS;
	flow->reopen_at_ns = engine->now_ns + flow->back_off_ms * VMN_NS_PER_MS;
}

/* The oldest but `besides`; with `open_only` one whose end frees a descriptor. NULL: there is none. */
static struct vmn_nat_flow *oldest(struct vmn_flow_table *table, const struct vmn_nat_flow *besides, bool open_only)
{
	struct vmn_nat_flow *found = NULL;

	for (int i = 0; i < VMN_NAT_FLOWS; i++) {
		struct vmn_nat_flow *flow = &table->flows[i];

		if (!flow->taken || flow == besides || (open_only && flow->fd < 0))
			continue;
		if (!found || flow->used < found->used)
			found = flow;
	}
	return found;
}

static void push_out(struct vmn_engine *engine, struct vmn_nat_flow *flow)
{
	forget(engine, flow);
	vmn_count(engine, VMN_NAT_COUNT_FLOWS_PUSHED_OUT, 1);
}

/* When the host has no more descriptors or memory, an older flow of this guest gives up its own. */
static int make_socket(struct vmn_engine *engine, const struct vmn_nat_flow *flow)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct vmn_nat_flow *victim;

	if (fd >= 0 || (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS))
		return fd;
	victim = oldest(&engine->flows, flow, true);
	if (!victim)
		return -1;
	push_out(engine, victim);
	return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static void open_socket(struct vmn_engine *engine, struct vmn_nat_flow *flow)
{
	const struct sockaddr_in remote = {
		.sin_family = AF_INET, .sin_port = flow->remote_port_be, .sin_addr.s_addr = flow->remote_be};
	int on = 1, bytes = SOCKET_BUFFER_BYTES, fd = make_socket(engine, flow);

	if (fd < 0) {
		vmn_count(engine, VMN_NAT_COUNT_OPEN_FAILED, 1);
		vmn_flow_back_off(engine, flow);
		return;
	}
	/* None of them is needed: without UDP_GRO datagrams come one by one. */
	setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	if (connect(fd, (const struct sockaddr *)&remote, sizeof(remote))) {
		vmn_count(engine, VMN_NAT_COUNT_UNREACHABLE, 1);
		close(fd);
		vmn_flow_back_off(engine, flow);
		return;
	}
	flow->fd = fd;
	engine->flows.open++;
	vmn_count(engine, VMN_NAT_COUNT_FLOWS_OPENED, 1);
	if (!engine->flows.paused)
		watch(engine, flow);
}

static struct vmn_nat_flow *take(struct vmn_engine *engine)
{
	struct vmn_flow_table *table = &engine->flows;
	struct vmn_nat_flow *flow;

	for (int i = 0; i < VMN_NAT_FLOWS; i++)
		if (!table->flows[i].taken)
			return &table->flows[i];
	flow = oldest(table, NULL, false);
	push_out(engine, flow);
	return flow;
}

static bool is_between(const struct vmn_nat_flow *flow, uint16_t guest_port_be, uint32_t remote_be,
                       uint16_t remote_port_be)
{
	return flow->taken && flow->guest_port_be == guest_port_be && flow->remote_be == remote_be &&
	       flow->remote_port_be == remote_port_be;
}

static struct vmn_nat_flow *find(struct vmn_flow_table *table, uint16_t guest_port_be, uint32_t remote_be,
                                 uint16_t remote_port_be)
{
	if (table->last && is_between(table->last, guest_port_be, remote_be, remote_port_be))
		return table->last;
	for (int i = 0; i < VMN_NAT_FLOWS; i++)
		if (is_between(&table->flows[i], guest_port_be, remote_be, remote_port_be))
			return &table->flows[i];
	return NULL;
}

struct vmn_nat_flow *vmn_flow_for(struct vmn_engine *engine, uint16_t guest_port_be, uint32_t remote_be,
                                  uint16_t remote_port_be)
{
	struct vmn_flow_table *table = &engine->flows;
	struct vmn_nat_flow *flow = find(table, guest_port_be, remote_be, remote_port_be);

	if (!flow) {
		flow = take(engine);
		*flow = (struct vmn_nat_flow){.taken = true,
		                              .fd = -1,
		                              .guest_port_be = guest_port_be,
		                              .remote_be = remote_be,
		                              .remote_port_be = remote_port_be};
	}
	flow->used = ++table->uses;
	table->last = flow;
	if (flow->fd >= 0)
		return flow;
	if (engine->now_ns < flow->reopen_at_ns) {
		vmn_count(engine, VMN_NAT_COUNT_BACKING_OFF, 1);
		return NULL;
	}
	open_socket(engine, flow);
	return flow->fd >= 0 ? flow : NULL;
}

void vmn_flow_table_keep_endpoints(struct vmn_engine *engine)
{
	bool none = !engine->judge.has_policy || engine->judge.policy.flags & VMN_POLICY_QUARANTINED;

	for (int i = 0; i < VMN_NAT_FLOWS; i++) {
		struct vmn_nat_flow *flow = &engine->flows.flows[i];

		if (flow->taken && (none || !vmn_nat_is_endpoint(engine, flow->remote_be, flow->remote_port_be)))
			forget(engine, flow);
	}
}

/* Taken out of epoll and not only muted: errors and hang-ups are reported to whoever is in it, again and again. */
void vmn_flow_table_pause(struct vmn_engine *engine, bool paused)
{
	if (engine->flows.paused == paused)
		return;
	engine->flows.paused = paused;
	for (int i = 0; i < VMN_NAT_FLOWS; i++) {
		struct vmn_nat_flow *flow = &engine->flows.flows[i];

		if (flow->fd < 0)
			continue;
		if (paused)
			vmn_loop_forget(engine, flow->fd);
		else
			watch(engine, flow);
	}
}
