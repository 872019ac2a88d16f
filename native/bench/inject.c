// SPDX-License-Identifier: Apache-2.0
/*
 * What a frame costs from its arrival to its end. Each round injects the frame of every subject, in turn, into its interface
 * in its network namespace: once in a short call and once in a long one, whose difference is free of a call's fixed cost.
 *
 *	vmn_bench_inject --rounds N --frames N < PLAN
 *
 * A subject with an object has the filter on the interface's tcx ingress, one with a sink ends there.
 * Prints one line of JSON for each subject and round, times in ns for one frame.
 */
#define _GNU_SOURCE /* setns */
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <net/if.h>

#include "failure.h"
#include "filter.h"
#include "traffic.h"

#define SHORT_CALL_FRAMES 64

struct station {
	struct filter filter;
	struct traffic traffic;
	int netns;
	uint32_t ifindex;
};

static void enter(const struct station *station)
{
	if (setns(station->netns, CLONE_NEWNET))
		bench_fail("entering a network namespace", NULL);
}

static uint32_t index_of(const char *device)
{
	uint32_t index = if_nametoindex(device);

	if (!index)
		bench_fail("no interface", device);
	return index;
}

static void set_up(struct station *station, const struct subject *subject)
{
	station->netns = open(subject->netns, O_RDONLY | O_CLOEXEC);
	if (station->netns < 0)
		bench_fail("no network namespace", subject->netns);
	enter(station);
	station->ifindex = index_of(subject->device);
	traffic_load(&station->traffic, subject, 0);
	if (subject->sink[0])
		traffic_attach(station->traffic.sink, index_of(subject->sink), TRAFFIC_EGRESS);
	if (subject->object[0]) {
		filter_load(&station->filter, subject);
		traffic_attach(station->filter.program, station->ifindex, TRAFFIC_INGRESS);
	}
}

static uint64_t counted_by(const struct station *station, const struct subject *subject)
{
	return subject->object[0] ? filter_counted(&station->filter, subject) : 0;
}

static void measure(const struct station *station, const struct subject *subject, uint32_t round, uint32_t frames)
{
	uint64_t counted = counted_by(station, subject), sunk = traffic_sunk(&station->traffic);
	uint64_t short_ns, long_ns;

	enter(station);
	short_ns = traffic_inject(&station->traffic, subject, station->ifindex, SHORT_CALL_FRAMES);
	long_ns = traffic_inject(&station->traffic, subject, station->ifindex, SHORT_CALL_FRAMES + frames);
	printf("{\"name\": \"%s\", \"round\": %u, \"frames\": %u, \"counted\": %llu, \"sunk\": %llu, \"ns\": %.3f}\n",
	       subject->name, round, 2 * SHORT_CALL_FRAMES + frames,
	       (unsigned long long)(counted_by(station, subject) - counted),
	       (unsigned long long)(traffic_sunk(&station->traffic) - sunk), ((double)long_ns - (double)short_ns) / frames);
}

int main(int argc, char **argv)
{
	uint32_t rounds = plan_option(argc, argv, "--rounds"), frames = plan_option(argc, argv, "--frames");
	static struct subject subjects[PLAN_SUBJECTS_MAX];
	static struct station stations[PLAN_SUBJECTS_MAX];
	int count = plan_read(subjects);

	for (int i = 0; i < count; i++)
		set_up(&stations[i], &subjects[i]);
	for (uint32_t round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++)
			measure(&stations[i], &subjects[i], round, frames);
		fflush(stdout);
	}
	return 0;
}
