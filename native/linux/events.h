/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the shared ring buffer of dropped frames. A ring buffer has one reader: what one consumes no other sees.
 */
#ifndef VMN_EVENTS_H
#define VMN_EVENTS_H

#include <stddef.h>

#include "failure.h"

struct vmn_events;

/* `bytes` is one struct vmn_event (vmn/abi.h); it is valid during the call only. */
typedef void (*vmn_event_handler)(void *context, const void *bytes, size_t length);

/* NULL on failure, ENOENT when no ring buffer is pinned at `path`. */
struct vmn_events *vmn_events_reader(const char *path, vmn_event_handler handler, void *context,
                                     struct vmn_failure *failure);

/* Becomes readable when events wait; level-triggered. */
int vmn_events_fd(const struct vmn_events *events);

/* Hands over at most `limit` waiting events; the rest keeps the descriptor readable. */
int vmn_events_consume(struct vmn_events *events, unsigned int limit, struct vmn_failure *failure);

void vmn_events_close(struct vmn_events *events);

#endif
