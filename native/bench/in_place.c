// SPDX-License-Identifier: Apache-2.0
/*
 * What a judgement costs where it is made: on the tcx hook of a tap, for frames that pass through it, measured by the
 * kernel itself (kernel.bpf_stats_enabled: time and number of runs of each program). On the same hook a program that
 * does nothing runs right before the filter, for the same frame: the difference of the two is the cost. Behind the
 * filter every frame is counted and ended.
 *
 *	vmn_bench_in_place --rounds N --frames N --copies N < PLAN
 *
 * vmn_from_vm sits on ingress: the frame is injected there, or written to the tap as by the guest.
 * vmn_to_vm sits on egress: the frame is injected into a second interface and redirected out of the tap.
 * Prints one line of JSON for each subject and round, times in ns for one run.
 */
#include <bpf/bpf.h>

#include "failure.h"
#include "filter.h"
#include "place.h"
#include "traffic.h"

struct station {
	struct filter filter;
	struct traffic traffic;
	struct tap tap;
	struct tap source; /* where frames come in: the tap itself, or what is redirected to it */
	int empty;
};

struct spent {
	uint64_t ns;
	uint64_t runs;
};

static struct spent spent_by(int program)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program, &info, &size))
		bench_fail("statistics of a program", NULL);
	return (struct spent){.ns = info.run_time_ns, .runs = info.run_cnt};
}

static double per_run(struct spent before, struct spent after)
{
	return (double)(after.ns - before.ns) / (double)(after.runs - before.runs);
}

static void set_up(struct station *station, const struct subject *subject, uint16_t number)
{
	enum traffic_hook hook = strcmp(subject->program, "vmn_to_vm") ? TRAFFIC_INGRESS : TRAFFIC_EGRESS;
	char name[16];

	snprintf(name, sizeof(name), "vm%u", number);
	place_make_tap(&station->tap, name);
	station->source = station->tap;
	filter_load(&station->filter, subject);
	traffic_load(&station->traffic, subject, station->tap.ifindex);
	if (hook == TRAFFIC_EGRESS) {
		snprintf(name, sizeof(name), "uplink%u", number);
		place_make_tap(&station->source, name);
		traffic_attach(station->traffic.redirect, station->source.ifindex, TRAFFIC_INGRESS);
	}
	station->empty = filter_load_empty();
	traffic_attach(station->empty, station->tap.ifindex, hook);
	traffic_attach(station->filter.program, station->tap.ifindex, hook);
	traffic_attach(station->traffic.sink, station->tap.ifindex, hook);
}

/* A super-frame is copied in whole, so that a twentieth of the frames is as much work. */
static uint32_t frames_of(const struct subject *subject, uint32_t frames)
{
	return subject->segment_bytes ? frames / 20 : frames;
}

static void send_frames(const struct station *station, const struct subject *subject, uint32_t frames)
{
	if (!subject->segment_bytes && !subject->written) {
		traffic_inject(&station->traffic, subject, station->source.ifindex, frames);
		return;
	}
	for (uint32_t i = 0; i < frames; i++)
		place_write(&station->tap, subject->frame, subject->frame_bytes, subject->segment_bytes);
}

static void measure(const struct station *station, const struct subject *subject, uint32_t round, uint32_t frames)
{
	struct spent empty = spent_by(station->empty), filter = spent_by(station->filter.program);
	uint64_t counted = filter_counted(&station->filter, subject), sunk = traffic_sunk(&station->traffic);

	send_frames(station, subject, frames);
	printf("{\"name\": \"%s\", \"round\": %u, \"frames\": %u, \"counted\": %llu, \"sunk\": %llu, \"emptyNs\": %.3f, "
	       "\"filterNs\": %.3f}\n",
	       subject->name, round, frames, (unsigned long long)(filter_counted(&station->filter, subject) - counted),
	       (unsigned long long)(traffic_sunk(&station->traffic) - sunk), per_run(empty, spent_by(station->empty)),
	       per_run(filter, spent_by(station->filter.program)));
}

int main(int argc, char **argv)
{
	uint32_t rounds = plan_option(argc, argv, "--rounds"), frames = plan_option(argc, argv, "--frames");
	static struct subject subjects[PLAN_SUBJECTS_MAX];
	static struct station stations[PLAN_COPIES_MAX][PLAN_SUBJECTS_MAX];
	uint32_t copies = plan_option(argc, argv, "--copies");
	int count = plan_read(subjects);
	uint16_t number = 0;

	if (copies > PLAN_COPIES_MAX)
		bench_fail("too many copies", NULL);

	place_enter_own();
	/* On while this process lives. */
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		bench_fail("run time statistics (Linux 5.8?)", NULL);
	for (uint32_t copy = 0; copy < copies; copy++) {
		for (int i = 0; i < count; i++) {
			set_up(&stations[copy][i], &subjects[i], number++);
			send_frames(&stations[copy][i], &subjects[i], 100);
		}
	}
	for (uint32_t round = 0; round < rounds; round++) {
		for (int i = 0; i < count; i++)
			measure(&stations[round % copies][i], &subjects[i], round, frames_of(&subjects[i], frames));
		fflush(stdout);
	}
	return 0;
}
