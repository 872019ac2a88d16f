// SPDX-License-Identifier: Apache-2.0
#include "offline_filter.h"

#include <stddef.h>

#include "policy.h"

int vmn_offline_filter_open(struct vmn_offline_filter *filter, struct vmn_failure *failure)
{
	*filter = VMN_OFFLINE_FILTER_NONE;
	return vmn_filter_load(-1, NULL, &filter->set, failure);
}

int vmn_offline_filter_set_policy(struct vmn_offline_filter *filter, const void *policy, struct vmn_failure *failure)
{
	return vmn_policy_put(filter->set.policy_slot, policy, failure);
}

int vmn_offline_filter_run(struct vmn_offline_filter *filter, struct vmn_test_run *run, struct vmn_failure *failure)
{
	int program = run->from_vm ? filter->set.from_vm : filter->set.to_vm;

	return vmn_test_run_program(program, &filter->shaping[!run->from_vm], run, failure);
}

void vmn_offline_filter_close(struct vmn_offline_filter *filter)
{
	vmn_shaping_close(&filter->shaping[0]);
	vmn_shaping_close(&filter->shaping[1]);
	vmn_filter_close(&filter->set);
}
