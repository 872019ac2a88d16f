// SPDX-License-Identifier: Apache-2.0
#include "hook.h"

#include <errno.h>

#include "clsact.h"
#include "hook_kind.h"
#include "pins.h"
#include "tcx.h"

const struct vmn_direction vmn_directions[2] = {
	{VMN_PIN_LINK_FROM_VM, VMN_PIN_LINK_FROM_VM_NEXT, VMN_PIN_FROM_VM, VMN_TCX_INGRESS, VMN_CLSACT_INGRESS, true},
	{VMN_PIN_LINK_TO_VM, VMN_PIN_LINK_TO_VM_NEXT, VMN_PIN_TO_VM, VMN_TCX_EGRESS, VMN_CLSACT_EGRESS, false},
};

static const struct vmn_hook_operations *operations(enum vmn_hook_kind kind)
{
	return kind == VMN_HOOK_CLSACT ? &vmn_hook_clsact : &vmn_hook_tcx;
}

int vmn_hook_choose(uint32_t ifindex, enum vmn_hook_kind wanted, enum vmn_hook_kind *kind, struct vmn_failure *failure)
{
	struct vmn_failure refusal = {};

	*kind = wanted;
	if (wanted != VMN_HOOK_BEST)
		return 0;
	*kind = VMN_HOOK_TCX;
	if (!vmn_tcx_probe(ifindex, &refusal))
		return 0;
	/* What the kernel says of a hook that it does not know. */
	if (refusal.error != EINVAL)
		return vmn_fail(failure, refusal.error, refusal.call, "%s", refusal.message);
	*kind = VMN_HOOK_CLSACT;
	return 0;
}

int vmn_hook_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex, struct vmn_hook *hook,
                  struct vmn_failure *failure)
{
	int pinned;

	*hook = VMN_HOOK_NONE;
	pinned = vmn_hook_tcx_open(dir, direction, ifindex, hook, failure);
	if (!pinned)
		pinned = vmn_hook_clsact_open(dir, direction, ifindex, hook, failure);
	if (pinned >= 0)
		return 0;
	vmn_hook_close(hook);
	return -1;
}

int vmn_hook_open_here(const char *dir, const struct vmn_direction *direction, uint32_t ifindex, struct vmn_hook *hook,
                       struct vmn_failure *failure)
{
	if (vmn_hook_open(dir, direction, ifindex, hook, failure))
		return -1;
	if (hook->state != VMN_HOOK_ELSEWHERE)
		return 0;
	vmn_hook_close(hook);
	if (!hook->ifindex)
		return vmn_fail(failure, EBUSY, "bpf(BPF_OBJ_GET)", "%s was attached in another network namespace", dir);
	return vmn_fail(failure, EBUSY, "bpf(BPF_OBJ_GET)", "%s is attached to ifindex %u", dir, hook->ifindex);
}

void vmn_hook_close(struct vmn_hook *hook)
{
	vmn_close(&hook->link);
}

int vmn_hook_prepare(enum vmn_hook_kind kind, const struct vmn_site *site, struct vmn_failure *failure)
{
	return operations(kind)->prepare(site, failure);
}

int vmn_hook_attach(enum vmn_hook_kind kind, const struct vmn_site *site, const struct vmn_direction *direction,
                    int program, struct vmn_failure *failure)
{
	return operations(kind)->attach(site, direction, program, failure);
}

int vmn_hook_update(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                    int program, struct vmn_failure *failure)
{
	return operations(hook->kind)->update(hook, site, direction, program, failure);
}

int vmn_hook_revert(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                    int program, struct vmn_failure *failure)
{
	return operations(hook->kind)->revert(hook, site, direction, program, failure);
}

int vmn_hook_detach(const char *dir, const struct vmn_direction *direction, struct vmn_failure *failure)
{
	if (vmn_hook_tcx_detach(dir, direction, failure))
		return -1;
	return vmn_hook_clsact_detach(dir, direction, failure);
}
