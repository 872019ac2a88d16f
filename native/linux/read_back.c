// SPDX-License-Identifier: Apache-2.0
#include "read_back.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "pins.h"

/*
 * The program that the hook runs. The pin is asked first: opening by id needs CAP_SYS_ADMIN, and is only for programs
 * that are not the pinned ones, as in a replacement that did not finish. 0 when it cannot be had.
 */
static int read_program(const char *dir, const char *name, uint32_t id, struct vmn_program *program,
                        struct vmn_failure *failure)
{
	int pinned = vmn_program_read_pin(dir, name, program, failure);
	int result;
	int fd;

	if (pinned < 0 || (pinned && program->id == id))
		return pinned;
	fd = bpf_prog_get_fd_by_id(id);
	if (fd < 0)
		return 0;
	result = vmn_program_read(fd, program, failure);
	vmn_close(&fd);
	return result ? -1 : 1;
}

static int read_hook(const char *dir, const struct vmn_direction *direction, uint32_t slot_id,
                     struct vmn_enforced *enforced, struct vmn_failure *failure)
{
	struct vmn_hook *hook = &enforced->hook;
	struct vmn_program program;
	int result;

	/* What is attached is elsewhere than on no interface, and says where. */
	if (vmn_hook_open(dir, direction, 0, hook, failure))
		return -1;
	vmn_hook_close(hook);
	memcpy(enforced->tag, hook->tag, VMN_TAG_BYTES);
	if (!hook->program_id)
		return 0;
	result = read_program(dir, direction->program_name, hook->program_id, &program, failure);
	if (result > 0) {
		memcpy(enforced->tag, program.tag, VMN_TAG_BYTES);
		enforced->own_slot = vmn_program_uses(&program, slot_id) && !hook->doubled;
	}
	return result < 0 ? -1 : 0;
}

/* A policy that one of the attached programs does not judge by is not the policy. */
static bool judges_by_slot(const struct vmn_enforced *enforced)
{
	return enforced->own_slot || (!enforced->hook.program_id && enforced->hook.state != VMN_HOOK_ELSEWHERE);
}

static int read_once(const char *dir, struct vmn_read_back *result, struct vmn_failure *failure)
{
	int slot_fd = vmn_policy_open_slot(dir, failure);
	uint32_t slot_id = 0;
	int error = -1;

	memset(result, 0, sizeof(*result));
	result->policy_state = VMN_POLICY_UNKNOWN;
	if (slot_fd == -1)
		return -1;
	if (slot_fd >= 0) {
		slot_id = vmn_map_id(slot_fd, failure);
		if (!slot_id)
			goto out;
	}
	if (read_hook(dir, &vmn_directions[0], slot_id, &result->from_vm, failure) ||
	    read_hook(dir, &vmn_directions[1], slot_id, &result->to_vm, failure))
		goto out;
	error = 0;
	if (slot_fd < 0)
		goto out;
	if (judges_by_slot(&result->from_vm) && judges_by_slot(&result->to_vm))
		error = vmn_policy_read(slot_fd, dir, result->policy, &result->policy_state, failure);
out:
	vmn_close(&slot_fd);
	return error;
}

int vmn_read_back(const char *dir, struct vmn_read_back *result, struct vmn_failure *failure)
{
	int error = 0;

	/* A policy write between two of our reads looks unknown for that moment; what stays unknown is. */
	for (int i = 0; i < 3; i++) {
		error = read_once(dir, result, failure);
		if (error || result->policy_state != VMN_POLICY_UNKNOWN)
			break;
	}
	return error;
}
