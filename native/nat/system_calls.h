/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_NAT_SYSTEM_CALLS_H
#define VMN_NAT_SYSTEM_CALLS_H

enum vmn_phase { VMN_PHASE_START, VMN_PHASE_RUN };

/* From now on any other system call than those of this phase ends the process (seccomp). 0, or -1 with errno. */
int vmn_system_calls_allow(enum vmn_phase phase);

#endif
