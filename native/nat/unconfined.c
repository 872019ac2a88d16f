// SPDX-License-Identifier: Apache-2.0
/* In the place of confine.c where sanitizers are: they map memory and read files as they please. */
#include "confine.h"

#include <stddef.h>

int vmn_confine_start(const char **failed)
{
	*failed = NULL;
	return 0;
}

int vmn_confine_run(const char **failed)
{
	*failed = NULL;
	return 0;
}
