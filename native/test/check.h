/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest harness that serves: tests are functions in a table, a failed CHECK says where and ends its test, the
 * output is one JSON array so that Jest shows every test under its own name.
 */
#ifndef VMN_TEST_CHECK_H
#define VMN_TEST_CHECK_H

#include <stdio.h>

struct test {
	const char *name;
	void (*run)(void);
};

/* What went wrong in the running test; empty: nothing. */
extern char check_failure[512];

#define CHECK(condition)                                                                                 \
	do {                                                                                                 \
		if (!(condition)) {                                                                              \
			snprintf(check_failure, sizeof(check_failure), "%s:%d: %s", __FILE__, __LINE__, #condition); \
			return;                                                                                      \
		}                                                                                                \
	} while (0)

#define CHECK_EQUAL(actual, expected)                                                                              \
	do {                                                                                                           \
		long long actual_ = (long long)(actual), expected_ = (long long)(expected);                                \
		if (actual_ != expected_) {                                                                                \
			snprintf(check_failure, sizeof(check_failure), "%s:%d: %s is %lld, expected %lld", __FILE__, __LINE__, \
			         #actual, actual_, expected_);                                                                 \
			return;                                                                                                \
		}                                                                                                          \
	} while (0)

/* Prints the running test's result under this name and forgets its failure. `where` is appended to the name. */
void check_finish(const char *name, const char *where);

/* The same for a test that could not be done here, and why. */
void check_skip(const char *name, const char *where, const char *reason);

/* Around all results: the brackets of the array. The end returns the exit code: 0 all passed, 1 not. */
void check_begin(void);
int check_end(void);

/* Ends the test when a check in a function it called has failed. */
#define CHECK_SO_FAR()        \
	do {                      \
		if (check_failure[0]) \
			return;           \
	} while (0)

#endif
