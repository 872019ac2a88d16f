/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What to measure, as bench/measure/subject.ts writes it to standard input: one subject a line, words `key=value`.
 *
 *	name=NAME       how the results call it
 *	object=PATH     eBPF object of the filter; absent: no filter, the frame just takes its way
 *	program=NAME    vmn_from_vm or vmn_to_vm
 *	policy=HEX      struct vmn_policy, put in force by whatever lookup the object has; absent: none
 *	frame=HEX       the frame, Ethernet header first
 *	slots=N,N       counters of which one must have counted every frame
 *	segment=N       the frame is a UDP super-frame with N payload bytes a segment, written as by the guest
 *	written=1       the guest writes every frame by itself
 *	device=NAME     the interface that it comes in by (live frames)
 *	sink=NAME       the interface on whose way out arriving frames are counted and dropped
 *	netns=PATH      where these interfaces are
 */
#ifndef VMN_BENCH_PLAN_H
#define VMN_BENCH_PLAN_H

#include <stdint.h>

#define PLAN_SUBJECTS_MAX 64
#define PLAN_WORD_BYTES 256
#define PLAN_POLICY_BYTES 8192
#define PLAN_FRAME_BYTES 65536
#define PLAN_SLOTS_MAX 4
/*
 * Each subject is loaded several times, and rounds go over these copies: where the kernel happens to put a program and its maps
 * moves its cost by a nanosecond, for as long as it stays there.
 */
#define PLAN_COPIES_MAX 8

struct subject {
	char name[PLAN_WORD_BYTES];
	char object[PLAN_WORD_BYTES];
	char program[PLAN_WORD_BYTES];
	char device[PLAN_WORD_BYTES];
	char sink[PLAN_WORD_BYTES];
	char netns[PLAN_WORD_BYTES];
	uint8_t policy[PLAN_POLICY_BYTES];
	uint32_t policy_bytes;
	uint8_t *frame;
	uint32_t frame_bytes;
	uint32_t segment_bytes;
	uint32_t written;
	uint32_t slots[PLAN_SLOTS_MAX];
	uint32_t slot_count;
};

/* Reads standard input to its end; `subjects` has room for PLAN_SUBJECTS_MAX. Returns how many. Ends the process when a line is wrong. */
int plan_read(struct subject *subjects);

/* `--rounds 21 --frames 50000`: the positive number after a name. Ends the process when there is none. */
uint32_t plan_option(int argc, char **argv, const char *name);

#endif
