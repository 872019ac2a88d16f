// SPDX-License-Identifier: Apache-2.0
/* What the eBPF programs remember from frame to frame: flows, limits, violations, and what they have told. */
#include <stdio.h>

#include "check.h"
#include "kernel_tests.h"

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

/* As many as the rate allows in the seconds that a run touches, on each CPU that it was on. */
static unsigned int most_events(uint64_t start_ns, uint64_t end_ns)
{
	uint64_t seconds = end_ns / 1000000000 - start_ns / 1000000000 + 1;

	return (unsigned int)seconds * VMN_REPORTS_PER_SECOND * (unsigned int)libbpf_num_possible_cpus();
}

/* A flood of one kind becomes one event for each CPU it met, which says what was dropped. */
static void check_one_kind(struct venue *venue, struct ring_buffer *ring, struct seen_events *seen)
{
	struct input input = {.policy = policy_plain()};
	struct outcome outcome;
	uint64_t start_ns = monotonic_ns(), end_ns;

	input.policy.generation = 100;
	venue_set_policy(venue, &input);
	frame_udp(&input.frame, &input.policy, VMN_DIRECTION_FROM_VM, ADDRESS(8, 8, 4, 4), 53, 'q', 700);
	seen->count = 0;
	for (int i = 0; i < 2000; i++)
		kernel_filter_run(&venue->filter, VMN_DIRECTION_FROM_VM, &input, &outcome);
	end_ns = monotonic_ns();
	ring_buffer__consume(ring);
	CHECK(seen->count >= 1 && seen->count <= (unsigned int)libbpf_num_possible_cpus());
	CHECK(seen->last.time_ns >= start_ns && seen->last.time_ns <= end_ns);
	CHECK_EQUAL(seen->last.kind, VMN_EVENT_DROP);
	CHECK_EQUAL(seen->last.audited, 0);
	CHECK_EQUAL(seen->last.direction, VMN_DIRECTION_FROM_VM);
	CHECK_EQUAL(seen->last.reason, VMN_REASON_DESTINATION_ADDRESS);
	CHECK_EQUAL(seen->last.generation, input.policy.generation);
	CHECK_EQUAL(seen->last.frame_bytes, input.frame.length);
	CHECK_EQUAL(seen->last.head_bytes, VMN_EVENT_HEAD_BYTES);
	CHECK_EQUAL(memcmp(seen->last.head, input.frame.bytes, VMN_EVENT_HEAD_BYTES), 0);
}

/* A flood of all kinds is told up to the rate, and what was not told is counted. */
static void check_many_kinds(struct venue *venue, struct ring_buffer *ring, struct seen_events *seen)
{
	struct vmn_counter before = kernel_filter_counter(&venue->filter, 0, VMN_COUNTER_EVENTS_SUPPRESSED), after;
	struct input input = {.policy = policy_plain()};
	uint64_t start_ns = monotonic_ns(), end_ns;
	unsigned int kinds = 5000;
	struct outcome outcome;

	input.policy.generation = 101;
	venue_set_policy(venue, &input);
	seen->count = 0;
	for (unsigned int i = 0; i < kinds; i++) {
		frame_udp(&input.frame, &input.policy, VMN_DIRECTION_FROM_VM, ADDRESS(8, 8, 4, 4), (uint16_t)(i + 1), 'q', 70);
		kernel_filter_run(&venue->filter, VMN_DIRECTION_FROM_VM, &input, &outcome);
	}
	end_ns = monotonic_ns();
	ring_buffer__consume(ring);
	after = kernel_filter_counter(&venue->filter, 0, VMN_COUNTER_EVENTS_SUPPRESSED);
	CHECK(seen->count >= VMN_REPORTS_PER_SECOND && seen->count <= most_events(start_ns, end_ns));
	/* Two of 5000 kinds may look the same, so a handful may count as told before. */
	CHECK(seen->count + (after.packets - before.packets) > kinds - 50);
	CHECK(seen->count + (after.packets - before.packets) <= kinds);
}

static void await_next_second(void)
{
	uint64_t second = monotonic_ns() / 1000000000;

	while (monotonic_ns() / 1000000000 == second)
		;
	while (monotonic_ns() % 1000000000 < 20000000) /* the programs' clock is good to a tick */
		;
}

void check_events(struct venue *venue)
{
	struct seen_events seen = {0};
	struct ring_buffer *ring = ring_buffer__new(venue->filter.events, see_event, &seen, NULL);

	CHECK(ring != NULL);
	ring_buffer__consume(ring);
	await_next_second(); /* the catalogue may have told all that this one allows */
	check_one_kind(venue, ring, &seen);
	check_finish("[EB-2] a flood of one kind becomes one event that shows what was dropped", "");
	await_next_second();
	check_many_kinds(venue, ring, &seen);
	check_finish("[EB-2] events are bounded by the second, and what was not told is counted", "");
	ring_buffer__free(ring);
}

/* The rates and the flow on a tap: two frames in a row, of which the second is the one that is looked for. */
static void check_second_on_tap(struct venue *venue, enum vmn_reason expected, void (*edit)(struct vmn_policy *policy))
{
	struct vmn_counter before, after;
	struct input input = {.policy = policy_plain()};

	edit(&input.policy);
	kernel_filter_forget(&venue->filter);
	venue_set_policy(venue, &input);
	frame_udp(&input.frame, &input.policy, VMN_DIRECTION_FROM_VM, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1, 148);
	before = kernel_filter_counter(&venue->filter, VMN_DIRECTION_FROM_VM, expected);
	CHECK_EQUAL(tap_send(&venue->tap, VMN_DIRECTION_FROM_VM, &input), 0);
	CHECK_EQUAL(tap_send(&venue->tap, VMN_DIRECTION_FROM_VM, &input), 0);
	after = kernel_filter_counter(&venue->filter, VMN_DIRECTION_FROM_VM, expected);
	CHECK_EQUAL(after.packets, before.packets + 1);
	venue->reached[true][VMN_DIRECTION_FROM_VM][expected] = true;
}

static void one_bit_a_second(struct vmn_policy *policy)
{
	policy->egress_bits_per_second = 1;
}

static void one_packet_a_second(struct vmn_policy *policy)
{
	policy->packets_per_second = 1;
}

static void conntrack(struct vmn_policy *policy)
{
	policy->mode = VMN_MODE_CONNTRACK;
	policy->generation = 4000;
}

void check_state_on_tap(struct venue *venue)
{
	check_second_on_tap(venue, VMN_REASON_BIT_RATE, one_bit_a_second);
	check_finish("limits: bits", ", on a tap");
	check_second_on_tap(venue, VMN_REASON_PACKET_RATE, one_packet_a_second);
	check_finish("limits: packets", ", on a tap");
	check_second_on_tap(venue, VMN_REASON_ALLOWED_FLOW, conntrack);
	check_finish("[FS-2] conntrack: the second frame of a flow", ", on a tap");
}

/* A frame of the flow that a policy lets through, and what it was judged. */
static unsigned int judged(struct venue *venue, struct input *input, uint32_t address_be, uint16_t port, uint8_t type)
{
	struct outcome outcome;

	frame_udp(&input->frame, &input->policy, VMN_DIRECTION_FROM_VM, address_be, port, type, 148);
	kernel_filter_run(&venue->filter, VMN_DIRECTION_FROM_VM, input, &outcome);
	venue->reached[0][0][outcome.reason & 63] = true;
	return outcome.error ? VMN_REASON_SLOTS : outcome.reason;
}

static void check_flows(struct venue *venue)
{
	struct input input = {.policy = policy_plain()};

	input.policy.mode = VMN_MODE_CONNTRACK;
	input.policy.flags = VMN_POLICY_STRICT_WIREGUARD;
	input.policy.generation = 2000;
	venue_set_policy(venue, &input);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 'x'), VMN_REASON_NOT_WIREGUARD);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_ALLOWED);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_ALLOWED_FLOW);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 'x'), VMN_REASON_ALLOWED_FLOW);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT + 1, 1), VMN_REASON_DESTINATION_PORT);
	input.policy.generation++;
	venue_set_policy(venue, &input);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 'x'), VMN_REASON_NOT_WIREGUARD);
	input.policy.mode = VMN_MODE_FILTERED;
	venue_set_policy(venue, &input);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_ALLOWED);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_ALLOWED);
}

/* Two packets at once are more than one a second; the next second brings the next. */
static void check_limits(struct venue *venue)
{
	struct input input = {.policy = policy_plain()};

	kernel_filter_forget(&venue->filter);
	input.policy.packets_per_second = 1;
	venue_set_policy(venue, &input);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_ALLOWED);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_PACKET_RATE);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT + 1, 1), VMN_REASON_DESTINATION_PORT);
	kernel_filter_forget(&venue->filter);
	input.policy.egress_bits_per_second = 1000;
	venue_set_policy(venue, &input);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_ALLOWED);
	CHECK_EQUAL(judged(venue, &input, ENDPOINT_ADDRESS, ENDPOINT_PORT, 1), VMN_REASON_BIT_RATE);
	CHECK(kernel_filter_state(&venue->filter).limiter.bits < 0);
}

static void check_violations(struct venue *venue)
{
	struct seen_events seen = {0};
	struct ring_buffer *ring = ring_buffer__new(venue->filter.events, see_event, &seen, NULL);
	struct input input = {.policy = policy_plain()};

	CHECK(ring != NULL);
	kernel_filter_forget(&venue->filter);
	input.policy.violation_threshold = 3;
	input.policy.violation_window_ms = 60000;
	input.policy.generation = 3000;
	venue_set_policy(venue, &input);
	for (uint16_t i = 1; i <= 6; i++) {
		CHECK_EQUAL(judged(venue, &input, ADDRESS(8, 8, 8, 8), 53, 'q'), VMN_REASON_DESTINATION_ADDRESS);
		CHECK_EQUAL(kernel_filter_state(&venue->filter).violations.crossings, i >= 3);
	}
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	CHECK_EQUAL(seen.last.kind, VMN_EVENT_VIOLATIONS);
	CHECK_EQUAL(seen.last.reason, VMN_REASON_DESTINATION_ADDRESS);
	kernel_filter_forget(&venue->filter);
}

void check_state(struct venue *venue)
{
	check_flows(venue);
	check_finish("[FS-2] conntrack: a flow is judged once, and anew after a change of policy", ", test run");
	check_limits(venue);
	check_finish("limits: what is more than the rate is dropped and pays nothing", ", test run");
	check_violations(venue);
	check_finish("[FS-4] the violation threshold is told once", ", test run");
}
