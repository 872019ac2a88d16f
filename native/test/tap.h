/* SPDX-License-Identifier: Apache-2.0 */
/* A tap with the filter on both hooks, in a network namespace of this process alone; it ends with the process. */
#ifndef VMN_TEST_TAP_H
#define VMN_TEST_TAP_H

#include "kernel_filter.h"

struct tap {
	unsigned int ifindex;
	int guest;        /* the file that QEMU would hold */
	int host;         /* a packet socket on the host's side */
	int links[2];     /* tcx links, unset with clsact */
	const char *hook; /* how the filter is attached: "tcx" or "clsact" */
	bool takes_udp_segments;
};

/*
 * Attaches by tcx where the kernel has it, else by clsact (before Linux 6.6, or with VMN_TEST_HOOK=clsact). Ends the
 * process with a message when something is missing.
 */
void tap_open(struct tap *tap, struct kernel_filter *filter);

/* Why this kernel can carry no such frame on a tap or packet socket; NULL when it can. */
const char *tap_cannot(const struct tap *tap, const struct input *input);

/* Sends the input's frame as the guest or as the host would. Returns 0 or an errno. */
int tap_send(struct tap *tap, int direction, const struct input *input);

/* The next frame that reached the guest, without its virtio header; length 0 when there is none. */
uint32_t tap_receive(struct tap *tap, struct frame *frame);

#endif
