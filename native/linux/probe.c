// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "probe.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "clsact.h"
#include "pins.h"
#include "tcx.h"

#define LOOPBACK_IFINDEX 1 /* in every network namespace */

#define INSTRUCTION(code_, dst, src, off_, imm_) \
	((struct bpf_insn){.code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (off_), .imm = (imm_)})

static int load(const struct bpf_insn *code, size_t count, const char *what, struct vmn_failure *failure)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "vmn_probe", "GPL", code, count, NULL);

	return fd < 0 ? vmn_fail(failure, -fd, "bpf(BPF_PROG_LOAD)", "%s", what) : fd;
}

static int load_drop_all(struct vmn_failure *failure)
{
	const struct bpf_insn code[] = {
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 2 /* TC_ACT_SHOT */),
		INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return load(code, sizeof(code) / sizeof(code[0]), "a program of two instructions", failure);
}

/* Descriptors are given back at once: that they could be had is the answer. */
static int give_back(int fd)
{
	if (fd < 0)
		return -1;
	vmn_close(&fd);
	return 0;
}

int vmn_probe_bpf(struct vmn_failure *failure)
{
	return give_back(load_drop_all(failure));
}

int vmn_probe_kernel_memory(struct vmn_failure *failure)
{
	const struct bpf_insn code[] = {
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_1, 0, 0),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_1, BPF_REG_10, 0, 0),
		INSTRUCTION(BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_1, 0, 0, -8),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, 8),
		INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 2),
		INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};

	return give_back(load(code, sizeof(code) / sizeof(code[0]), "a program that reads kernel memory", failure));
}

int vmn_probe_map_in_map(struct vmn_failure *failure)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	int inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vmn_probe", 4, 4, 1, NULL);
	int outer;

	if (inner < 0)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", "an array");
	options.inner_map_fd = (__u32)inner;
	outer = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "vmn_probe", 4, 4, 1, &options);
	if (outer < 0)
		vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", "an array of maps");
	vmn_close(&inner);
	return give_back(outer);
}

int vmn_probe_ring_buffer(struct vmn_failure *failure)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "vmn_probe", 0, 0, (__u32)getpagesize(), NULL);

	if (fd < 0)
		vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", "a ring buffer of a page");
	return give_back(fd);
}

int vmn_probe_tcx(struct vmn_failure *failure)
{
	uint32_t loopback = if_nametoindex("lo");

	if (!loopback)
		return vmn_fail(failure, errno, "if_nametoindex", "lo");
	return vmn_tcx_probe(loopback, failure);
}

static int try_clsact(struct vmn_failure *failure)
{
	int program;
	int result;

	if (unshare(CLONE_NEWNET))
		return vmn_fail(failure, errno, "unshare", "a network namespace to try it in");
	program = load_drop_all(failure);
	if (program < 0)
		return -1;
	result =
		vmn_clsact_make(LOOPBACK_IFINDEX, failure) ||
		vmn_clsact_add(LOOPBACK_IFINDEX, VMN_CLSACT_INGRESS, VMN_CLSACT_HANDLE, "vmnetwork:probe", program, failure);
	vmn_close(&program);
	return result ? -1 : 0;
}

static void *in_own_thread(void *failure)
{
	try_clsact(failure);
	return NULL;
}

int vmn_probe_clsact(struct vmn_failure *failure)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, in_own_thread, failure);

	if (error)
		return vmn_fail(failure, error, "pthread_create", "a thread to try it in");
	pthread_join(thread, NULL);
	return failure->error ? -1 : 0;
}
