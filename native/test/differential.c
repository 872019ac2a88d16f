// SPDX-License-Identifier: Apache-2.0
/*
 * The same frames through the host library and through the eBPF programs: same reason, and the action, mark, frame and
 * counters that belong to it.
 *
 *	vmn_differential OBJECT [--frames N] [--seed N]
 *
 * First the catalogue, then N generated frames. Prints one JSON object {frames, hostOnly, differences, byReason,
 * unreached}; a difference is dumped on stderr. Exit: 0 no difference and every reachable reason reached, 1 otherwise,
 * 2 could not run.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <linux/pkt_cls.h>

#include "generator.h"
#include "kernel_filter.h"

#define FRAMES_PER_POLICY 500
#define DUMPS_MAX 10

static struct kernel_filter filter;
static unsigned long frames, host_only, differences;
static struct vmn_flows flows; /* the host's; the kernel's sees the same frames in the same order */
static unsigned long by_reason[2][VMN_REASON_SLOTS];
static struct vmn_counter expected_counters[4][VMN_REASON_SLOTS]; /* by block: abi.h */

static void differ(const char *what, int direction, const struct input *input, const struct outcome *outcome,
                   struct vmn_judgement expected)
{
	differences++;
	if (differences > DUMPS_MAX)
		return;
	fprintf(stderr,
	        "%s, %s the VM: host %s%s; kernel %s%s, action %d, mark %#x, %u bytes; mode %u, flags %#x, no policy %d, "
	        "tag %d, "
	        "super %d, answer %d\n",
	        what, direction == VMN_DIRECTION_FROM_VM ? "from" : "to", reason_name(expected.reason),
	        expected.audited ? " audited" : "", reason_name(outcome->reason), outcome->audited ? " audited" : "",
	        outcome->action, outcome->mark, outcome->length, input->policy.mode, input->policy.flags, input->no_policy,
	        input->vlan_in_metadata, input->super_frame, input->own_answer);
	for (uint32_t i = 0; i < input->frame.length; i++)
		fprintf(stderr, "%02x", input->frame.bytes[i]);
	fprintf(stderr, "\n");
}

/* What the program must do with a frame once its reason is known. */
static int expected_action(int direction, const struct vmn_judgement *judgement)
{
	if (!vmn_passes(judgement))
		return TC_ACT_SHOT;
	if (direction == VMN_DIRECTION_FROM_VM && judgement->reason == VMN_REASON_ARP_ANSWERED)
		return TC_ACT_REDIRECT;
	return TC_ACT_UNSPEC;
}

static uint32_t expected_mark(int direction, const struct input *input, const struct vmn_judgement *judgement)
{
	uint32_t mark = input->own_answer ? VMN_MARK_ANSWER : 0;

	if (direction == VMN_DIRECTION_FROM_VM && vmn_passes(judgement))
		mark |= judgement->reason == VMN_REASON_ARP_ANSWERED ? VMN_MARK_ANSWER : VMN_MARK_ALLOWED;
	return mark;
}

static bool frame_as_expected(int direction, const struct input *input, const struct outcome *outcome,
                              enum vmn_reason reason)
{
	struct vmn_arp_frame answer;

	/* BPF_PROG_TEST_RUN gives a tag back in the frame; nothing tagged passes, so the frame is of no interest. */
	if (input->vlan_in_metadata)
		return true;
	if (direction == VMN_DIRECTION_FROM_VM && reason == VMN_REASON_ARP_ANSWERED) {
		vmn_arp_answer(&input->policy, &answer);
		return outcome->length == sizeof(answer) && !memcmp(outcome->bytes, &answer, sizeof(answer));
	}
	return outcome->length == input->frame.length && !memcmp(outcome->bytes, input->frame.bytes, outcome->length);
}

static struct vmn_judgement compare(int direction, struct input *input)
{
	struct outcome outcome = {0};
	struct vmn_judgement expected;
	int block;

	if (input->frame.length < VMN_ETHERNET_BYTES || input->pending_checksum_offset) {
		host_only++;
		return input_judge_with(NULL, input, direction, monotonic_ns());
	}
	kernel_filter_run(&filter, direction, input, &outcome);
	/* The kernel draws by a nonce of its own; given the same one, the host has to come to the same draw. */
	input->nonce = outcome.nonce;
	expected = input_judge_with(&flows, input, direction, monotonic_ns());
	frames++;
	by_reason[direction][expected.reason]++;
	block = direction + (expected.audited ? 2 : 0);
	expected_counters[block][expected.reason].packets++;
	expected_counters[block][expected.reason].bytes += input->frame.length;
	if (outcome.error)
		differ(strerror(outcome.error), direction, input, &outcome, expected);
	else if (outcome.reason != expected.reason || outcome.audited != (expected.audited != 0))
		differ("judgement", direction, input, &outcome, expected);
	else if (outcome.action != expected_action(direction, &expected))
		differ("action", direction, input, &outcome, expected);
	else if (outcome.mark != expected_mark(direction, input, &expected))
		differ("mark", direction, input, &outcome, expected);
	else if (!frame_as_expected(direction, input, &outcome, expected.reason))
		differ("frame", direction, input, &outcome, expected);
	return expected;
}

static void put_in_force(struct input *input)
{
	input->policy.previous_until_ns = monotonic_ns() + (uint64_t)input->previous_left_ns;
	kernel_filter_set_policy(&filter, input->no_policy ? NULL : &input->policy);
}

static void compare_catalogue(void)
{
	struct input input;

	for (unsigned int i = 0; i < CASE_COUNT; i++) {
		if (!(CASES[i].venues & IN_TEST_RUN))
			continue;
		case_input(&CASES[i], &input);
		put_in_force(&input);
		if (compare(CASES[i].direction, &input).reason == CASES[i].reason)
			continue;
		fprintf(stderr, "%s: not as the catalogue says\n", CASES[i].name);
		differences++;
	}
}

static void compare_generated(unsigned long count, uint64_t seed)
{
	struct generator generator = generator_of(seed);
	struct input input;

	memset(&input, 0, sizeof(input));
	for (unsigned long i = 0; i < count; i++) {
		int direction = (int)(i % 2);

		if (i % FRAMES_PER_POLICY == 0) {
			generate_policy(&generator, &input);
			put_in_force(&input);
		}
		generate_frame(&generator, direction, &input);
		compare(direction, &input);
	}
}

static void compare_counters(void)
{
	for (int block = 0; block < 4; block++)
		for (unsigned int reason = 0; reason < VMN_COUNTER_EVENTS_SUPPRESSED; reason++) {
			struct vmn_counter counter = kernel_filter_counter(&filter, block, reason);
			struct vmn_counter expected = expected_counters[block][reason];

			if (counter.packets == expected.packets && counter.bytes == expected.bytes)
				continue;
			fprintf(stderr, "counter %d/%s: %llu packets, %llu bytes; expected %llu, %llu\n", block,
			        reason_name(reason), (unsigned long long)counter.packets, (unsigned long long)counter.bytes,
			        (unsigned long long)expected.packets, (unsigned long long)expected.bytes);
			differences++;
		}
}

/* Reasons that the catalogue can reach in BPF_PROG_TEST_RUN but that no frame of this run had. */
static unsigned int print_unreached(void)
{
	bool reached[2][VMN_REASON_SLOTS] = {0};
	unsigned int count = 0;

	for (unsigned int i = 0; i < CASE_COUNT; i++) {
		const struct test_case *test_case = &CASES[i];
		bool seen =
			by_reason[test_case->direction][test_case->reason] || reached[test_case->direction][test_case->reason];

		if (!(test_case->venues & IN_TEST_RUN) || seen)
			continue;
		reached[test_case->direction][test_case->reason] = true;
		printf("%s\"%s/%s\"", count++ ? ", " : "", test_case->direction ? "to-vm" : "from-vm",
		       reason_name(test_case->reason));
	}
	return count;
}

static void print_by_reason(int direction)
{
	bool first = true;

	for (unsigned int reason = 0; reason < VMN_REASON_SLOTS; reason++)
		if (by_reason[direction][reason]) {
			printf("%s\"%s\": %lu", first ? "" : ", ", reason_name(reason), by_reason[direction][reason]);
			first = false;
		}
}

int main(int argc, char **argv)
{
	unsigned long count = 100000, seed = 1;
	unsigned int unreached;

	for (int i = 2; i + 1 < argc; i += 2) {
		if (!strcmp(argv[i], "--frames"))
			count = strtoul(argv[i + 1], NULL, 10);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoul(argv[i + 1], NULL, 10);
		else
			argc = 0;
	}
	if (argc < 2 || argc % 2) {
		fprintf(stderr, "usage: vmn_differential OBJECT [--frames N] [--seed N]\n");
		return 2;
	}
	kernel_filter_load(&filter, argv[1]);
	compare_catalogue();
	/* The catalogue must not hide that the generator fails to get somewhere. */
	memset(by_reason, 0, sizeof(by_reason));
	compare_generated(count, seed);
	compare_counters();

	printf("{\"seed\": %lu, \"frames\": %lu, \"hostOnly\": %lu, \"differences\": %lu, \"byReason\": {\"from-vm\": {",
	       seed, frames, host_only, differences);
	print_by_reason(VMN_DIRECTION_FROM_VM);
	printf("}, \"to-vm\": {");
	print_by_reason(VMN_DIRECTION_TO_VM);
	printf("}}, \"unreached\": [");
	unreached = print_unreached();
	printf("]}\n");
	kernel_filter_close(&filter);
	return differences || unreached ? 1 : 0;
}
