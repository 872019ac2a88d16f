/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled filter (bpf/vmn_filter.bpf.c, embedded as a libbpf skeleton) brought into the kernel. Each load makes a
 * fresh set of programs and maps for one VM; only the ring buffer of events is shared.
 */
#ifndef VMN_FILTER_OBJECT_H
#define VMN_FILTER_OBJECT_H

#include <stdint.h>

#include "failure.h"
#include "program.h"

/* Descriptors, -1 when absent. Closing them frees what is neither pinned nor attached. */
struct vmn_filter_set {
	int from_vm;
	int to_vm;
	int policy_slot;
	int counters;
};

#define VMN_FILTER_SET_NONE ((struct vmn_filter_set){-1, -1, -1, -1})

/*
 * Loads a fresh set. `events_fd` is the shared ring buffer, or -1 for one of its own that nobody reads; `counters_fd` is
 * an earlier counters map to go on counting in, or -1. On refusal `failure->log` holds the verifier's words.
 */
int vmn_filter_load(int events_fd, int counters_fd, struct vmn_filter_set *set, struct vmn_failure *failure);

/* Pins the set's four objects in a folder that exists. */
int vmn_filter_pin(const struct vmn_filter_set *set, const char *dir, struct vmn_failure *failure);

void vmn_filter_close(struct vmn_filter_set *set);

/* Tags of the embedded programs as this kernel computes them (it hashes what it was given to verify, so they are found
 * by loading). */
int vmn_filter_tags(uint8_t from_vm[VMN_TAG_BYTES], uint8_t to_vm[VMN_TAG_BYTES], struct vmn_failure *failure);

/* The shared ring buffer: opened, or created and pinned when `create`. VMN_NOT_PINNED when it is absent. */
int vmn_events_open(const char *path, int create, struct vmn_failure *failure);

#endif
