// SPDX-License-Identifier: Apache-2.0
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#include "engine.h"

#define EVENTS_AT_ONCE 16
#define QUITTING_LOOK_MS 50

/* Room was made for every descriptor at the start (RLIMIT_NOFILE), so there is nothing to be done but to end: closed. */
void vmn_loop_watch(struct vmn_engine *engine, int fd, enum vmn_wake wake, uint32_t index, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u64 = (uint64_t)wake << 32 | index};

	if (!epoll_ctl(engine->epoll_fd, EPOLL_CTL_MOD, fd, &event))
		return;
	if (errno != ENOENT || epoll_ctl(engine->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		_Exit(EXIT_FAILURE);
}

void vmn_loop_forget(struct vmn_engine *engine, int fd)
{
	epoll_ctl(engine->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

static void look_at_clock(struct vmn_engine *engine)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	engine->now_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static void wake(struct vmn_engine *engine, const struct epoll_event *event)
{
	uint32_t index = (uint32_t)event->data.u64;

	switch ((enum vmn_wake)(event->data.u64 >> 32)) {
	case VMN_WAKE_GUEST:
		vmn_guest_side_wake(engine, event->events);
		break;
	case VMN_WAKE_GUEST_LISTENER:
		vmn_guest_side_accept(engine);
		break;
	case VMN_WAKE_FLOW:
		vmn_consumer_side_receive(engine, &engine->flows.flows[index]);
		break;
	case VMN_WAKE_CONTROL:
		vmn_control_wake(engine, index, event->events);
		break;
	case VMN_WAKE_CONTROL_LISTENER:
		vmn_control_accept(engine);
		break;
	}
}

static int is_over(const struct vmn_engine *engine)
{
	if (engine->guest_gone)
		return 1;
	return engine->quit_at_ns && (engine->now_ns >= engine->quit_at_ns || vmn_guest_out_is_empty(&engine->out));
}

void vmn_loop_run(struct vmn_engine *engine)
{
	struct epoll_event events[EVENTS_AT_ONCE];

	look_at_clock(engine);
	while (!is_over(engine)) {
		int woken = epoll_wait(engine->epoll_fd, events, EVENTS_AT_ONCE, engine->quit_at_ns ? QUITTING_LOOK_MS : -1);

		look_at_clock(engine);
		if (woken < 0 && errno != EINTR)
			return;
		for (int i = 0; i < woken; i++)
			wake(engine, &events[i]);
	}
}
