// SPDX-License-Identifier: Apache-2.0
/* Frames of one VM one after the other, under two policies that take turns: what is remembered between them. */
#include "mutate.h"
#include "watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	struct scene_frame frame;
	struct scene scene;
	struct watch watch;

	scene_open(&scene, input, bytes);
	watch_open(&watch, scene.policy[0]);
	for (int i = 0; i < SCENE_FRAMES_MAX && scene_next(&scene, &frame); i++) {
		watch_frame(&watch, &frame);
		scene_frame_close(&frame);
	}
	watch_close(&watch);
	scene_close(&scene);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t bytes, size_t most, unsigned int seed)
{
	return mutate_scene(input, bytes, most, seed, SCENE_FRAMES_MAX);
}
