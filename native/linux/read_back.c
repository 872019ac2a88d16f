// SPDX-License-Identifier: Apache-2.0
#include "read_back.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "pins.h"

/*
 * The program that the link runs. The pin is asked first: opening by id needs CAP_SYS_ADMIN, and is only for programs
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

static int read_hook(const char *dir, const char *link_name, const char *program_name, uint32_t slot_id,
                     struct vmn_hook *hook, struct vmn_failure *failure)
{
	struct vmn_failure ignored = {};
	struct vmn_program program;
	int fd = vmn_pin_open(dir, link_name, VMN_OBJECT_LINK, failure);
	int result;

	if (fd == VMN_NOT_PINNED)
		return 0;
	if (fd < 0)
		return -1;
	result = vmn_tcx_link_read(fd, &hook->link, failure);
	vmn_close(&fd);
	if (result)
		return -1;
	hook->present = true;
	/* An interface that is gone, or in another namespace, is no failure: it just does not run us first. */
	if (hook->link.ifindex)
		hook->first = !vmn_tcx_position(hook->link.ifindex, hook->link.attach_type, hook->link.id, &ignored);
	result = read_program(dir, program_name, hook->link.program_id, &program, failure);
	if (result > 0) {
		memcpy(hook->tag, program.tag, VMN_TAG_BYTES);
		hook->own_slot = vmn_program_uses(&program, slot_id);
	}
	return result < 0 ? -1 : 0;
}

static int read_once(const char *dir, struct vmn_read_back *result, struct vmn_failure *failure)
{
	int slot_fd = vmn_pin_open(dir, VMN_PIN_POLICY_SLOT, VMN_OBJECT_MAP, failure);
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
	if (read_hook(dir, VMN_PIN_LINK_FROM_VM, VMN_PIN_FROM_VM, slot_id, &result->from_vm, failure) ||
	    read_hook(dir, VMN_PIN_LINK_TO_VM, VMN_PIN_TO_VM, slot_id, &result->to_vm, failure))
		goto out;
	error = 0;
	if (slot_fd < 0)
		goto out;
	/* A policy that one of the attached programs does not judge by is not the policy. */
	if ((!result->from_vm.present || result->from_vm.own_slot) && (!result->to_vm.present || result->to_vm.own_slot))
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
