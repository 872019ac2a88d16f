/* SPDX-License-Identifier: Apache-2.0 */
/* The filter in the kernel, attached nowhere and pinned nowhere: for trying frames on it. It goes with its descriptors. */
#ifndef VMN_OFFLINE_FILTER_H
#define VMN_OFFLINE_FILTER_H

#include "failure.h"
#include "filter_object.h"
#include "test_run.h"

struct vmn_offline_filter {
	struct vmn_filter_set set;
	struct vmn_shaping shaping[2]; /* of each direction */
};

#define VMN_OFFLINE_FILTER_NONE ((struct vmn_offline_filter){VMN_FILTER_SET_NONE, {VMN_SHAPING_NONE, VMN_SHAPING_NONE}})

int vmn_offline_filter_open(struct vmn_offline_filter *filter, struct vmn_failure *failure);

/* NULL: deny-all, as it is at first. */
int vmn_offline_filter_set_policy(struct vmn_offline_filter *filter, const void *policy, struct vmn_failure *failure);

int vmn_offline_filter_run(struct vmn_offline_filter *filter, struct vmn_test_run *run, struct vmn_failure *failure);

void vmn_offline_filter_close(struct vmn_offline_filter *filter);

#endif
