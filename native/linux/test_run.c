// SPDX-License-Identifier: Apache-2.0
#include "test_run.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <string.h>

#include "pins.h"

#define ANY_VLAN 100
#define IP_FRAME_BYTES 54u     /* Ethernet and IPv6 headers: as much is certainly a whole IP header */
#define LONG_FRAME_BYTES 2048u /* less than a page and what the kernel puts around a frame */

/* What of the frame is handed over; the program that shapes it makes up the difference, in zeros where it is longer. */
static size_t given_bytes(const struct vmn_test_run *run)
{
	const unsigned char *frame = run->frame;
	unsigned int ethertype = run->frame_bytes >= ETH_HLEN ? (unsigned int)frame[12] << 8 | frame[13] : 0;

	if (run->frame_bytes > LONG_FRAME_BYTES)
		return LONG_FRAME_BYTES;
	if ((ethertype == ETH_P_IP || ethertype == ETH_P_IPV6) && run->frame_bytes < IP_FRAME_BYTES)
		return IP_FRAME_BYTES;
	return run->frame_bytes;
}

static int run_once(int program, const void *frame, size_t bytes, struct __sk_buff *context, struct vmn_test_run *run,
                    struct vmn_failure *failure)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (uint32_t)bytes,
	            .data_out = run->frame_after, .data_size_out = (uint32_t)run->frame_after_bytes, .ctx_in = context,
	            .ctx_size_in = sizeof(*context), .ctx_out = context, .ctx_size_out = sizeof(*context), .repeat = 1);
	int error = bpf_prog_test_run_opts(program, &options);

	if (error)
		return vmn_fail(failure, -error, "bpf(BPF_PROG_TEST_RUN)", "%s, %zu bytes", run->from_vm ? "from_vm" : "to_vm",
		                run->frame_bytes);
	run->action = options.retval;
	run->reason = context->cb[0];
	run->nonce = context->cb[1] | (uint64_t)context->cb[2] << 32;
	run->audited = context->cb[3] != 0;
	run->mark_after = context->mark;
	run->frame_after_bytes = options.data_size_out;
	return 0;
}

int vmn_test_run_program(int filter, struct vmn_shaping *shaping, struct vmn_test_run *run, struct vmn_failure *failure)
{
	struct __sk_buff context = {.mark = run->mark, .gso_size = run->gso_size, .gso_segs = run->gso_size ? 2 : 0};
	unsigned char padded[IP_FRAME_BYTES] = {};
	size_t bytes = given_bytes(run);
	const void *frame = run->frame;
	int program = filter;

	if (run->frame_bytes > VMN_TEST_RUN_BYTES)
		return vmn_fail(failure, EMSGSIZE, "bpf(BPF_PROG_TEST_RUN)", "%zu bytes", run->frame_bytes);
	if (bytes != run->frame_bytes)
		context.cb[1] = (uint32_t)run->frame_bytes;
	if (run->vlan)
		context.cb[2] = ANY_VLAN;
	if (bytes > run->frame_bytes)
		frame = memcpy(padded, run->frame, run->frame_bytes);
	if (context.cb[1] || context.cb[2]) {
		if (shaping->program < 0 && vmn_shaping_load(filter, shaping, failure))
			return -1;
		program = shaping->program;
	}
	if (run_once(program, frame, bytes, &context, run, failure))
		return -1;
	/* The rest of a long frame, which the filter did not see: it looks at no more than the headers. */
	if (bytes < run->frame_bytes && run->frame_after_bytes == run->frame_bytes)
		memcpy((char *)run->frame_after + bytes, (const char *)run->frame + bytes, run->frame_bytes - bytes);
	return 0;
}

int vmn_test_run(const char *dir, struct vmn_test_run *run, struct vmn_failure *failure)
{
	const char *name = run->from_vm ? VMN_PIN_FROM_VM : VMN_PIN_TO_VM;
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_PROGRAM, failure);
	struct vmn_shaping shaping = VMN_SHAPING_NONE;
	int result;

	if (fd < 0)
		return fd == VMN_NOT_PINNED ? vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/%s", dir, name) : -1;
	result = vmn_test_run_program(fd, &shaping, run, failure);
	vmn_shaping_close(&shaping);
	vmn_close(&fd);
	return result;
}
