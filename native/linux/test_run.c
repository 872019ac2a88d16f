// SPDX-License-Identifier: Apache-2.0
#include "test_run.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>

#include "pins.h"

int vmn_test_run(const char *dir, struct vmn_test_run *run, struct vmn_failure *failure)
{
	struct __sk_buff context = {.mark = run->mark, .gso_size = run->gso_size};
	struct __sk_buff context_after = {};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = run->frame, .data_size_in = (uint32_t)run->frame_bytes,
	            .data_out = run->frame_after, .data_size_out = (uint32_t)run->frame_after_bytes, .ctx_in = &context,
	            .ctx_size_in = sizeof(context), .ctx_out = &context_after, .ctx_size_out = sizeof(context_after),
	            .repeat = 1);
	const char *name = run->from_vm ? VMN_PIN_FROM_VM : VMN_PIN_TO_VM;
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_PROGRAM, failure);
	int error;

	if (fd < 0)
		return fd == VMN_NOT_PINNED ? vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/%s", dir, name) : -1;
	error = bpf_prog_test_run_opts(fd, &options);
	vmn_close(&fd);
	if (error)
		return vmn_fail(failure, -error, "bpf(BPF_PROG_TEST_RUN)", "%s, %zu bytes", name, run->frame_bytes);
	run->action = options.retval;
	run->reason = context_after.cb[0];
	run->mark_after = context_after.mark;
	run->frame_after_bytes = options.data_size_out;
	return 0;
}
