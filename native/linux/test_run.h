/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_TEST_RUN_H
#define VMN_TEST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

struct vmn_test_run {
	bool from_vm;
	uint32_t mark;
	uint32_t gso_size; /* not 0: the frame is a super-frame */
	const void *frame; /* at least an Ethernet header: the kernel refuses less */
	size_t frame_bytes;
	/* answers */
	uint32_t action; /* TC_ACT_... */
	uint32_t reason; /* enum vmn_reason */
	uint32_t mark_after;
	void *frame_after;
	size_t frame_after_bytes; /* in: room; out: length */
};

/* Runs the pinned program once on the frame, nothing is sent (BPF_PROG_TEST_RUN). It counts, as any frame. */
int vmn_test_run(const char *dir, struct vmn_test_run *run, struct vmn_failure *failure);

#endif
