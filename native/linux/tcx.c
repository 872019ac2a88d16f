// SPDX-License-Identifier: Apache-2.0
#include "tcx.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VMN_BPF_F_BEFORE (1u << 3)
#define VMN_LINK_TYPE_TCX 11u

struct link_create_attr {
	uint32_t prog_fd;
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative_fd_or_id;
	uint32_t padding;
	uint64_t expected_revision;
};
_Static_assert(offsetof(struct link_create_attr, relative_fd_or_id) == 16, "tcx follows the common part");
_Static_assert(sizeof(struct link_create_attr) == 32, "no implicit padding");

struct prog_query_attr {
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t query_flags;
	uint32_t attach_flags;
	uint64_t prog_ids;
	uint32_t count;
	uint32_t padding;
	uint64_t prog_attach_flags;
	uint64_t link_ids;
	uint64_t link_attach_flags;
	uint64_t revision;
};
_Static_assert(offsetof(struct prog_query_attr, link_ids) == 40, "as in 6.6");
_Static_assert(sizeof(struct prog_query_attr) == 64, "no implicit padding");

struct link_info {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t padding;
	uint32_t ifindex;
	uint32_t attach_type;
	uint64_t unused[8]; /* other kinds of link say more */
};
_Static_assert(offsetof(struct link_info, ifindex) == 16, "the union is aligned to 8 bytes");

struct info_attr {
	uint32_t bpf_fd;
	uint32_t info_len;
	uint64_t info;
};

static int bpf(int command, void *attr, unsigned int size)
{
	return (int)syscall(__NR_bpf, command, attr, size);
}

int vmn_tcx_attach(int program_fd, uint32_t ifindex, uint32_t attach_type, struct vmn_failure *failure)
{
	struct link_create_attr attr = {
		.prog_fd = (uint32_t)program_fd,
		.target_ifindex = ifindex,
		.attach_type = attach_type,
		.flags = VMN_BPF_F_BEFORE,
	};
	int fd = bpf(BPF_LINK_CREATE, &attr, sizeof(attr));

	if (fd < 0)
		return vmn_fail(failure, errno, "bpf(BPF_LINK_CREATE)", "ifindex %u, %s", ifindex,
		                attach_type == VMN_TCX_INGRESS ? "tcx/ingress" : "tcx/egress");
	return fd;
}

int vmn_tcx_link_read(int link_fd, struct vmn_tcx_link *link, struct vmn_failure *failure)
{
	struct link_info info = {};
	struct info_attr attr = {
		.bpf_fd = (uint32_t)link_fd,
		.info_len = sizeof(info),
		.info = (uint64_t)(uintptr_t)&info,
	};

	if (bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)))
		return vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "link");
	if (info.type != VMN_LINK_TYPE_TCX)
		return vmn_fail(failure, EMEDIUMTYPE, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "not a tcx link: type %u", info.type);
	link->id = info.id;
	link->program_id = info.prog_id;
	link->ifindex = info.ifindex;
	link->attach_type = info.attach_type;
	return 0;
}

int vmn_tcx_read(uint32_t ifindex, uint32_t attach_type, struct vmn_tcx_chain *chain, struct vmn_failure *failure)
{
	struct prog_query_attr attr = {
		.target_ifindex = ifindex,
		.attach_type = attach_type,
		.prog_ids = (uint64_t)(uintptr_t)chain->programs,
		.count = VMN_TCX_PROGRAMS,
		.link_ids = (uint64_t)(uintptr_t)chain->links,
	};

	*chain = (struct vmn_tcx_chain){};
	if (bpf(BPF_PROG_QUERY, &attr, sizeof(attr)))
		return vmn_fail(failure, errno, "bpf(BPF_PROG_QUERY)", "ifindex %u", ifindex);
	chain->count = attr.count < VMN_TCX_PROGRAMS ? attr.count : VMN_TCX_PROGRAMS;
	return 0;
}

int vmn_tcx_position(const struct vmn_tcx_chain *chain, uint32_t link_id)
{
	for (uint32_t i = 0; i < chain->count; i++)
		if (chain->links[i] == link_id)
			return (int)i;
	return VMN_TCX_NOT_ATTACHED;
}

int vmn_tcx_programs(uint32_t ifindex, uint32_t attach_type, struct vmn_failure *failure)
{
	struct vmn_failure refusal = {};
	struct vmn_tcx_chain chain;

	if (!vmn_tcx_read(ifindex, attach_type, &chain, &refusal))
		return (int)chain.count;
	if (refusal.error == EINVAL || refusal.error == ENODEV)
		return 0;
	return vmn_fail(failure, refusal.error, refusal.call, "%s", refusal.message);
}

int vmn_tcx_probe(uint32_t ifindex, struct vmn_failure *failure)
{
	struct vmn_tcx_chain chain;

	return vmn_tcx_read(ifindex, VMN_TCX_INGRESS, &chain, failure);
}
