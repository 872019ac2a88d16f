// SPDX-License-Identifier: Apache-2.0
#include "control.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine.h"
#include "loop.h"
#include "request.h"

void vmn_control_open(struct vmn_engine *engine, int listener)
{
	struct vmn_control *control = &engine->control;

	control->listener = listener;
	control->uid = (uint32_t)geteuid();
	for (int i = 0; i < VMN_CONTROL_CLIENTS; i++)
		control->clients[i].fd = -1;
	vmn_loop_watch(engine, listener, VMN_WAKE_CONTROL_LISTENER, 0, EPOLLIN);
}

static void close_client(struct vmn_control_client *client)
{
	close(client->fd);
	client->fd = -1;
}

static struct vmn_control_client *place_for_client(struct vmn_engine *engine)
{
	struct vmn_control_client *oldest = &engine->control.clients[0];

	for (int i = 0; i < VMN_CONTROL_CLIENTS; i++) {
		struct vmn_control_client *client = &engine->control.clients[i];

		if (client->fd < 0)
			return client;
		if (client->heard < oldest->heard)
			oldest = client;
	}
	close_client(oldest);
	vmn_count(engine, VMN_NAT_COUNT_CONTROL_PUSHED_OUT, 1);
	return oldest;
}

static void listen_to(struct vmn_engine *engine, struct vmn_control_client *client)
{
	/* Who does not take its answers is not heard either. */
	vmn_loop_watch(engine, client->fd, VMN_WAKE_CONTROL, (uint32_t)(client - engine->control.clients),
	               client->out_bytes ? EPOLLOUT : EPOLLIN);
}

void vmn_control_accept(struct vmn_engine *engine)
{
	struct vmn_control *control = &engine->control;
	int fd = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct vmn_control_client *client;
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) || (peer.uid != control->uid && peer.uid != 0)) {
		vmn_count(engine, VMN_NAT_COUNT_CONTROL_REFUSED, 1);
		close(fd);
		return;
	}
	client = place_for_client(engine);
	client->fd = fd;
	client->subscribed = false;
	client->heard = ++control->heard;
	client->in_bytes = client->out_bytes = 0;
	listen_to(engine, client);
}

static void put(struct vmn_control_client *client, const struct vmn_nat_head *head, const void *body)
{
	memcpy(client->out + client->out_bytes, head, sizeof(*head));
	memcpy(client->out + client->out_bytes + sizeof(*head), body, head->body_bytes);
	client->out_bytes += sizeof(*head) + head->body_bytes;
}

/* Once the client does not take all of it, the rest waits; what ended is closed. */
static void flush(struct vmn_control_client *client)
{
	ssize_t sent = send(client->fd, client->out, client->out_bytes, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		close_client(client);
	} else if (sent > 0) {
		client->out_bytes -= (size_t)sent;
		memmove(client->out, client->out + sent, client->out_bytes);
	}
}

static bool is_sound(const struct vmn_nat_head *head)
{
	return head->magic == VMN_NAT_CONTROL_MAGIC && head->version == VMN_NAT_CONTROL_VERSION &&
	       head->body_bytes <= VMN_CONTROL_REQUEST_BYTES - sizeof(*head);
}

/* One whole request, if there is one; false when there is none, or no more will be. */
static bool answer_one(struct vmn_engine *engine, struct vmn_control_client *client)
{
	struct vmn_nat_head head;
	uint8_t body[sizeof(struct vmn_nat_counters)];
	size_t used;

	if (client->in_bytes < sizeof(head))
		return false;
	memcpy(&head, client->in, sizeof(head));
	if (!is_sound(&head)) {
		vmn_count(engine, VMN_NAT_COUNT_CONTROL_REFUSED, 1);
		close_client(client);
		return false;
	}
	used = sizeof(head) + head.body_bytes;
	if (client->in_bytes < used)
		return false;
	head.body_bytes =
		(uint32_t)vmn_request_answer(engine, client, &head, client->in + sizeof(head), &head.status, body);
	client->in_bytes -= used;
	memmove(client->in, client->in + used, client->in_bytes);
	put(client, &head, body);
	flush(client);
	return true;
}

void vmn_control_wake(struct vmn_engine *engine, uint32_t index, uint32_t events)
{
	struct vmn_control_client *client = &engine->control.clients[index];
	ssize_t bytes;

	if (client->fd < 0)
		return;
	client->heard = ++engine->control.heard;
	if (client->out_bytes) {
		flush(client);
	} else if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
		bytes = read(client->fd, client->in + client->in_bytes, sizeof(client->in) - client->in_bytes);
		if (bytes > 0)
			client->in_bytes += (size_t)bytes;
		else if (!bytes || (errno != EAGAIN && errno != EINTR))
			close_client(client);
	}
	while (client->fd >= 0 && !client->out_bytes && answer_one(engine, client))
		;
	if (client->fd >= 0)
		listen_to(engine, client);
}

bool vmn_control_tell(struct vmn_engine *engine, const struct vmn_event *event)
{
	const struct vmn_nat_head head = {
		.magic = VMN_NAT_CONTROL_MAGIC,
		.version = VMN_NAT_CONTROL_VERSION,
		.operation = VMN_NAT_EVENT,
		.body_bytes = sizeof(*event),
	};
	bool everyone = true;

	for (int i = 0; i < VMN_CONTROL_CLIENTS; i++) {
		struct vmn_control_client *client = &engine->control.clients[i];

		if (client->fd < 0 || !client->subscribed)
			continue;
		/* An answer must always fit behind them. */
		if (sizeof(client->out) - client->out_bytes < VMN_CONTROL_ANSWER_BYTES + sizeof(head) + sizeof(*event)) {
			everyone = false;
			continue;
		}
		put(client, &head, event);
		listen_to(engine, client);
	}
	return everyone;
}
