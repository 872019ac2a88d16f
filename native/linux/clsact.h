/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs as tc filters on a clsact qdisc: how they are attached on kernels without tcx (before Linux 6.6).
 *
 * Our filters have priority 1, the lowest there is, protocol "all", direct-action, and one of a few fixed handles. Among
 * filters of one priority the one that was added last runs first, and one that is replaced keeps its place. A filter says
 * by its name whose it is: "vmnetwork:" and the folder of the VM's pins.
 */
#ifndef VMN_CLSACT_H
#define VMN_CLSACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"
#include "program.h"

#define VMN_CLSACT_PRIORITY 1u
/* "VMN1", and the following for a second filter beside it. */
#define VMN_CLSACT_HANDLE 0x564d4e31u
#define VMN_CLSACT_HANDLES 8u

#define VMN_CLSACT_INGRESS 0xfffffff2u /* TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS): from the VM */
#define VMN_CLSACT_EGRESS 0xfffffff3u  /* TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS): to the VM */

#define VMN_CLSACT_NAME_BYTES 256 /* CLS_BPF_NAME_LEN */

struct vmn_clsact_filter {
	uint32_t handle;
	uint32_t priority;
	uint32_t program_id; /* 0: no program, another kind of filter */
	bool all_protocols;
	bool direct_action; /* what the program returns is done; else it is the number of a class, and everything passes */
	uint8_t tag[VMN_TAG_BYTES];
	char name[VMN_CLSACT_NAME_BYTES];
};

/*
 * Makes sure of the qdisc; one that is there, whoever made it, is used. Fails with EEXIST where an `ingress` qdisc has its
 * place: that one has no egress, and would take the filters of both directions for ingress.
 */
int vmn_clsact_make(uint32_t ifindex, struct vmn_failure *failure);

/* Filters of one hook in the order in which they run; none when there is no clsact qdisc. The caller frees `*filters`. */
int vmn_clsact_filters(uint32_t ifindex, uint32_t parent, struct vmn_clsact_filter **filters, size_t *count,
                       struct vmn_failure *failure);

/* Adds a filter in front of those of its priority. Fails with EEXIST when the handle is taken. */
int vmn_clsact_add(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *name, int program_fd,
                   struct vmn_failure *failure);

/* Gives a filter another program, in one pointer swap. Fails with ENOENT when it is gone. */
int vmn_clsact_replace(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *name, int program_fd,
                       struct vmn_failure *failure);

/* Its being gone already is success. */
int vmn_clsact_delete(uint32_t ifindex, uint32_t parent, uint32_t handle, struct vmn_failure *failure);

#endif
