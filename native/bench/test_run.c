// SPDX-License-Identifier: Apache-2.0
/*
 * What a judgement costs under BPF_PROG_TEST_RUN: the same frame again and again, everything hot. Each round runs every
 * subject once, each right after a program that does nothing, so that both see the same moment of the machine.
 *
 *	vmn_bench_test_run --rounds N --frames N --copies N < PLAN
 *
 * Prints one line of JSON for each subject and round, times in ns for one run.
 */
#include <bpf/bpf.h>

#include "failure.h"
#include "filter.h"
#include "stopwatch.h"

static double run_ns(int program, const struct subject *subject, uint32_t repeat)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = subject->frame, .data_size_in = subject->frame_bytes,
	            .repeat = (int)repeat);
	uint64_t began = stopwatch_ns();

	if (bpf_prog_test_run_opts(program, &options))
		bench_fail("BPF_PROG_TEST_RUN of", subject->name);
	return (double)(stopwatch_ns() - began) / repeat;
}

struct copy {
	struct filter filter;
	int empty;
};

static void load(struct copy *copy, const struct subject *subject)
{
	copy->empty = filter_load_empty();
	filter_load(&copy->filter, subject);
	/* A first frame opens its flow, a first drop its event. */
	run_ns(copy->filter.program, subject, 100);
}

static void measure(const struct copy *copy, const struct subject *subject, uint32_t round, uint32_t repeat)
{
	uint64_t counted = filter_counted(&copy->filter, subject);
	double empty_ns = run_ns(copy->empty, subject, repeat);
	double filter_ns = run_ns(copy->filter.program, subject, repeat);

	printf(
		"{\"name\": \"%s\", \"round\": %u, \"frames\": %u, \"counted\": %llu, \"emptyNs\": %.3f, \"filterNs\": %.3f}\n",
		subject->name, round, repeat, (unsigned long long)(filter_counted(&copy->filter, subject) - counted), empty_ns,
		filter_ns);
}

int main(int argc, char **argv)
{
	uint32_t rounds = plan_option(argc, argv, "--rounds"), repeat = plan_option(argc, argv, "--frames");
	uint32_t copies = plan_option(argc, argv, "--copies");
	static struct subject subjects[PLAN_SUBJECTS_MAX];
	static struct copy all[PLAN_COPIES_MAX][PLAN_SUBJECTS_MAX];
	int count = plan_read(subjects);

	if (copies > PLAN_COPIES_MAX)
		bench_fail("too many copies", NULL);
	for (uint32_t copy = 0; copy < copies; copy++)
		for (int i = 0; i < count; i++)
			load(&all[copy][i], &subjects[i]);
	for (uint32_t round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++)
			measure(&all[round % copies][i], &subjects[i], round, repeat);
		fflush(stdout);
	}
	return 0;
}
