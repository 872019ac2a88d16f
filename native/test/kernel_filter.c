// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <linux/pkt_cls.h>

#include "kernel_filter.h"

#define INSTRUCTION(code_, dst, src, off_, imm_) \
	((struct bpf_insn){.code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (off_), .imm = (imm_)})

/* An Ethernet and an IPv6 header. */
#define WHOLE_IP_FRAME_BYTES 54

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/*
 * BPF_PROG_TEST_RUN cannot do all that a tap can: it has no field for a VLAN tag beside the frame, and newer kernels
 * refuse IP frames without a whole IP header. So this program shapes the frame and calls the filter:
 *	if (ctx->cb[1]) bpf_skb_change_tail(ctx, ctx->cb[1], 0);
 *	if (ctx->cb[2]) bpf_skb_vlan_push(ctx, htons(ETH_P_8021Q), ctx->cb[2]);
 *	bpf_tail_call(ctx, {program}, 0);
 */
static int load_shaping_program(int program)
{
	int programs = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "shaped", 4, 4, 1, NULL);
	uint32_t zero = 0;
	struct bpf_insn code[] = {
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0),
		INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(struct __sk_buff, cb[1]), 0),
		INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 2, 0),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 0),
		INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_change_tail),
		INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, 3, 6, offsetof(struct __sk_buff, cb[2]), 0),
		INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, 3, 0, 3, 0),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, VMN_NET16(VMN_ETHERTYPE_VLAN)),
		INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_vlan_push),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, 1, 6, 0, 0),
		INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, 0, programs),
		INSTRUCTION(0, 0, 0, 0, 0),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, 0),
		INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call),
		INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, -100),
		INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int shaping;

	if (programs < 0)
		die("program array");
	shaping = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "shaping", "GPL", code, sizeof(code) / sizeof(code[0]), NULL);
	if (shaping < 0)
		die("shaping program");
	if (bpf_map_update_elem(programs, &zero, &program, BPF_ANY))
		die("shaping program's array");
	/* A program array drops its programs with its last user-space reference: it stays open until the process ends. */
	return shaping;
}

static int map_fd(struct kernel_filter *filter, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(filter->object, name);

	if (fd < 0)
		die(name);
	return fd;
}

static int program_fd(struct kernel_filter *filter, const char *name)
{
	struct bpf_program *program = bpf_object__find_program_by_name(filter->object, name);

	if (!program)
		die(name);
	return bpf_program__fd(program);
}

void kernel_filter_load(struct kernel_filter *filter, const char *path)
{
	filter->object = bpf_object__open_file(path, NULL);
	if (!filter->object)
		die(path);
	if (bpf_object__load(filter->object))
		die("cannot load the eBPF object (root? BTF?)");
	filter->program[VMN_DIRECTION_FROM_VM] = program_fd(filter, "vmn_from_vm");
	filter->program[VMN_DIRECTION_TO_VM] = program_fd(filter, "vmn_to_vm");
	filter->policy_slot = map_fd(filter, "policy_slot");
	filter->counters = map_fd(filter, "counters");
	filter->state = map_fd(filter, "state");
	filter->events = map_fd(filter, "events");
	for (int direction = 0; direction <= 1; direction++)
		filter->shaped[direction] = load_shaping_program(filter->program[direction]);
}

void kernel_filter_close(struct kernel_filter *filter)
{
	close(filter->shaped[0]);
	close(filter->shaped[1]);
	bpf_object__close(filter->object);
}

void kernel_filter_set_policy(struct kernel_filter *filter, const struct vmn_policy *policy)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_RDONLY_PROG);
	uint32_t zero = 0;
	int inner;

	if (!policy) {
		if (bpf_map_delete_elem(filter->policy_slot, &zero) && errno != ENOENT)
			die("emptying the policy slot");
		return;
	}
	inner = bpf_map_create(BPF_MAP_TYPE_ARRAY, "policy", sizeof(uint32_t), sizeof(*policy), 1, &options);
	if (inner < 0 || bpf_map_update_elem(inner, &zero, policy, BPF_ANY) || bpf_map_freeze(inner))
		die("policy map");
	if (bpf_map_update_elem(filter->policy_slot, &zero, &inner, BPF_ANY))
		die("policy slot");
	close(inner);
}

/* Since Linux 6.18: a frame that says it is IP and has no whole IP header. */
static bool refused_by_test_run(const struct frame *frame)
{
	uint16_t ethertype = get16(frame, AT_ETHERTYPE);

	return (ethertype == VMN_ETHERTYPE_IPV4 && frame->length < VMN_ETHERNET_BYTES + VMN_IPV4_BYTES) ||
	       (ethertype == VMN_ETHERTYPE_IPV6 && frame->length < WHOLE_IP_FRAME_BYTES);
}

void kernel_filter_run(struct kernel_filter *filter, int direction, const struct input *input, struct outcome *outcome)
{
	struct __sk_buff context;
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = input->frame.bytes, .data_size_in = input->frame.length,
	            .data_out = outcome->bytes, .data_size_out = sizeof(outcome->bytes), .ctx_in = &context,
	            .ctx_size_in = sizeof(context), .ctx_out = &context, .ctx_size_out = sizeof(context), );
	int program = filter->program[direction];

	memset(&context, 0, sizeof(context));
	context.mark = input->own_answer ? VMN_MARK_ANSWER : 0;
	context.cb[0] = 0xffffffffu;
	if (input->super_frame) {
		context.gso_size = input->segment_bytes;
		context.gso_segs = 2;
	}
	if (input->vlan_in_metadata) {
		program = filter->shaped[direction];
		context.cb[2] = 100;
	}
	if (refused_by_test_run(&input->frame)) {
		program = filter->shaped[direction];
		context.cb[1] = input->frame.length;
		options.data_size_in = WHOLE_IP_FRAME_BYTES;
	}
	outcome->error = 0;
	if (bpf_prog_test_run_opts(program, &options)) {
		outcome->error = errno;
		return;
	}
	outcome->action = (int)options.retval;
	outcome->reason = context.cb[0];
	outcome->nonce = context.cb[1] | (uint64_t)context.cb[2] << 32;
	outcome->audited = context.cb[3];
	outcome->mark = context.mark;
	outcome->length = options.data_size_out;
}

struct vmn_counter kernel_filter_counter(struct kernel_filter *filter, int block, unsigned int reason)
{
	int cpus = libbpf_num_possible_cpus();
	struct vmn_counter *by_cpu = calloc((size_t)cpus, sizeof(*by_cpu));
	uint32_t slot = (uint32_t)block * VMN_REASON_SLOTS + reason;
	struct vmn_counter sum = {0};

	if (!by_cpu || bpf_map_lookup_elem(filter->counters, &slot, by_cpu))
		die("counters");
	for (int cpu = 0; cpu < cpus; cpu++) {
		sum.packets += by_cpu[cpu].packets;
		sum.bytes += by_cpu[cpu].bytes;
	}
	free(by_cpu);
	return sum;
}

/* The map's value: a lock, and what it guards. */
struct guarded {
	uint32_t lock, abi;
	struct vmn_state state;
};

struct vmn_state kernel_filter_state(struct kernel_filter *filter)
{
	struct guarded guarded;
	uint32_t zero = 0;

	if (bpf_map_lookup_elem(filter->state, &zero, &guarded))
		die("state");
	return guarded.state;
}

void kernel_filter_forget(struct kernel_filter *filter)
{
	struct guarded guarded;
	uint32_t zero = 0;

	memset(&guarded, 0, sizeof(guarded));
	if (bpf_map_update_elem(filter->state, &zero, &guarded, BPF_ANY))
		die("state");
}
