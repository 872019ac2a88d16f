/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_COUNTERS_H
#define VMN_COUNTERS_H

#include "failure.h"
#include "vmn/abi.h"

/* Sums over all CPUs. Index as in vmn/abi.h. Fails with EPROTO when the pinned map is of another version. */
int vmn_counters_read(const char *dir, struct vmn_counter sums[VMN_COUNTER_SLOTS], struct vmn_failure *failure);

#endif
