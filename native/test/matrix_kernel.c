// SPDX-License-Identifier: Apache-2.0
#include "matrix_kernel.h"

#include <stdbool.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "clsact.h"
#include "tcx.h"

#define TCX_PROGRAMS_MAX 64

static bool has_clsact_filter(uint32_t ifindex, enum bpf_tc_attach_point point)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);

	for (uint32_t i = 0; i < VMN_CLSACT_HANDLES; i++) {
		LIBBPF_OPTS(bpf_tc_opts, options, .handle = VMN_CLSACT_HANDLE + i, .priority = VMN_CLSACT_PRIORITY);

		if (!bpf_tc_query(&hook, &options) && options.prog_id)
			return true;
	}
	return false;
}

/* A query by tcx names an interface of this network namespace where others name a file; EINVAL before Linux 6.6. */
static bool has_tcx_program(uint32_t ifindex, uint32_t type)
{
	__u32 ids[TCX_PROGRAMS_MAX], count = TCX_PROGRAMS_MAX;

	return !bpf_prog_query((int)ifindex, (enum bpf_attach_type)type, 0, NULL, ids, &count) && count;
}

/* libbpf says on standard error that there is no filter; here that is an answer. */
static int say_nothing(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

const char *kernel_hook(uint32_t ifindex)
{
	bool has_tcx = has_tcx_program(ifindex, VMN_TCX_INGRESS) && has_tcx_program(ifindex, VMN_TCX_EGRESS);
	libbpf_print_fn_t said = libbpf_set_print(say_nothing);
	bool has_clsact = has_clsact_filter(ifindex, BPF_TC_INGRESS) && has_clsact_filter(ifindex, BPF_TC_EGRESS);

	libbpf_set_print(said);
	if (has_tcx && has_clsact)
		return "both";
	return has_tcx ? "tcx" : has_clsact ? "clsact" : "none";
}

uint32_t kernel_verified(int program)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(program, &info, &length) ? 0 : info.verified_insns;
}
