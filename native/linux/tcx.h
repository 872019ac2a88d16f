/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tcx links (Linux 6.6): attach in front of everybody else, ask who is first, read a link back. The packaged libbpf and
 * kernel headers may be older than tcx, so the few attributes needed are laid out in tcx.c after
 * include/uapi/linux/bpf.h of 6.6 and passed to bpf(2) directly.
 */
#ifndef VMN_TCX_H
#define VMN_TCX_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

#define VMN_TCX_INGRESS 46u /* BPF_TCX_INGRESS: what comes in from the tap, that is from the VM */
#define VMN_TCX_EGRESS 47u  /* BPF_TCX_EGRESS: what goes out to the tap, that is to the VM */

#define VMN_TCX_PROGRAMS 64u /* BPF_MPROG_MAX: no more programs than this fit on one hook */

/* Links and programs of one hook in the order in which they run; link 0: attached without one. */
struct vmn_tcx_chain {
	uint32_t count;
	uint32_t links[VMN_TCX_PROGRAMS];
	uint32_t programs[VMN_TCX_PROGRAMS];
};

struct vmn_tcx_link {
	uint32_t id;
	uint32_t program_id;
	uint32_t ifindex; /* 0 once the interface is gone: the link holds on to nothing */
	uint32_t attach_type;
};

/* A new link in front of all others. Returns its file descriptor; closing it unpinned detaches. */
int vmn_tcx_attach(int program_fd, uint32_t ifindex, uint32_t attach_type, struct vmn_failure *failure);

/* Fails with EMEDIUMTYPE when the descriptor is a link of another kind. */
int vmn_tcx_link_read(int link_fd, struct vmn_tcx_link *link, struct vmn_failure *failure);

/* What is attached by tcx to a hook of an interface of this network namespace. */
int vmn_tcx_read(uint32_t ifindex, uint32_t attach_type, struct vmn_tcx_chain *chain, struct vmn_failure *failure);

/* Where a link stands in a chain: 0 runs first. */
#define VMN_TCX_NOT_ATTACHED (-1)
int vmn_tcx_position(const struct vmn_tcx_chain *chain, uint32_t link_id);

/* How many programs are attached to a hook by tcx, 0 too when the kernel has none; -1 on failure. */
int vmn_tcx_programs(uint32_t ifindex, uint32_t attach_type, struct vmn_failure *failure);

/* Whether the kernel knows tcx: asks about the hooks of an interface. Fails with EINVAL before 6.6. */
int vmn_tcx_probe(uint32_t ifindex, struct vmn_failure *failure);

#endif
