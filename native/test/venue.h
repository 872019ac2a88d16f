/* SPDX-License-Identifier: Apache-2.0 */
/* The two places where the eBPF programs meet a frame in tests: BPF_PROG_TEST_RUN, and a real tap in a namespace of our own. */
#ifndef VMN_TEST_VENUE_H
#define VMN_TEST_VENUE_H

#include "cases.h"
#include "kernel_filter.h"
#include "tap.h"

/* Blocks of counters: abi.h. */
#define BLOCKS 4

struct venue {
	struct kernel_filter filter;
	struct tap tap;
	bool reached[2][2][VMN_REASON_SLOTS]; /* [on a tap][direction][reason] */
};

/* Loads the object and attaches it. Ends the process with a message when that fails. */
void venue_open(struct venue *venue, const char *object);
void venue_close(struct venue *venue);

/* Puts the input's policy into force; a previous endpoint's grace counts from now. */
void venue_set_policy(struct venue *venue, struct input *input);

/* Tries the input in the venues of the case and prints a result for each. */
void venue_run(struct venue *venue, const struct test_case *test_case, struct input *input);

#endif
