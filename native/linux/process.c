// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same numbers on every architecture. */
#ifndef SYS_pidfd_send_signal /* Linux 5.1 */
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open /* Linux 5.3 */
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd /* Linux 5.6 */
#define SYS_pidfd_getfd 438
#endif

int vmn_process_open(int pid, struct vmn_failure *failure)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	return pidfd < 0 ? vmn_fail(failure, errno, "pidfd_open", "pid %d", pid) : pidfd;
}

int vmn_process_signal(int pidfd, int signal, struct vmn_failure *failure)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0) == 0)
		return 0;
	return vmn_fail(failure, errno, "pidfd_send_signal", "signal %d", signal);
}

int vmn_process_again(int pidfd, struct vmn_failure *failure)
{
	int again = fcntl(pidfd, F_DUPFD_CLOEXEC, 0);

	return again < 0 ? vmn_fail(failure, errno, "fcntl", "descriptor %d", pidfd) : again;
}

int vmn_process_borrow(int pidfd, int fd)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

int vmn_process_look(int pid, struct vmn_process *process, struct vmn_failure *failure)
{
	char path[32];

	process->pidfd = vmn_process_open(pid, failure);
	if (process->pidfd < 0)
		return -1;
	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	process->descriptors = opendir(path);
	if (process->descriptors)
		return 0;
	vmn_fail(failure, errno, "opendir", "%s", path);
	close(process->pidfd);
	return -1;
}

void vmn_process_leave(struct vmn_process *process)
{
	closedir(process->descriptors);
	close(process->pidfd);
}
