// SPDX-License-Identifier: Apache-2.0
#include "shaping.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <stddef.h>

#include "pins.h"

#define INSTRUCTION(code_, dst, src, off_, imm_) \
	((struct bpf_insn){.code = (code_), .dst_reg = (dst), .src_reg = (src), .off = (off_), .imm = (imm_)})
#define CALL(function) INSTRUCTION(BPF_JMP | BPF_CALL, 0, 0, 0, (function))
#define MOVE(dst, src) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_X, (dst), (src), 0, 0)
#define SET(dst, value) INSTRUCTION(BPF_ALU64 | BPF_MOV | BPF_K, (dst), 0, 0, (value))
#define LOAD_CB(dst, i) INSTRUCTION(BPF_LDX | BPF_MEM | BPF_W, (dst), 6, offsetof(struct __sk_buff, cb[i]), 0)
#define CLEAR_CB(i) INSTRUCTION(BPF_STX | BPF_MEM | BPF_W, 6, 7, offsetof(struct __sk_buff, cb[i]), 0)
#define SKIP_IF_ZERO(dst, count) INSTRUCTION(BPF_JMP | BPF_JEQ | BPF_K, (dst), 0, (count), 0)

/*
 *	r6 = ctx; r7 = 0;
 *	if (ctx->cb[1]) bpf_skb_change_tail(ctx, ctx->cb[1], 0);
 *	if (ctx->cb[2]) bpf_skb_vlan_push(ctx, htons(ETH_P_8021Q), ctx->cb[2]);
 *	ctx->cb[1] = ctx->cb[2] = 0;
 *	bpf_tail_call(ctx, programs, 0);
 *	return -100;
 */
static int load(int programs, struct vmn_failure *failure)
{
	const struct bpf_insn code[] = {
		MOVE(6, 1),
		SET(7, 0),
		LOAD_CB(2, 1),
		SKIP_IF_ZERO(2, 2),
		SET(3, 0),
		CALL(BPF_FUNC_skb_change_tail),
		LOAD_CB(3, 2),
		SKIP_IF_ZERO(3, 3),
		MOVE(1, 6),
		SET(2, htons(ETH_P_8021Q)),
		CALL(BPF_FUNC_skb_vlan_push),
		CLEAR_CB(1),
		CLEAR_CB(2),
		MOVE(1, 6),
		INSTRUCTION(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, 0, programs),
		INSTRUCTION(0, 0, 0, 0, 0),
		SET(3, 0),
		CALL(BPF_FUNC_tail_call),
		SET(0, -100),
		INSTRUCTION(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "vmn_shaping", "GPL", code, sizeof(code) / sizeof(code[0]), NULL);

	return fd < 0 ? vmn_fail(failure, -fd, "bpf(BPF_PROG_LOAD)", "the program that shapes frames") : fd;
}

int vmn_shaping_load(int filter, struct vmn_shaping *shaping, struct vmn_failure *failure)
{
	const uint32_t first_entry = 0;

	*shaping = VMN_SHAPING_NONE;
	shaping->programs =
		bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "vmn_shaping", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	if (shaping->programs < 0)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", "an array of programs");
	shaping->program = load(shaping->programs, failure);
	if (shaping->program >= 0 && !bpf_map_update_elem(shaping->programs, &first_entry, &filter, BPF_ANY))
		return 0;
	if (shaping->program >= 0)
		vmn_fail(failure, errno, "bpf(BPF_MAP_UPDATE_ELEM)", "an array of programs");
	vmn_shaping_close(shaping);
	return -1;
}

void vmn_shaping_close(struct vmn_shaping *shaping)
{
	vmn_close(&shaping->program);
	vmn_close(&shaping->programs);
}
