/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_TEST_RUN_H
#define VMN_TEST_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "shaping.h"

struct vmn_test_run {
	bool from_vm;
	uint32_t mark;
	uint32_t gso_size; /* not 0: the frame is a super-frame, of a kind that the kernel does not let us choose */
	bool vlan;         /* a tag stands beside the frame */
	const void *frame; /* at least an Ethernet header: the kernel refuses less */
	size_t frame_bytes;
	/* answers */
	uint32_t action; /* TC_ACT_... */
	uint32_t reason; /* enum vmn_reason */
	uint64_t nonce;  /* of mode SAMPLED, else 0 */
	bool audited;
	uint32_t mark_after;
	void *frame_after;
	size_t frame_after_bytes; /* in: room; out: length */
};

/* Longest frame that can be run, and the room for it that frame_after needs. */
#define VMN_TEST_RUN_BYTES 16000u

/*
 * Runs a filter once on a frame, nothing is sent (BPF_PROG_TEST_RUN). It counts, as any frame. `shaping` is loaded when
 * it is first needed, and the caller's to close.
 */
int vmn_test_run_program(int filter, struct vmn_shaping *shaping, struct vmn_test_run *run,
                         struct vmn_failure *failure);

/* The same for the filter pinned in `dir`. */
int vmn_test_run(const char *dir, struct vmn_test_run *run, struct vmn_failure *failure);

#endif
