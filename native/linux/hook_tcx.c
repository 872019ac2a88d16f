// SPDX-License-Identifier: Apache-2.0
/*
 * tcx: the link is the attachment. Where somebody attached in front of us, a new link in front of them takes over; a crash
 * between making it and pinning it under its name leaves it staged in `<dir>_next`, where the next replacement finds it.
 */
#include <bpf/bpf.h>
#include <errno.h>

#include "hook_kind.h"
#include "pins.h"
#include "tcx.h"

static int find_state(const struct vmn_direction *direction, const struct vmn_tcx_link *link, uint32_t ifindex,
                      struct vmn_hook *hook, struct vmn_failure *failure)
{
	bool asked = link->ifindex == ifindex && link->attach_type == direction->tcx_type;
	struct vmn_failure ignored = {};
	struct vmn_tcx_chain chain;
	int position = VMN_TCX_NOT_ATTACHED;

	if (!link->ifindex) {
		hook->state = VMN_HOOK_DEFUNCT;
		return 0;
	}
	/* Another namespace may have an interface of the same number: the kernel's list decides. */
	if (!vmn_tcx_read(link->ifindex, link->attach_type, &chain, asked ? failure : &ignored))
		position = vmn_tcx_position(&chain, link->id);
	else if (asked)
		return -1;
	hook->state = asked && position >= 0 ? VMN_HOOK_HERE : VMN_HOOK_ELSEWHERE;
	hook->first = position == 0 && link->attach_type == direction->tcx_type;
	vmn_failure_clear(&ignored);
	for (uint32_t i = 0; position >= 0 && i < chain.count; i++)
		if (i != (uint32_t)position)
			vmn_others_note(&hook->others, chain.programs[i]);
	return 0;
}

int vmn_hook_tcx_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex, struct vmn_hook *hook,
                      struct vmn_failure *failure)
{
	int fd = vmn_pin_open(dir, direction->link_name, VMN_OBJECT_LINK, failure);
	struct vmn_failure refusal = {};
	struct vmn_tcx_link link;

	if (fd == VMN_NOT_PINNED)
		return 0;
	if (fd < 0)
		return -1;
	if (vmn_tcx_link_read(fd, &link, &refusal)) {
		vmn_close(&fd);
		/* A link of another kind is of another version, and none of this. */
		if (refusal.error == EMEDIUMTYPE)
			return 0;
		return vmn_fail(failure, refusal.error, refusal.call, "%s", refusal.message);
	}
	hook->kind = VMN_HOOK_TCX;
	hook->link = fd;
	hook->ifindex = link.ifindex;
	hook->ingress = link.attach_type == VMN_TCX_INGRESS;
	hook->link_id = link.id;
	hook->program_id = link.program_id;
	return find_state(direction, &link, ifindex, hook, failure) ? -1 : 1;
}

static int prepare(const struct vmn_site *site, struct vmn_failure *failure)
{
	(void)site;
	(void)failure;
	return 0;
}

static int attach(const struct vmn_site *site, const struct vmn_direction *direction, int program,
                  struct vmn_failure *failure)
{
	int result = -1;
	int link = vmn_tcx_attach(program, site->ifindex, direction->tcx_type, failure);

	if (link < 0)
		return -1;
	/* What is pinned under the name goes only when this link is there to stay: it may be another version's. */
	if (!vmn_unpin(site->dir, direction->next_link_name, failure) &&
	    !vmn_pin(link, site->dir, direction->next_link_name, failure))
		result = vmn_pin_rename(site->dir, direction->next_link_name, site->dir, direction->link_name, failure);
	vmn_close(&link);
	return result;
}

static int overtake(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                    int program, struct vmn_failure *failure)
{
	int result = -1;
	int link = vmn_tcx_attach(program, site->ifindex, direction->tcx_type, failure);

	if (link < 0)
		return -1;
	if (!vmn_pin(link, site->next, direction->link_name, failure))
		result = vmn_pin_rename(site->next, direction->link_name, site->dir, direction->link_name, failure);
	vmn_close(&link);
	if (!result) {
		/* Without its pin it goes by itself, but some time later: it would be read back beside ours until then. */
		bpf_link_detach(hook->link);
		vmn_close(&hook->link);
	}
	return result;
}

static int update(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                  int program, struct vmn_failure *failure)
{
	hook->revertible = hook->first;
	if (!hook->first)
		return overtake(hook, site, direction, program, failure);
	if (bpf_link_update(hook->link, program, NULL))
		return vmn_fail(failure, errno, "bpf(BPF_LINK_UPDATE)", "%s/%s", site->dir, direction->link_name);
	return 0;
}

static int revert(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                  int program, struct vmn_failure *failure)
{
	if (bpf_link_update(hook->link, program, NULL))
		return vmn_fail(failure, errno, "bpf(BPF_LINK_UPDATE)", "%s/%s", site->dir, direction->link_name);
	return 0;
}

int vmn_hook_tcx_detach(const char *dir, const struct vmn_direction *direction, struct vmn_failure *failure)
{
	int link = vmn_pin_open(dir, direction->link_name, VMN_OBJECT_LINK, failure);
	int result = 0;

	if (link < 0)
		return link == VMN_NOT_PINNED ? 0 : -1;
	if (bpf_link_detach(link))
		result = vmn_fail(failure, errno, "bpf(BPF_LINK_DETACH)", "%s/%s", dir, direction->link_name);
	vmn_close(&link);
	return result;
}

const struct vmn_hook_operations vmn_hook_tcx = {prepare, attach, update, revert};
