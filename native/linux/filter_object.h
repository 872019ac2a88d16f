/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled filter (bpf/vmn_filter.bpf.c, embedded) brought into the kernel. Each load makes a fresh set of programs
 * and maps for one VM; only the ring buffer of events is shared. The filter is embedded twice: as it is for kernels whose
 * BTF has the function bpf_cast_to_kern_ctx (Linux 6.2), and compiled without it (VMN_PROBE_SKB) for those before.
 */
#ifndef VMN_FILTER_OBJECT_H
#define VMN_FILTER_OBJECT_H

#include <stdint.h>

#include "failure.h"
#include "hook.h"
#include "program.h"

/* Descriptors, -1 when absent. Closing them frees what is neither pinned nor attached. */
struct vmn_filter_set {
	int from_vm;
	int to_vm;
	int policy_slot;
	int counters;
	int state;
	int tunnel;
};

#define VMN_FILTER_SET_NONE ((struct vmn_filter_set){-1, -1, -1, -1, -1, -1})

static inline int vmn_program_for(const struct vmn_filter_set *set, const struct vmn_direction *direction)
{
	return direction->from_vm ? set->from_vm : set->to_vm;
}

/*
 * Loads a fresh set. `events_fd` is the shared ring buffer, or -1 for one of its own that nobody reads. Counters, state
 * and tunnel that are pinned in `kept_in` (may be NULL) are gone on with; those of another version do not fit, and start afresh. On
 * refusal `failure->log` holds the verifier's words.
 */
int vmn_filter_load(int events_fd, const char *kept_in, struct vmn_filter_set *set, struct vmn_failure *failure);

/* Pins the set's objects in a folder that exists. */
int vmn_filter_pin(const struct vmn_filter_set *set, const char *dir, struct vmn_failure *failure);

void vmn_filter_close(struct vmn_filter_set *set);

/* Tags of the embedded programs as this kernel computes them (it hashes what it was given to verify, so they are found
 * by loading). */
int vmn_filter_tags(uint8_t from_vm[VMN_TAG_BYTES], uint8_t to_vm[VMN_TAG_BYTES], struct vmn_failure *failure);

/* The shared ring buffer: opened, or created and pinned when `create`. VMN_NOT_PINNED when it is absent. */
int vmn_events_open(const char *path, int create, struct vmn_failure *failure);

#endif
