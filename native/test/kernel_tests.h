/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of vmn_kernel_cases beside the catalogue. Each prints its results. */
#ifndef VMN_TEST_KERNEL_TESTS_H
#define VMN_TEST_KERNEL_TESTS_H

#include "venue.h"

void check_state(struct venue *venue);
void check_tunnel(struct venue *venue);
void check_state_on_tap(struct venue *venue);
void check_events(struct venue *venue);

/* Every case file of a folder. */
void check_corpus(struct venue *venue, const char *folder);

#endif
