// SPDX-License-Identifier: Apache-2.0
#include "hook_pin.h"

#include <errno.h>

#include "pins.h"

const struct vmn_direction vmn_directions[2] = {
	{VMN_PIN_LINK_FROM_VM, VMN_PIN_FROM_VM, VMN_TCX_INGRESS, true},
	{VMN_PIN_LINK_TO_VM, VMN_PIN_TO_VM, VMN_TCX_EGRESS, false},
};

static int find_state(const struct vmn_direction *direction, uint32_t ifindex, struct vmn_hook_pin *pin,
                      struct vmn_failure *failure)
{
	int position;

	if (!pin->link.ifindex) {
		pin->state = VMN_HOOK_DEFUNCT;
		return 0;
	}
	pin->state = VMN_HOOK_ELSEWHERE;
	if (pin->link.ifindex != ifindex || pin->link.attach_type != direction->attach_type)
		return 0;
	/* Another namespace may have an interface of the same number: the kernel's list decides. */
	position = vmn_tcx_position(ifindex, direction->attach_type, pin->link.id, failure);
	if (position >= 0)
		pin->state = VMN_HOOK_HERE;
	pin->first = position == 0;
	return position < VMN_TCX_NOT_ATTACHED ? -1 : 0;
}

int vmn_hook_pin_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex,
                      struct vmn_hook_pin *pin, struct vmn_failure *failure)
{
	*pin = (struct vmn_hook_pin){.fd = vmn_pin_open(dir, direction->link_name, VMN_OBJECT_LINK, failure)};
	if (pin->fd == VMN_NOT_PINNED) {
		pin->fd = -1;
		return 0;
	}
	if (pin->fd < 0)
		return -1;
	if (vmn_tcx_link_read(pin->fd, &pin->link, failure) || find_state(direction, ifindex, pin, failure)) {
		vmn_close(&pin->fd);
		return -1;
	}
	return 0;
}

int vmn_hook_pin_open_here(const char *dir, const struct vmn_direction *direction, uint32_t ifindex,
                           struct vmn_hook_pin *pin, struct vmn_failure *failure)
{
	if (vmn_hook_pin_open(dir, direction, ifindex, pin, failure))
		return -1;
	if (pin->state != VMN_HOOK_ELSEWHERE)
		return 0;
	vmn_close(&pin->fd);
	return vmn_fail(failure, EBUSY, "bpf(BPF_OBJ_GET)", "%s/%s is attached to ifindex %u", dir, direction->link_name,
	                pin->link.ifindex);
}
