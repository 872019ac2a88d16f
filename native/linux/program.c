// SPDX-License-Identifier: Apache-2.0
#include "program.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "pins.h"

int vmn_program_read(int fd, struct vmn_program *program, struct vmn_failure *failure)
{
	struct bpf_prog_info info = {
		.nr_map_ids = VMN_PROGRAM_MAPS,
		.map_ids = (uint64_t)(uintptr_t)program->map_ids,
	};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "program");
	program->id = info.id;
	memcpy(program->tag, info.tag, VMN_TAG_BYTES);
	program->maps = info.nr_map_ids < VMN_PROGRAM_MAPS ? info.nr_map_ids : VMN_PROGRAM_MAPS;
	return 0;
}

int vmn_program_read_pin(const char *dir, const char *name, struct vmn_program *program, struct vmn_failure *failure)
{
	int fd = vmn_pin_open(dir, name, VMN_OBJECT_PROGRAM, failure);
	int result;

	if (fd == VMN_NOT_PINNED)
		return 0;
	if (fd < 0)
		return -1;
	result = vmn_program_read(fd, program, failure);
	vmn_close(&fd);
	return result ? -1 : 1;
}

void vmn_program_name(uint32_t id, char name[VMN_PROGRAM_NAME_BYTES])
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	name[0] = '\0';
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length))
		snprintf(name, VMN_PROGRAM_NAME_BYTES, "%s", info.name);
	vmn_close(&fd);
}

bool vmn_program_uses(const struct vmn_program *program, uint32_t map_id)
{
	for (uint32_t i = 0; i < program->maps; i++)
		if (map_id && program->map_ids[i] == map_id)
			return true;
	return false;
}

uint32_t vmn_map_id(int fd, struct vmn_failure *failure)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length)) {
		vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "map");
		return 0;
	}
	return info.id;
}
