/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that come in by an interface as if from its wire, and their end; see traffic.bpf.c. */
#ifndef VMN_BENCH_TRAFFIC_H
#define VMN_BENCH_TRAFFIC_H

#define VMN_FRAME_HEAD_WORDS 8
/* The head that is written anew; a frame is at least as long. */
#define VMN_FRAME_HEAD_BYTES (VMN_FRAME_HEAD_WORDS * 8)

#ifndef __bpf__

#include <bpf/libbpf.h>

#include "plan.h"

struct traffic {
	struct bpf_object *object;
	int inject;
	int sink;
	int redirect;
	int sunk;
};

/* `redirect_ifindex`: where vmn_redirect sends to, or 0. Ends the process with a message when the kernel refuses. */
void traffic_load(struct traffic *traffic, const struct subject *subject, uint32_t redirect_ifindex);

/* `frames` frames come in by the interface; returns when all have met their fate. CPU time in ns. */
uint64_t traffic_inject(const struct traffic *traffic, const struct subject *subject, uint32_t ifindex,
                        uint32_t frames);

uint64_t traffic_sunk(const struct traffic *traffic);

/* A tc program on an interface of the present network namespace, until the process ends; programs there run in order of this call. */
enum traffic_hook { TRAFFIC_INGRESS, TRAFFIC_EGRESS };
void traffic_attach(int program, uint32_t ifindex, enum traffic_hook hook);

#endif
#endif
