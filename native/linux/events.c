// SPDX-License-Identifier: Apache-2.0
#include "events.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "filter_object.h"
#include "pins.h"

struct vmn_events {
	int map_fd; /* kept open: epoll forgets a descriptor that is closed */
	struct ring_buffer *ring;
	vmn_event_handler handler;
	void *context;
	unsigned int left; /* how many more this round */
};

/* A negative answer ends the round; libbpf counts the sample as consumed all the same. */
static int take(void *context, void *bytes, size_t length)
{
	struct vmn_events *events = context;

	events->handler(events->context, bytes, length);
	return --events->left ? 0 : -EAGAIN;
}

struct vmn_events *vmn_events_reader(const char *path, vmn_event_handler handler, void *context,
                                     struct vmn_failure *failure)
{
	struct vmn_events *events;
	int fd = vmn_events_open(path, 0, failure);

	if (fd == VMN_NOT_PINNED)
		vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s", path);
	if (fd < 0)
		return NULL;
	events = calloc(1, sizeof(*events));
	if (!events) {
		vmn_close(&fd);
		vmn_fail(failure, ENOMEM, "calloc", "events");
		return NULL;
	}
	events->map_fd = fd;
	events->handler = handler;
	events->context = context;
	events->ring = ring_buffer__new(fd, take, events, NULL);
	if (!events->ring) {
		vmn_fail(failure, errno, "ring_buffer__new", "%s", path);
		vmn_close(&fd);
		free(events);
		return NULL;
	}
	return events;
}

int vmn_events_fd(const struct vmn_events *events)
{
	return ring_buffer__epoll_fd(events->ring);
}

int vmn_events_consume(struct vmn_events *events, unsigned int limit, struct vmn_failure *failure)
{
	int result;

	events->left = limit;
	result = ring_buffer__consume(events->ring);
	if (result < 0 && result != -EAGAIN)
		return vmn_fail(failure, -result, "ring_buffer__consume", "events");
	return 0;
}

void vmn_events_close(struct vmn_events *events)
{
	if (!events)
		return;
	ring_buffer__free(events->ring);
	vmn_close(&events->map_fd);
	free(events);
}
