/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fuzzer's input means: two policies of one VM, then frames, each behind what is known about it. Any bytes are a
 * scene; what is cut off is zeros. scripts/fuzz/scene-bytes.ts writes the same from cases of the corpus.
 */
#ifndef VMN_FUZZ_SCENE_H
#define VMN_FUZZ_SCENE_H

#include <stddef.h>

#include "engine.h"

/* The largest IPv4 packet, its header, and some padding behind it. */
#define SCENE_FRAME_BYTES_MAX (14u + 65535 + 64)
#define SCENE_FRAMES_MAX 96

enum {
	SCENE_TO_VM = 1 << 0,
	SCENE_VLAN = 1 << 1,
	SCENE_OWN_ANSWER = 1 << 2,
	SCENE_SUPER_UDP = 1 << 3,
	SCENE_SUPER_OTHER = 1 << 4, /* with the other one: of TCP */
	SCENE_SECOND_POLICY = 1 << 5,
	SCENE_NO_POLICY = 1 << 6,
	SCENE_ODD = 1 << 7, /* the frame stands at an odd address */
};

/* Before each frame, as it stands in the input. */
struct scene_head {
	uint64_t now_ns;
	uint64_t nonce;
	uint32_t pending_checksum_offset;
	uint32_t segment_bytes;
	uint32_t frame_bytes;  /* of the frame, at most SCENE_FRAME_BYTES_MAX; what is not stored is zeros */
	uint16_t stored_bytes; /* that follow */
	uint8_t flags;         /* SCENE_… */
	uint8_t linear_bytes;  /* readable directly, at most the whole frame; 255: all of it */
};

struct scene_policies {
	struct vmn_policy policy[2];
};

_Static_assert(sizeof(struct scene_head) == 32, "scene_head has no holes");
_Static_assert(sizeof(struct scene_policies) == 2 * 4232, "scene_policies has no holes");

/* A frame as an engine holds it. Every block is exactly as long as it may be read. */
struct scene_frame {
	struct scene_head head;
	uint32_t direction;
	const struct vmn_policy *policy; /* NULL: nobody has decided yet */
	struct vmn_meta meta;
	struct vmn_whole_frame whole;
	uint8_t *data, *data_end; /* the linear part */
	uint8_t *blocks[2];
};

struct scene {
	struct vmn_policy *policy[2]; /* blocks of their own */
	const uint8_t *at, *end;      /* what was not read yet */
};

void scene_open(struct scene *scene, const uint8_t *input, size_t bytes);
void scene_close(struct scene *scene);

/* Whether there is another frame. Give it back to scene_frame_close. */
bool scene_next(struct scene *scene, struct scene_frame *frame);
void scene_frame_close(struct scene_frame *frame);

/* The scene's first frame by itself. False: the input has none. */
bool scene_only_frame(struct scene *scene, struct scene_frame *frame, const uint8_t *input, size_t bytes);

/* A claim about the filter: when it does not hold, the frame is described on stderr and the fuzzer stops. */
#define CLAIM(frame, condition)                                          \
	do {                                                                 \
		if (!(condition))                                                \
			scene_claim_failed((frame), #condition, __FILE__, __LINE__); \
	} while (0)

_Noreturn void scene_claim_failed(const struct scene_frame *frame, const char *claim, const char *file, int line);

#endif
