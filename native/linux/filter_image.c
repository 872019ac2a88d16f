// SPDX-License-Identifier: Apache-2.0
#include "filter_image.h"

#include <bpf/btf.h>
#include <errno.h>

#include "vmn_filter.skel.h"
#include "vmn_filter_probe.skel.h"

#define DIRECT_ACCESS "bpf_cast_to_kern_ctx"

/* 1 when the kernel has the function by which the filter looks at an sk_buff, 0 when not, or -1. */
static int has_direct_access(struct vmn_failure *failure)
{
	/* The running kernel does not change, and reading all its types takes milliseconds. */
	static int known = -1;
	int found = __atomic_load_n(&known, __ATOMIC_RELAXED);
	struct btf *btf;

	if (found >= 0)
		return found;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return vmn_fail(failure, errno, "btf__load_vmlinux_btf", "/sys/kernel/btf/vmlinux");
	found = btf__find_by_name_kind(btf, DIRECT_ACCESS, BTF_KIND_FUNC) > 0;
	btf__free(btf);
	__atomic_store_n(&known, found, __ATOMIC_RELAXED);
	return found;
}

int vmn_filter_image(struct vmn_filter_image *image, struct vmn_failure *failure)
{
	int direct = has_direct_access(failure);

	if (direct < 0)
		return -1;
	image->bytes = direct ? vmn_filter_bpf__elf_bytes(&image->size) : vmn_filter_probe_bpf__elf_bytes(&image->size);
	return 0;
}
