// SPDX-License-Identifier: Apache-2.0
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINEAR_ALL 255

/* What is missing at the end of the input is zeros. Returns how much there was. */
static size_t take(struct scene *scene, void *to, size_t bytes)
{
	size_t left = (size_t)(scene->end - scene->at);
	size_t taken = bytes < left ? bytes : left;

	memset(to, 0, bytes);
	memcpy(to, scene->at, taken);
	scene->at += taken;
	return taken;
}

void scene_open(struct scene *scene, const uint8_t *input, size_t bytes)
{
	scene->at = input;
	scene->end = input + bytes;
	for (int i = 0; i < 2; i++) {
		scene->policy[i] = malloc(sizeof(*scene->policy[i]));
		take(scene, scene->policy[i], sizeof(*scene->policy[i]));
	}
}

void scene_close(struct scene *scene)
{
	free(scene->policy[0]);
	free(scene->policy[1]);
}

/* Of exactly this length to its end, at an odd address or at none. */
static uint8_t *block_of(struct scene_frame *frame, int which, const uint8_t *bytes, uint32_t length)
{
	uint32_t before = frame->head.flags & SCENE_ODD ? 1 : 0;

	frame->blocks[which] = malloc(before + length + (before + length == 0));
	memcpy(frame->blocks[which] + before, bytes, length);
	return frame->blocks[which] + before;
}

bool scene_next(struct scene *scene, struct scene_frame *frame)
{
	static uint8_t whole[SCENE_FRAME_BYTES_MAX];
	struct scene_head *head = &frame->head;
	uint32_t linear;

	if (!take(scene, head, sizeof(*head)))
		return false;
	if (head->frame_bytes > SCENE_FRAME_BYTES_MAX)
		head->frame_bytes %= SCENE_FRAME_BYTES_MAX + 1;
	if (head->stored_bytes > head->frame_bytes)
		head->stored_bytes = (uint16_t)head->frame_bytes;
	memset(whole, 0, head->frame_bytes);
	take(scene, whole, head->stored_bytes);

	linear = head->linear_bytes == LINEAR_ALL || head->linear_bytes > head->frame_bytes ? head->frame_bytes
	                                                                                    : head->linear_bytes;
	frame->data = block_of(frame, 0, whole, linear);
	frame->data_end = frame->data + linear;
	frame->whole.data = block_of(frame, 1, whole, head->frame_bytes);
	frame->whole.data_end = frame->whole.data + head->frame_bytes;
	frame->direction = head->flags & SCENE_TO_VM ? VMN_DIRECTION_TO_VM : VMN_DIRECTION_FROM_VM;
	frame->policy = head->flags & SCENE_NO_POLICY ? NULL : scene->policy[head->flags & SCENE_SECOND_POLICY ? 1 : 0];
	frame->meta = (struct vmn_meta){
		.now_ns = head->now_ns,
		.nonce = head->nonce,
		.frame_bytes = head->frame_bytes,
		.pending_checksum_offset = head->pending_checksum_offset,
		.segment_bytes = head->segment_bytes,
		.super_frame = head->flags >> 3 & 3,
		.vlan_in_metadata = (head->flags & SCENE_VLAN) != 0,
		.own_answer = (head->flags & SCENE_OWN_ANSWER) != 0,
		.whole = &frame->whole,
	};
	return true;
}

void scene_frame_close(struct scene_frame *frame)
{
	free(frame->blocks[0]);
	free(frame->blocks[1]);
}

bool scene_only_frame(struct scene *scene, struct scene_frame *frame, const uint8_t *input, size_t bytes)
{
	scene_open(scene, input, bytes);
	if (scene_next(scene, frame))
		return true;
	scene_close(scene);
	return false;
}

static void print_hex(const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		fprintf(stderr, "%02x", ((const uint8_t *)bytes)[i]);
	fprintf(stderr, "\n");
}

_Noreturn void scene_claim_failed(const struct scene_frame *frame, const char *claim, const char *file, int line)
{
	const struct scene_head *head = &frame->head;

	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
	fprintf(stderr,
	        "%s the VM, now %llu, nonce %#llx, checksum at %u, super-frame %u of %u, flags %#x, linear %u of %u\n",
	        frame->direction == VMN_DIRECTION_FROM_VM ? "from" : "to", (unsigned long long)head->now_ns,
	        (unsigned long long)head->nonce, head->pending_checksum_offset, frame->meta.super_frame,
	        head->segment_bytes, head->flags, (unsigned int)(frame->data_end - frame->data), head->frame_bytes);
	fprintf(stderr, "policy: ");
	if (frame->policy)
		print_hex(frame->policy, sizeof(*frame->policy));
	else
		fprintf(stderr, "none\n");
	fprintf(stderr, "frame: ");
	print_hex(frame->whole.data, (size_t)(frame->whole.data_end - frame->whole.data));
	abort();
}
