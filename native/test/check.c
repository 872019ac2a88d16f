// SPDX-License-Identifier: Apache-2.0
#include <stdbool.h>
#include <stdlib.h>

#include "check.h"

char check_failure[512];

static bool first = true;
static int failures;

/* Names and failures are our own text: quotes and backslashes are all that could break the JSON. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
}

void check_begin(void)
{
	printf("[");
}

static void print_result(const char *name, const char *where)
{
	printf("%s\n  {\"name\": \"", first ? "" : ",");
	print_text(name);
	print_text(where);
	printf("\", \"failure\": \"");
	print_text(check_failure);
	printf("\"");
	first = false;
	failures += check_failure[0] != 0;
	check_failure[0] = 0;
}

void check_finish(const char *name, const char *where)
{
	print_result(name, where);
	printf("}");
}

void check_skip(const char *name, const char *where, const char *reason)
{
	print_result(name, where);
	printf(", \"skipped\": \"");
	print_text(reason);
	printf("\"}");
}

int check_end(void)
{
	printf("\n]\n");
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
