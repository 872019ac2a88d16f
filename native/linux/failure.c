// SPDX-License-Identifier: Apache-2.0
#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int vmn_fail(struct vmn_failure *failure, int error, const char *call, const char *format, ...)
{
	va_list arguments;

	/* What went wrong first is the cause; failures while undoing it are not. */
	if (failure->error)
		return -1;
	failure->error = error ? error : EIO;
	snprintf(failure->call, sizeof(failure->call), "%s", call);
	va_start(arguments, format);
	vsnprintf(failure->message, sizeof(failure->message), format, arguments);
	va_end(arguments);
	return -1;
}

struct vmn_failure vmn_failure_move(struct vmn_failure *failure)
{
	struct vmn_failure moved = *failure;

	*failure = (struct vmn_failure){};
	return moved;
}

void vmn_failure_clear(struct vmn_failure *failure)
{
	free(failure->log);
	failure->log = NULL;
	failure->error = 0;
}
