// SPDX-License-Identifier: Apache-2.0
#include <bpf/bpf.h>

#include "failure.h"
#include "stopwatch.h"
#include "traffic.h"
#include "traffic.skel.h"

/* <linux/bpf.h> of Debian 12 is older than the kernel. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47

void traffic_load(struct traffic *traffic, const struct subject *subject, uint32_t redirect_ifindex)
{
	struct vmn_traffic *skeleton = vmn_traffic__open();

	if (subject->frame_bytes < VMN_FRAME_HEAD_BYTES)
		bench_fail("a frame too short to inject:", subject->name);
	if (!skeleton)
		bench_fail("cannot open the traffic programs", NULL);
	memcpy((void *)skeleton->rodata->vmn_frame_head, subject->frame, VMN_FRAME_HEAD_BYTES);
	skeleton->rodata->vmn_redirect_ifindex = redirect_ifindex;
	if (vmn_traffic__load(skeleton))
		bench_fail("cannot load the traffic programs (root?)", NULL);
	traffic->object = skeleton->obj;
	traffic->inject = bpf_program__fd(skeleton->progs.vmn_inject);
	traffic->sink = bpf_program__fd(skeleton->progs.vmn_sink);
	traffic->redirect = bpf_program__fd(skeleton->progs.vmn_redirect);
	traffic->sunk = bpf_map__fd(skeleton->maps.sunk);
}

uint64_t traffic_inject(const struct traffic *traffic, const struct subject *subject, uint32_t ifindex, uint32_t frames)
{
	struct xdp_md context = {.data_end = subject->frame_bytes, .ingress_ifindex = ifindex};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = subject->frame, .data_size_in = subject->frame_bytes,
	            .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)frames,
	            .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	uint64_t began = stopwatch_ns();

	if (bpf_prog_test_run_opts(traffic->inject, &options))
		bench_fail("live frames (Linux 5.18?) of", subject->name);
	return stopwatch_ns() - began;
}

uint64_t traffic_sunk(const struct traffic *traffic)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *by_cpu = calloc((size_t)cpus, sizeof(*by_cpu)), sum = 0;
	uint32_t zero = 0;

	if (!by_cpu || bpf_map_lookup_elem(traffic->sunk, &zero, by_cpu))
		bench_fail("count of the far side", NULL);
	for (int cpu = 0; cpu < cpus; cpu++)
		sum += by_cpu[cpu];
	free(by_cpu);
	return sum;
}

void traffic_attach(int program, uint32_t ifindex, enum traffic_hook hook)
{
	int link = bpf_link_create(program, (int)ifindex, hook == TRAFFIC_INGRESS ? TCX_INGRESS : TCX_EGRESS, NULL);

	if (link < 0)
		bench_fail("tcx link (Linux 6.6?)", NULL);
}
