/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel can do and we may do, found out by doing it and giving it back. Nothing of the machine is changed.
 * EPERM says that we may not, whatever the kernel can.
 */
#ifndef VMN_PROBE_H
#define VMN_PROBE_H

#include "failure.h"

/* Loads the smallest program of our type. */
int vmn_probe_bpf(struct vmn_failure *failure);

/* Makes a map of maps: what policies are in (Linux 4.12). */
int vmn_probe_map_in_map(struct vmn_failure *failure);

/* Makes a ring buffer: what events are in (Linux 5.8). EINVAL before. */
int vmn_probe_ring_buffer(struct vmn_failure *failure);

/* Loads a program that reads memory of the kernel, as the filter does: needs CAP_PERFMON. */
int vmn_probe_kernel_memory(struct vmn_failure *failure);

/* Asks what is attached to the loopback interface by tcx: EINVAL before Linux 6.6. */
int vmn_probe_tcx(struct vmn_failure *failure);

/*
 * Attaches a program by tc filter to the loopback interface of a network namespace that is made for it and goes with the
 * thread that tried. Needs CAP_SYS_ADMIN, which the filter itself does not. ENOENT: the kernel lacks CONFIG_NET_SCH_INGRESS
 * ("rtnetlink(RTM_NEWQDISC)") or CONFIG_NET_CLS_BPF ("rtnetlink(RTM_NEWTFILTER)").
 */
int vmn_probe_clsact(struct vmn_failure *failure);

#endif
