/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where kernel_matrix.c tries the loader: a tap in namespaces of this process alone, the guest at its one end, at the
 * other two sockets of the host that see what really came through. All of it ends with the process.
 *
 * Every datagram goes between the guest's port and one of two of the endpoint's: the wanted one, or another.
 */
#ifndef VMN_TEST_MATRIX_BED_H
#define VMN_TEST_MATRIX_BED_H

#include <stdbool.h>

#include "frames.h"
#include "../linux/tap.h"

enum bed_port { BED_WANTED, BED_OTHER, BED_PORTS };

extern const uint16_t bed_ports[BED_PORTS];

struct bed {
	struct vmn_tap tap;
	int host[BED_PORTS]; /* UDP sockets of the endpoint's address */
	const char *dir;     /* of the filter's pins, in a BPF file system of our own */
};

/* Frames by direction and port. */
struct bed_count {
	unsigned int frames[2][BED_PORTS];
};

/* Ends the process with a message when something is missing. */
void bed_open(struct bed *bed);

/* One datagram of every kind, added to the counts. 0 or an errno. */
int bed_send(struct bed *bed, struct bed_count *sent);

/* What has arrived by now, added to the counts. */
void bed_receive(struct bed *bed, struct bed_count *arrived);

/* Waits until at least as much has arrived as was expected, 2 s at most, then takes what is more. */
void bed_settle(struct bed *bed, struct bed_count *arrived, const struct bed_count *expected);

#endif
