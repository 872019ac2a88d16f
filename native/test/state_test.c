// SPDX-License-Identifier: Apache-2.0
/* What the filter remembers from frame to frame, on the host: flows, draws, limits, violations, reports. */
#include <string.h>

#include "cases.h"
#include "check.h"
#include "tests.h"
#include "vmn/report.h"

#define NOW_NS 1000000000000ull
#define SECOND_NS 1000000000ull

/* Appendix A's key and message; the sums are those of an implementation that gives the paper's own for SipHash-2-4. */
static void siphash_is_keyed_and_depends_on_every_bit(void)
{
	const __u64 key[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
	__u64 words[2] = {0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull};
	__u64 whole = vmn_siphash13(key, words, 2);

	for (int bit = 0; bit < 128; bit++) {
		__u64 other_key[2] = {key[0], key[1]};

		other_key[bit / 64] ^= 1ull << bit % 64;
		CHECK(vmn_siphash13(other_key, words, 2) != whole);
		words[bit / 64] ^= 1ull << bit % 64;
		CHECK(vmn_siphash13(key, words, 2) != whole);
		words[bit / 64] ^= 1ull << bit % 64;
	}
}

static struct input conntrack(uint64_t generation)
{
	struct input input = {.policy = policy_plain()};

	input.policy.mode = VMN_MODE_CONNTRACK;
	input.policy.generation = generation;
	return input;
}

static enum vmn_reason judge_flow(struct vmn_flows *flows, struct input *input, int direction, uint32_t address_be,
                                  uint16_t port, uint16_t guest_port)
{
	frame_udp(&input->frame, &input->policy, direction, address_be, port, 'x', 20);
	put16(&input->frame, direction == VMN_DIRECTION_FROM_VM ? AT_UDP_SOURCE : AT_UDP_DESTINATION, guest_port);
	return input_judge_with(flows, input, direction, NOW_NS).reason;
}

static void a_flow_is_one_in_both_directions(void)
{
	struct input input = conntrack(1);

	for (int first = 0; first <= 1; first++) {
		struct vmn_flows flows = {0};

		CHECK_EQUAL(judge_flow(&flows, &input, first, ENDPOINT_ADDRESS, ENDPOINT_PORT, 4000), VMN_REASON_ALLOWED);
		CHECK_EQUAL(judge_flow(&flows, &input, !first, ENDPOINT_ADDRESS, ENDPOINT_PORT, 4000), VMN_REASON_ALLOWED_FLOW);
		CHECK_EQUAL(judge_flow(&flows, &input, first, ENDPOINT_ADDRESS, ENDPOINT_PORT, 4000), VMN_REASON_ALLOWED_FLOW);
		CHECK_EQUAL(judge_flow(&flows, &input, first, ENDPOINT_ADDRESS, ENDPOINT_PORT, 4001), VMN_REASON_ALLOWED);
	}
}

static void a_bad_flow_is_never_remembered(void)
{
	struct vmn_flows flows = {0}, nothing = {0};
	struct input input = conntrack(1);

	input.policy.previous.address_be = PREVIOUS_ADDRESS;
	input.policy.previous.port_be = VMN_NET16(PREVIOUS_PORT);
	input.policy.previous_until_ns = NOW_NS + 1;
	for (int i = 0; i < 3; i++) {
		CHECK_EQUAL(judge_flow(&flows, &input, 0, ADDRESS(8, 8, 8, 8), 53, 4000), VMN_REASON_DESTINATION_ADDRESS);
		CHECK_EQUAL(judge_flow(&flows, &input, 0, ENDPOINT_ADDRESS, 1, 4000), VMN_REASON_DESTINATION_PORT);
		CHECK_EQUAL(judge_flow(&flows, &input, 0, ENDPOINT_ADDRESS, ENDPOINT_PORT, 0), VMN_REASON_SOURCE_PORT);
		CHECK_EQUAL(judge_flow(&flows, &input, 0, PREVIOUS_ADDRESS, PREVIOUS_PORT, 4000), VMN_REASON_ALLOWED_PREVIOUS);
	}
	CHECK_EQUAL(memcmp(&flows, &nothing, sizeof(flows)), 0);
}

static void a_known_flow_is_still_for_this_guest(void)
{
	struct vmn_flows flows = {0};
	struct input input = conntrack(1);

	CHECK_EQUAL(judge_flow(&flows, &input, 1, ENDPOINT_ADDRESS, ENDPOINT_PORT, 4000), VMN_REASON_ALLOWED);
	CHECK_EQUAL(judge_flow(&flows, &input, 1, ENDPOINT_ADDRESS, ENDPOINT_PORT, 4000), VMN_REASON_ALLOWED_FLOW);
	put32_be(&input.frame, AT_IP_DESTINATION, ADDRESS(100, 64, 0, 8));
	frame_fix_checksum(&input.frame);
	CHECK_EQUAL(input_judge_with(&flows, &input, 1, NOW_NS).reason, VMN_REASON_DESTINATION_ADDRESS);
}

static void a_change_of_policy_ends_old_flows(void)
{
	struct vmn_flows flows = {0};
	struct input input = conntrack(1);

	for (uint16_t port = 4000; port < 4100; port++)
		CHECK_EQUAL(judge_flow(&flows, &input, 0, ENDPOINT_ADDRESS, ENDPOINT_PORT, port), VMN_REASON_ALLOWED);
	input.policy.generation = 2;
	input.policy.endpoint.address_be = PREVIOUS_ADDRESS;
	for (uint16_t port = 4000; port < 4100; port++)
		CHECK_EQUAL(judge_flow(&flows, &input, 0, ENDPOINT_ADDRESS, ENDPOINT_PORT, port),
		            VMN_REASON_DESTINATION_ADDRESS);
}

/* 65,535 flows in room for 512: the last ones of each set are known, and no more than fit are. */
static void the_table_is_bounded(void)
{
	struct vmn_flows flows = {0}, copy;
	struct input input = conntrack(1);
	unsigned int known = 0;

	for (uint32_t port = 1; port < 0x10000; port++)
		CHECK_EQUAL(judge_flow(&flows, &input, 0, ENDPOINT_ADDRESS, ENDPOINT_PORT, (uint16_t)port), VMN_REASON_ALLOWED);
	for (uint32_t port = 1; port < 0x10000; port++) {
		copy = flows;
		known +=
			judge_flow(&copy, &input, 0, ENDPOINT_ADDRESS, ENDPOINT_PORT, (uint16_t)port) == VMN_REASON_ALLOWED_FLOW;
	}
	CHECK_EQUAL(known, VMN_FLOW_SETS * VMN_FLOW_WAYS);
}

static void the_least_recently_used_goes_out(void)
{
	struct vmn_flow_set set = {0};

	for (uint64_t flow = 1; flow <= VMN_FLOW_WAYS; flow++)
		vmn_flow_remember(&set, flow);
	CHECK(vmn_flow_is_known(&set, 1)); /* the oldest, used just now */
	CHECK(vmn_flow_is_known(&set, 5));
	vmn_flow_remember(&set, 9);
	CHECK(!vmn_flow_is_known(&set, 2)); /* the oldest that nobody used */
	for (uint64_t flow = 3; flow <= 9; flow++)
		CHECK(vmn_flow_is_known(&set, flow));
	CHECK(vmn_flow_is_known(&set, 1));
}

/* 100,000 draws at a rate: five standard deviations on either side, for the fixed secret and the nonces 0, 1, 2, … */
static void draws_have_their_rate(void)
{
	static const struct {
		uint32_t per_million;
		unsigned int least, most;
	} rates[] = {
		{0, 0, 0},
		{10000, 843, 1157},    /* 1000 +- 5 * 31.5 */
		{50000, 4656, 5344},   /* 5000 +- 5 * 68.9 */
		{100000, 9526, 10474}, /* 10000 +- 5 * 94.9 */
		{1000000, 100000, 100000},
	};
	struct vmn_policy policy = policy_plain();

	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		unsigned int drawn = 0;

		policy.sample_per_million = rates[i].per_million;
		for (uint64_t nonce = 0; nonce < 100000; nonce++)
			drawn += vmn_is_drawn(&policy, nonce);
		CHECK(drawn >= rates[i].least && drawn <= rates[i].most);
	}
}

/* How much of a flood a limit lets through in a time. A frame every `gap_ns`. */
static uint64_t passed(struct vmn_policy *policy, uint64_t seconds, uint64_t gap_ns, uint32_t bytes, uint32_t packets)
{
	struct vmn_limiter limiter = {0};
	uint64_t count = 0;

	for (uint64_t now = NOW_NS; now < NOW_NS + seconds * SECOND_NS; now += gap_ns)
		count += vmn_limit(policy, &limiter, now, bytes, packets) == VMN_REASON_ALLOWED;
	return count;
}

static int within_percent(uint64_t actual, uint64_t expected, uint64_t percent)
{
	uint64_t slack = expected * percent / 100;

	return actual + slack >= expected && actual <= expected + slack;
}

static void limits_are_honest(void)
{
	static const uint64_t bit_rates[] = {64000, 1000000, 10000000, 123456789, 1000000000};
	static const uint32_t sizes[] = {60, 590, 1514, 9014};
	static const uint64_t packet_rates[] = {50, 1000, 33333, 100000};
	struct vmn_policy policy = policy_plain();

	for (unsigned int r = 0; r < 5; r++)
		for (unsigned int s = 0; s < 4; s++) {
			uint64_t expected = bit_rates[r] * 10 / 8 / sizes[s];

			policy.egress_bits_per_second = bit_rates[r];
			if (expected >= 100) /* below, one frame is more than the tolerance */
				CHECK(within_percent(passed(&policy, 10, SECOND_NS / (expected / 4 + 1), sizes[s], 1), expected, 2));
		}
	policy.egress_bits_per_second = 0;
	for (unsigned int r = 0; r < 4; r++) {
		policy.packets_per_second = packet_rates[r];
		CHECK(within_percent(passed(&policy, 10, SECOND_NS / packet_rates[r] / 4, 60, 1), packet_rates[r] * 10, 2));
		/* super-frames of 45 packets */
		CHECK(within_percent(45 * passed(&policy, 10, SECOND_NS / packet_rates[r] / 4, 60000, 45), packet_rates[r] * 10,
		                     45 * 100 / 50 / 10 + 15));
	}
}

static void limits_survive_strange_clocks(void)
{
	struct vmn_policy policy = policy_plain();
	struct vmn_limiter limiter = {0};

	policy.egress_bits_per_second = UINT64_MAX; /* taken as the most there is */
	policy.packets_per_second = VMN_PACKETS_PER_SECOND_MAX + 1;
	CHECK_EQUAL(vmn_limit(&policy, &limiter, UINT64_MAX, 70000, 128), VMN_REASON_ALLOWED);
	CHECK_EQUAL(limiter.bits, (int64_t)(VMN_BITS_PER_SECOND_MAX * VMN_BURST_NS) - 70000ll * 8 * VMN_BILLION);
	CHECK_EQUAL(vmn_limit(&policy, &limiter, 0, 70000, 128), VMN_REASON_ALLOWED); /* backwards: no time has passed */
	memset(&limiter, 0, sizeof(limiter));
	CHECK_EQUAL(vmn_limit(&policy, &limiter, 0, 70000, 128), VMN_REASON_ALLOWED); /* a clock that begins at 0 */
	CHECK_EQUAL(vmn_limit(&policy, &limiter, UINT64_MAX, 60, 1), VMN_REASON_ALLOWED);
	policy.egress_bits_per_second = 1;
	policy.packets_per_second = 1;
	CHECK_EQUAL(vmn_limit(&policy, &limiter, 1, 60, 1),
	            VMN_REASON_ALLOWED); /* what is too much is cut to a full bucket */
	CHECK_EQUAL(vmn_limit(&policy, &limiter, 2, 60, 1), VMN_REASON_BIT_RATE);
	memset(&limiter, 0, sizeof(limiter));
	CHECK_EQUAL(vmn_limit(&policy, &limiter, NOW_NS, 70000, 128), VMN_REASON_ALLOWED);
	CHECK_EQUAL(vmn_limit(&policy, &limiter, NOW_NS + 127 * SECOND_NS, 60, 1), VMN_REASON_BIT_RATE);
	/* 560,000 bits in debt at one a second, and the bucket holds next to nothing */
	CHECK_EQUAL(vmn_limit(&policy, &limiter, NOW_NS + 559999 * SECOND_NS, 60, 1), VMN_REASON_BIT_RATE);
	CHECK_EQUAL(vmn_limit(&policy, &limiter, NOW_NS + 560001 * SECOND_NS, 60, 1), VMN_REASON_ALLOWED);
}

static int violate(struct vmn_policy *policy, struct vmn_violations *violations, uint64_t at_ms)
{
	return vmn_violation_note(policy, violations, NOW_NS + at_ms * VMN_NS_PER_MS);
}

static void violations_are_told_once_until_it_is_quiet(void)
{
	struct vmn_policy policy = policy_plain();
	struct vmn_violations violations = {0};

	policy.violation_threshold = 4;
	policy.violation_window_ms = 10000;
	CHECK(!violate(&policy, &violations, 0));
	CHECK(!violate(&policy, &violations, 1000));
	CHECK(!violate(&policy, &violations, 2000));
	CHECK(violate(&policy, &violations, 9000));
	for (uint64_t ms = 9001; ms < 9100; ms++)
		CHECK(!violate(&policy, &violations, ms)); /* told already */
	CHECK(!violate(&policy, &violations, 15000));
	CHECK_EQUAL(violations.crossings, 1);
	CHECK(!violate(&policy, &violations, 60000)); /* a quiet while: it counts from the start */
	CHECK(!violate(&policy, &violations, 60001));
	CHECK(!violate(&policy, &violations, 60002));
	CHECK(violate(&policy, &violations, 60003));
	CHECK_EQUAL(violations.crossings, 2);
}

static void violations_are_told_anew_under_another_policy(void)
{
	struct vmn_policy policy = policy_plain();
	struct vmn_violations violations = {0};

	policy.violation_threshold = 3;
	policy.violation_window_ms = 10000;
	for (uint64_t ms = 0; ms < 100; ms++)
		CHECK_EQUAL(violate(&policy, &violations, ms), ms == 2);
	policy.generation++;
	CHECK(violate(&policy, &violations, 100));
	CHECK(!violate(&policy, &violations, 101));
	CHECK_EQUAL(violations.crossings, 2);
}

static void violations_count_across_windows(void)
{
	struct vmn_policy policy = policy_plain();
	struct vmn_violations violations = {0};

	policy.violation_threshold = 4;
	policy.violation_window_ms = 10000;
	CHECK(!violate(&policy, &violations, 0));
	CHECK(!violate(&policy, &violations, 9000));
	CHECK(!violate(&policy, &violations, 9500));
	CHECK(violate(&policy, &violations, 10500)); /* three in the window before, most of which still counts */
	memset(&violations, 0, sizeof(violations));
	for (uint64_t ms = 0; ms < 600000; ms += 4000)
		CHECK(!violate(&policy, &violations, ms)); /* a trickle below the rate */
	policy.violation_threshold = 1;
	memset(&violations, 0, sizeof(violations));
	CHECK(violate(&policy, &violations, 0));
	CHECK(!violate(&policy, &violations, 5000));
	CHECK(violate(&policy, &violations, 60000));
}

static void only_some_drops_are_violations(void)
{
	for (unsigned int reason = 0; reason < VMN_REASON_FIRST_DROP; reason++)
		CHECK(!vmn_is_violation(reason));
	CHECK(!vmn_is_violation(VMN_REASON_GROUP_MAC));
	CHECK(!vmn_is_violation(VMN_REASON_IPV6));
	CHECK(!vmn_is_violation(VMN_REASON_QUARANTINED));
	CHECK(!vmn_is_violation(VMN_REASON_PACKET_RATE));
	CHECK(!vmn_is_violation(VMN_REASON_ICMP_TO_ENDPOINT));
	CHECK(vmn_is_violation(VMN_REASON_PROTOCOL));
	CHECK(vmn_is_violation(VMN_REASON_DESTINATION_ADDRESS));
	CHECK(vmn_is_violation(VMN_REASON_SOURCE_MAC));
	CHECK(vmn_is_violation(VMN_REASON_ARP_SPOOFED));
	CHECK(vmn_is_violation(VMN_REASON_CHECKSUM_OFFLOAD));
}

static void reports_are_bounded(void)
{
	struct vmn_reports reports = {0};
	unsigned int sent = 0;

	CHECK_EQUAL(vmn_report_due(&reports, 7, NOW_NS), VMN_REPORT_NEW);
	CHECK_EQUAL(vmn_report_due(&reports, 7, NOW_NS), VMN_REPORT_KNOWN);
	CHECK_EQUAL(vmn_report_due(&reports, 7, NOW_NS + 9 * SECOND_NS), VMN_REPORT_KNOWN);
	CHECK_EQUAL(vmn_report_due(&reports, 7, NOW_NS + 10 * SECOND_NS), VMN_REPORT_NEW);
	CHECK_EQUAL(vmn_report_due(&reports, 0, NOW_NS + 10 * SECOND_NS), VMN_REPORT_NEW); /* like an empty place */
	memset(&reports, 0, sizeof(reports));
	for (uint32_t kind = 1; kind <= 1000; kind++)
		sent += vmn_report_due(&reports, kind, NOW_NS) == VMN_REPORT_NEW;
	CHECK_EQUAL(sent, VMN_REPORTS_PER_SECOND);
	CHECK_EQUAL(vmn_report_due(&reports, 1000, NOW_NS), VMN_REPORT_SUPPRESSED);
	CHECK_EQUAL(vmn_report_due(&reports, 1000, NOW_NS + SECOND_NS), VMN_REPORT_NEW);
}

const struct test STATE_TESTS[] = {
	{"SipHash: every bit of key and message matters", siphash_is_keyed_and_depends_on_every_bit},
	{"[FS-2] conntrack: a flow is one in both directions", a_flow_is_one_in_both_directions},
	{"[FS-2] conntrack: a bad flow, and one by grace, is judged every time", a_bad_flow_is_never_remembered},
	{"[FS-2] conntrack: a known flow is still for this guest only", a_known_flow_is_still_for_this_guest},
	{"[FS-2] conntrack: a change of policy ends old flows at once", a_change_of_policy_ends_old_flows},
	{"[FS-2] conntrack: the table is bounded", the_table_is_bounded},
	{"[FS-2] conntrack: the least recently used goes out", the_least_recently_used_goes_out},
	{"[FS-3] draws have their rate: 10^5 each, 5 sigma, fixed secret", draws_have_their_rate},
	{"limits are honest within 2 % over 10 s, fixed clock", limits_are_honest},
	{"limits survive a clock that jumps", limits_survive_strange_clocks},
	{"[FS-4] violations are told once until it is quiet", violations_are_told_once_until_it_is_quiet},
	{"[FS-4] violations are told anew under another policy", violations_are_told_anew_under_another_policy},
	{"[FS-4] violations count across windows", violations_count_across_windows},
	{"[FS-4] only some drops are violations", only_some_drops_are_violations},
	{"reports are bounded by kind and second", reports_are_bounded},
	{NULL, NULL},
};
