// SPDX-License-Identifier: Apache-2.0
/* One frame: policy, circumstances and bytes all from the input. */
#include "claims.h"
#include "mutate.h"

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t bytes)
{
	struct scene_frame frame;
	struct scene scene;

	if (!scene_only_frame(&scene, &frame, input, bytes))
		return 0;
	claim_frame(&frame);
	scene_frame_close(&frame);
	scene_close(&scene);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *input, size_t bytes, size_t most, unsigned int seed)
{
	return mutate_scene(input, bytes, most, seed, 1);
}
