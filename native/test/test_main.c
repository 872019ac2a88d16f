// SPDX-License-Identifier: Apache-2.0
/*
 * vmn_verdict_test: the tables of tests and the catalogue, on the host. Prints one JSON array of {name, failure};
 * failure is empty when the test passed. Exit: 0 all passed, 1 not.
 */
#include "cases.h"
#include "check.h"
#include "tests.h"

#define NOW_NS 1000000000000ull

static void run_table(const struct test *tests)
{
	for (; tests->name; tests++) {
		tests->run();
		check_finish(tests->name, "");
	}
}

static void run_case(const struct test_case *test_case)
{
	struct vmn_judgement judgement;
	struct input input;

	case_input(test_case, &input);
	input.policy.previous_until_ns = NOW_NS + (uint64_t)input.previous_left_ns;
	judgement = input_judge_with(NULL, &input, test_case->direction, NOW_NS);
	check_reason(judgement.reason, test_case->reason);
	if (!check_failure[0])
		check_audited(judgement.audited, test_case);
	check_finish(test_case->name, test_case->direction == VMN_DIRECTION_FROM_VM ? ", from the VM" : ", to the VM");
}

int main(void)
{
	check_begin();
	run_table(PARSE_TESTS);
	run_table(VERDICT_TESTS);
	run_table(STATE_TESTS);
	run_table(NAT_TESTS);
	for (unsigned int i = 0; i < CASE_COUNT; i++)
		if (CASES[i].venues & ON_HOST)
			run_case(&CASES[i]);
	return check_end();
}
