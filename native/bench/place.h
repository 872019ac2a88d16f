/* SPDX-License-Identifier: Apache-2.0 */
/* Taps in a network namespace of this process alone, which go with it. */
#ifndef VMN_BENCH_PLACE_H
#define VMN_BENCH_PLACE_H

#include <stdint.h>

struct tap {
	uint32_t ifindex;
	int guest; /* the file that QEMU would hold; it has a virtio-net header */
};

/* All of these end the process with a message when something is missing. */
void place_enter_own(void);
void place_make_tap(struct tap *tap, const char *name);

/* The guest sends one frame; with `segment_bytes` a UDP super-frame of such segments. */
void place_write(const struct tap *tap, const uint8_t *frame, uint32_t frame_bytes, uint32_t segment_bytes);

#endif
