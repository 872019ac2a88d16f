/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_COUNTERS_H
#define VMN_COUNTERS_H

#include "failure.h"
#include "vmn/abi.h"

/* Sums over all CPUs. Index as in vmn/abi.h. Fails with EPROTO when the pinned map is of another version. */
int vmn_counters_read(const char *dir, struct vmn_counter sums[VMN_COUNTER_SLOTS], struct vmn_failure *failure);

/* Marks a fresh map of the state as of this version, before any program uses it. */
int vmn_state_begin(int fd, struct vmn_failure *failure);

/* 1 when the map is marked as of this version. */
int vmn_state_is_ours(int fd);

/* Limits and violations as the filter last left them. Fails with EPROTO likewise. */
int vmn_state_read(const char *dir, struct vmn_state *state, struct vmn_failure *failure);

#endif
