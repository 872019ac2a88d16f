// SPDX-License-Identifier: Apache-2.0
#include "venue.h"

#include <errno.h>
#include <stdio.h>

#include <linux/pkt_cls.h>

#include "check.h"

void venue_open(struct venue *venue, const char *object)
{
	memset(venue, 0, sizeof(*venue));
	kernel_filter_load(&venue->filter, object);
	tap_open(&venue->tap, &venue->filter);
}

void venue_close(struct venue *venue)
{
	kernel_filter_close(&venue->filter);
}

/* Changing a policy waits for the kernel's readers; many cases in a row have the same one. */
void venue_set_policy(struct venue *venue, struct input *input)
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
	kernel_filter_set_policy(&venue->filter, input->no_policy ? NULL : &input->policy);
}

static void check_test_run(struct venue *venue, const struct test_case *test_case, const struct input *input)
{
	struct outcome outcome;

	kernel_filter_run(&venue->filter, test_case->direction, input, &outcome);
	CHECK_EQUAL(outcome.error, 0);
	check_reason(outcome.reason, test_case->reason);
	CHECK_SO_FAR();
	check_audited(outcome.audited, test_case);
	CHECK_SO_FAR();
	if (!case_passes(test_case))
		CHECK_EQUAL(outcome.action, TC_ACT_SHOT);
	else if (test_case->reason != VMN_REASON_ARP_ANSWERED)
		CHECK_EQUAL(outcome.action, TC_ACT_UNSPEC);
	venue->reached[false][test_case->direction][test_case->reason] = true;
}

/* The one counter that moved; fails the test when none did or another beside it. */
static unsigned int moved_counter(struct venue *venue, struct vmn_counter before[BLOCKS][VMN_REASON_SLOTS], int block)
{
	unsigned int found = VMN_REASON_SLOTS;

	for (unsigned int reason = 0; reason < VMN_COUNTER_EVENTS_SUPPRESSED; reason++) {
		struct vmn_counter now = kernel_filter_counter(&venue->filter, block, reason);

		if (now.packets == before[block][reason].packets)
			continue;
		if (found != VMN_REASON_SLOTS || now.packets != before[block][reason].packets + 1)
			snprintf(check_failure, sizeof(check_failure), "%s and %s counted for one frame", reason_name(found),
			         reason_name(reason));
		found = reason;
	}
	return found;
}

/* A super-frame comes to the guest as the packets it stands for: all of its payload, and nothing longer than asked for. */
static void check_guest_got_packets(struct venue *venue, const struct input *input)
{
	uint32_t payload_bytes = input->frame.length - AT_PAYLOAD, taken = 0;
	struct frame received;

	while (taken < payload_bytes) {
		uint32_t left = payload_bytes - taken;
		uint32_t expected = left < input->segment_bytes ? left : input->segment_bytes;

		CHECK_EQUAL(tap_receive(&venue->tap, &received), AT_PAYLOAD + expected);
		CHECK_EQUAL(memcmp(received.bytes, input->frame.bytes, VMN_ETHERNET_BYTES), 0);
		CHECK_EQUAL(memcmp(received.bytes + AT_IP_SOURCE, input->frame.bytes + AT_IP_SOURCE, 12), 0);
		CHECK_EQUAL(memcmp(received.bytes + AT_PAYLOAD, input->frame.bytes + AT_PAYLOAD + taken, expected), 0);
		taken += expected;
	}
	CHECK_EQUAL(tap_receive(&venue->tap, &received), 0);
}

/* What the guest must have been given: the frame itself, the ARP answer, or nothing. */
static void check_guest(struct venue *venue, const struct test_case *test_case, const struct input *input)
{
	struct frame received, expected = {0}, more;
	bool to_vm = test_case->direction == VMN_DIRECTION_TO_VM;

	if (to_vm && case_passes(test_case) && input->super_frame) {
		check_guest_got_packets(venue, input);
		return;
	}
	if (to_vm && case_passes(test_case))
		expected = input->frame;
	if (!to_vm && test_case->reason == VMN_REASON_ARP_ANSWERED)
		frame_arp_answer(&expected, &input->policy);
	CHECK_EQUAL(tap_receive(&venue->tap, &received), expected.length);
	CHECK_EQUAL(memcmp(received.bytes, expected.bytes, expected.length), 0);
	CHECK_EQUAL(expected.length ? tap_receive(&venue->tap, &more) : 0, 0);
}

static void check_on_tap(struct venue *venue, const struct test_case *test_case, const struct input *input)
{
	int block = test_case->direction + (test_case->venues & AUDITED ? 2 : 0);
	struct vmn_counter before[BLOCKS][VMN_REASON_SLOTS];
	struct frame stale;

	while (tap_receive(&venue->tap, &stale))
		;
	for (int i = 0; i < BLOCKS; i++)
		for (unsigned int reason = 0; reason < VMN_REASON_SLOTS; reason++)
			before[i][reason] = kernel_filter_counter(&venue->filter, i, reason);
	CHECK_EQUAL(tap_send(&venue->tap, test_case->direction, input), 0);
	check_reason(moved_counter(venue, before, block), test_case->reason);
	CHECK_SO_FAR();
	check_guest(venue, test_case, input);
	CHECK_SO_FAR();
	venue->reached[true][test_case->direction][test_case->reason] = true;
}

void venue_run(struct venue *venue, const struct test_case *test_case, struct input *input)
{
	bool from_vm = test_case->direction == VMN_DIRECTION_FROM_VM;

	venue_set_policy(venue, input);
	if (test_case->venues & IN_TEST_RUN) {
		check_test_run(venue, test_case, input);
		check_finish(test_case->name, from_vm ? ", from the VM, test run" : ", to the VM, test run");
	}
	if (test_case->venues & ON_TAP) {
		const char *where = from_vm ? ", from the VM, on a tap" : ", to the VM, on a tap";
		const char *cannot = tap_cannot(&venue->tap, input);

		if (cannot) {
			check_skip(test_case->name, where, cannot);
			return;
		}
		check_on_tap(venue, test_case, input);
		check_finish(test_case->name, where);
	}
}
