// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <unistd.h>

int vmn_netns_enter(const char *path, struct vmn_failure *failure)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return vmn_fail(failure, errno, "open", "%s", path);
	if (setns(fd, CLONE_NEWNET))
		vmn_fail(failure, errno, "setns", "%s", path);
	close(fd);
	return failure->error ? -1 : 0;
}

/* What is no file, or cannot be written, is locked by reading it: flock(2) does not ask how it was opened. */
static int open_to_lock(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 && (errno == EISDIR || errno == EROFS))
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd;
}

int vmn_lock(const char *path, bool wait, struct vmn_failure *failure)
{
	int fd = open_to_lock(path);
	int error;

	if (fd < 0)
		return vmn_fail(failure, errno, "open", "%s", path);
	do
		error = flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) ? errno : 0;
	while (error == EINTR);
	if (error) {
		close(fd);
		return vmn_fail(failure, error, "flock", "%s", path);
	}
	return fd;
}

static int mount_unless_mounted(const char *path, struct vmn_failure *failure)
{
	struct statfs status;

	if (statfs(path, &status))
		return vmn_fail(failure, errno, "statfs", "%s", path);
	if (status.f_type == BPF_FS_MAGIC)
		return 0;
	if (mount("bpf", path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return vmn_fail(failure, errno, "mount", "%s", path);
	return 0;
}

int vmn_bpffs_mount(const char *path, struct vmn_failure *failure)
{
	/* The lock is on the folder below the mount; who opens it later opens the mount, and finds it mounted. */
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return vmn_fail(failure, errno, "open", "%s", path);
	if (flock(fd, LOCK_EX)) {
		vmn_fail(failure, errno, "flock", "%s", path);
		close(fd);
		return -1;
	}
	result = mount_unless_mounted(path, failure);
	close(fd);
	return result;
}
