/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a case of the packet corpus (test/support/corpus, whose README has the format): one frame, the circumstances it
 * is judged in, and what has to come out. As strict as the reader in TypeScript.
 */
#ifndef VMN_TEST_CORPUS_H
#define VMN_TEST_CORPUS_H

#include <stdbool.h>
#include <stddef.h>

#include "vmn/abi.h"
#include "vmn/reason.h"

enum corpus_verdict { CORPUS_ALLOW, CORPUS_DROP, CORPUS_REPLY };

/* As vmn/meta.h numbers them. */
enum corpus_super_frame {
	CORPUS_NO_SUPER_FRAME = 0,
	CORPUS_UDP_SEGMENTS = 1,
	CORPUS_OTHER_SUPER_FRAME = 2,
	CORPUS_TCP_SEGMENTS = 3,
};

struct corpus_case {
	char title[256];
	int direction; /* VMN_DIRECTION_… */

	bool has_policy;          /* false: no policy is in force */
	struct vmn_policy policy; /* zero when there is none */

	bool vlan_in_metadata;
	bool own_answer;
	bool has_pending_checksum;
	__u32 pending_checksum_at; /* byte of the frame */
	enum corpus_super_frame super_frame;
	__u32 segment_bytes;

	enum corpus_verdict verdict;
	enum vmn_reason reason;
	bool audited; /* the rule is broken and the frame passes */

	__u8 *frame; /* malloc'ed; exactly this long, so that a sanitizer sees every byte too far */
	size_t frame_bytes;
};

/*
 * Reads one file. `now_ns` is CLOCK_MONOTONIC: a previous endpoint is alive until an hour later, or expired at that very
 * moment. Returns 0, or -1 with "file:line: what; remedy" in `error`; then there is nothing to free.
 */
int corpus_read(const char *path, __u64 now_ns, struct corpus_case *out, char *error, size_t error_bytes);

void corpus_free(struct corpus_case *corpus_case);

#endif
