/* SPDX-License-Identifier: Apache-2.0 */
/* A tap with the filter on both hooks, in a network namespace of this process alone; it ends with the process. */
#ifndef VMN_TEST_TAP_H
#define VMN_TEST_TAP_H

#include "kernel_filter.h"

struct tap {
	unsigned int ifindex;
	int guest; /* the file that QEMU would hold */
	int host;  /* a packet socket on the host's side */
	int links[2];
};

/* Ends the process with a message when something is missing. */
void tap_open(struct tap *tap, struct kernel_filter *filter);

/* Sends the input's frame as the guest or as the host would. Returns 0 or an errno. */
int tap_send(struct tap *tap, int direction, const struct input *input);

/* The next frame that reached the guest, without its virtio header; length 0 when there is none. */
uint32_t tap_receive(struct tap *tap, struct frame *frame);

#endif
