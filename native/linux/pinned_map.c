// SPDX-License-Identifier: Apache-2.0
#include "pinned_map.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "pins.h"

int vmn_pinned_map_open(const char *dir, const char *name, uint32_t type, uint32_t value_bytes, uint32_t entries,
                        struct vmn_failure *failure)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_MAP, failure);

	if (fd < 0)
		return fd == VMN_NOT_PINNED ? vmn_fail(failure, ENOENT, "bpf(BPF_OBJ_GET)", "%s/%s", dir, name) : -1;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s", name);
	else if (info.type != type || info.key_size != sizeof(uint32_t) || info.value_size != value_bytes ||
	         info.max_entries != entries)
		vmn_fail(failure, EPROTO, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s/%s: %u x %u bytes", dir, name, info.max_entries,
		         info.value_size);
	else
		return fd;
	vmn_close(&fd);
	return -1;
}
