/* SPDX-License-Identifier: Apache-2.0 */
/* Another process, and its descriptors. */
#ifndef VMN_PROCESS_H
#define VMN_PROCESS_H

#include <dirent.h>

#include "failure.h"

/* A descriptor of the process (pidfd), which becomes readable when that ends. The caller closes it. */
int vmn_process_open(int pid, struct vmn_failure *failure);

/* Signal 0 only asks whether it is there. -1 with ESRCH once it has ended, whoever has its pid by then (Linux 5.1). */
int vmn_process_signal(int pidfd, int signal, struct vmn_failure *failure);

/* A second descriptor of the process. */
int vmn_process_again(int pidfd, struct vmn_failure *failure);

/* A second descriptor of what is behind the process's descriptor `fd` (Linux 5.6); -1 and errno when it cannot be had. */
int vmn_process_borrow(int pidfd, int fd);

/* Its descriptors, to be gone through by readdir(). */
struct vmn_process {
	int pidfd;
	DIR *descriptors;
};
int vmn_process_look(int pid, struct vmn_process *process, struct vmn_failure *failure);
void vmn_process_leave(struct vmn_process *process);

#endif
