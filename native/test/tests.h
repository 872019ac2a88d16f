/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of tests that test_main.c runs. Each ends with an empty entry. */
#ifndef VMN_TEST_TESTS_H
#define VMN_TEST_TESTS_H

#include "check.h"

extern const struct test PARSE_TESTS[];
extern const struct test VERDICT_TESTS[];
extern const struct test STATE_TESTS[];
extern const struct test NAT_TESTS[];

#endif
