// SPDX-License-Identifier: Apache-2.0
/*
 * vmn_kernel_cases OBJECT: the catalogue through the eBPF programs, once by BPF_PROG_TEST_RUN and once as real frames on
 * a tap, where the guest's side is read back. Prints one JSON array of {name, failure}. Needs root and Linux 6.6. Exit:
 * 0 all passed, 1 not, 2 could not run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/pkt_cls.h>

#include "check.h"
#include "kernel_filter.h"
#include "tap.h"

static struct kernel_filter filter;
static struct tap tap;
static bool reached[2][2][VMN_REASON_SLOTS]; /* [on a tap][direction][reason] */

/* Changing a policy waits for the kernel's readers; many cases in a row have the same one. */
static void put_in_force(struct input *input)
{
	static struct vmn_policy last;
	static bool last_none, any;

	if (any && last_none == input->no_policy && !memcmp(&last, &input->policy, sizeof(last)) &&
	    !input->previous_left_ns)
		return;
	last = input->policy;
	last_none = input->no_policy;
	any = true;
	if (input->previous_left_ns) {
		input->policy.previous_until_ns = monotonic_ns() + (uint64_t)input->previous_left_ns;
		any = false;
	}
	kernel_filter_set_policy(&filter, input->no_policy ? NULL : &input->policy);
}

static void check_test_run(const struct test_case *test_case, const struct input *input)
{
	struct outcome outcome;

	kernel_filter_run(&filter, test_case->direction, input, &outcome);
	CHECK_EQUAL(outcome.error, 0);
	check_reason(outcome.reason, test_case->reason);
	CHECK_SO_FAR();
	if (vmn_is_drop(test_case->reason))
		CHECK_EQUAL(outcome.action, TC_ACT_SHOT);
	reached[false][test_case->direction][test_case->reason] = true;
}

/* The one counter that moved; fails the test when none did or another beside it. */
static unsigned int moved_counter(struct vmn_counter before[2][VMN_REASON_SLOTS], int direction)
{
	unsigned int found = VMN_REASON_SLOTS;

	for (unsigned int reason = 0; reason < VMN_REASON_SLOTS; reason++) {
		struct vmn_counter now = kernel_filter_counter(&filter, direction, reason);

		if (now.packets == before[direction][reason].packets)
			continue;
		if (found != VMN_REASON_SLOTS || now.packets != before[direction][reason].packets + 1)
			snprintf(check_failure, sizeof(check_failure), "%s and %s counted for one frame", reason_name(found),
			         reason_name(reason));
		found = reason;
	}
	return found;
}

/* What the guest must have been given: the frame itself, the ARP answer, or nothing. */
static void check_guest(const struct test_case *test_case, const struct input *input)
{
	struct frame received, expected = {0}, more;

	if (test_case->direction == VMN_DIRECTION_TO_VM && !vmn_is_drop(test_case->reason))
		expected = input->frame;
	if (test_case->direction == VMN_DIRECTION_FROM_VM && test_case->reason == VMN_REASON_ARP_ANSWERED)
		frame_arp_answer(&expected, &input->policy);
	CHECK_EQUAL(tap_receive(&tap, &received), expected.length);
	CHECK_EQUAL(memcmp(received.bytes, expected.bytes, expected.length), 0);
	CHECK_EQUAL(expected.length ? tap_receive(&tap, &more) : 0, 0);
}

static void check_on_tap(const struct test_case *test_case, const struct input *input)
{
	struct vmn_counter before[2][VMN_REASON_SLOTS];
	struct frame stale;

	while (tap_receive(&tap, &stale))
		;
	for (int direction = 0; direction <= 1; direction++)
		for (unsigned int reason = 0; reason < VMN_REASON_SLOTS; reason++)
			before[direction][reason] = kernel_filter_counter(&filter, direction, reason);
	CHECK_EQUAL(tap_send(&tap, test_case->direction, input), 0);
	check_reason(moved_counter(before, test_case->direction), test_case->reason);
	CHECK_SO_FAR();
	check_guest(test_case, input);
	CHECK_SO_FAR();
	reached[true][test_case->direction][test_case->reason] = true;
}

static void run_case(const struct test_case *test_case)
{
	bool from_vm = test_case->direction == VMN_DIRECTION_FROM_VM;
	struct input input;

	case_input(test_case, &input);
	put_in_force(&input);
	if (test_case->venues & IN_TEST_RUN) {
		check_test_run(test_case, &input);
		check_finish(test_case->name, from_vm ? ", from the VM, test run" : ", to the VM, test run");
	}
	if (test_case->venues & ON_TAP) {
		check_on_tap(test_case, &input);
		check_finish(test_case->name, from_vm ? ", from the VM, on a tap" : ", to the VM, on a tap");
	}
}

/* BPF_PROG_TEST_RUN has no way to ask for checksum offload; everything else must have been there. */
static void check_complete(bool on_tap)
{
	for (unsigned int reason = VMN_REASON_FIRST_DROP; reason < VMN_REASON_SLOTS; reason++) {
		if (!strcmp(reason_name(reason), "?") || (!on_tap && reason == VMN_REASON_CHECKSUM_OFFLOAD))
			continue;
		if (!reached[on_tap][0][reason] && !reached[on_tap][1][reason])
			snprintf(check_failure, sizeof(check_failure), "%s was not reached", reason_name(reason));
	}
}

struct seen_events {
	unsigned int count;
	struct vmn_event last;
};

static int see_event(void *context, void *data, size_t size)
{
	struct seen_events *seen = context;

	if (size == sizeof(seen->last)) {
		memcpy(&seen->last, data, size);
		seen->count++;
	}
	return 0;
}

/* A flood of dropped frames becomes one event that says what was dropped, and the next one only after the interval. */
static void check_events(void)
{
	struct seen_events seen = {0};
	struct ring_buffer *ring = ring_buffer__new(filter.events, see_event, &seen, NULL);
	struct input input = {.policy = policy_plain()};
	struct outcome outcome;
	uint64_t start_ns, end_ns;

	CHECK(ring != NULL);
	put_in_force(&input);
	frame_udp(&input.frame, &input.policy, VMN_DIRECTION_FROM_VM, ADDRESS(8, 8, 4, 4), 53, 'q', 700);
	ring_buffer__consume(ring);
	for (start_ns = monotonic_ns(); monotonic_ns() < start_ns + 2 * VMN_EVENT_INTERVAL_NS;)
		;
	seen.count = 0;
	start_ns = monotonic_ns();
	for (int i = 0; i < 2000; i++)
		kernel_filter_run(&filter, VMN_DIRECTION_FROM_VM, &input, &outcome);
	end_ns = monotonic_ns();
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	CHECK(seen.count >= 1);
	/* For each CPU the process was on: one at once, and one for each interval that has passed. */
	CHECK(seen.count <= (1 + (end_ns - start_ns) / VMN_EVENT_INTERVAL_NS) * (unsigned int)libbpf_num_possible_cpus());
	CHECK(seen.last.time_ns >= start_ns && seen.last.time_ns <= end_ns);
	CHECK_EQUAL(seen.last.direction, VMN_DIRECTION_FROM_VM);
	CHECK_EQUAL(seen.last.reason, VMN_REASON_DESTINATION_ADDRESS);
	CHECK_EQUAL(seen.last.generation, input.policy.generation);
	CHECK_EQUAL(seen.last.frame_bytes, input.frame.length);
	CHECK_EQUAL(seen.last.head_bytes, VMN_EVENT_HEAD_BYTES);
	CHECK_EQUAL(memcmp(seen.last.head, input.frame.bytes, VMN_EVENT_HEAD_BYTES), 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: vmn_kernel_cases OBJECT\n");
		return 2;
	}
	kernel_filter_load(&filter, argv[1]);
	tap_open(&tap, &filter);
	check_begin();
	for (unsigned int i = 0; i < CASE_COUNT; i++)
		run_case(&CASES[i]);
	check_complete(false);
	check_finish("[EB-2] every drop reason was reached in BPF_PROG_TEST_RUN", "");
	check_complete(true);
	check_finish("[EB-2] every drop reason was reached by a real frame on a tap", "");
	check_events();
	check_finish("[EB-2] a flood of dropped frames becomes one event that shows what was dropped", "");
	kernel_filter_close(&filter);
	return check_end();
}
