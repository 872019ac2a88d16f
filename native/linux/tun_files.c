// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "tun_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netlink.h" /* vmn_append() */
#include "process.h"

#ifndef TUNGETDEVNETNS /* Linux 5.2 */
#define TUNGETDEVNETNS _IO('T', 227)
#endif

#define MISC_MAJOR 10
#define TUN_MINOR 200
#define PATH_BYTES 256 /* longer ones are cut, and are no device */

/* Whether a character device is one of macvtap's or ipvtap's, whose numbers are handed out when they are loaded. */
static bool is_tap_major(unsigned int major)
{
	FILE *devices = fopen("/proc/devices", "re");
	char line[128], name[32];
	unsigned int number;
	bool found = false;

	while (devices && !found && fgets(line, sizeof(line), devices))
		found = sscanf(line, "%u %31s", &number, name) == 2 && number == major &&
		        (!strcmp(name, "macvtap") || !strcmp(name, "ipvtap"));
	if (devices)
		fclose(devices);
	return found;
}

/*
 * By number. It is asked for without a word to the file's server: a process may have files of a file system that does not
 * answer, and who looks at them waits for ever.
 */
static bool is_tun_device(int folder, const char *name, int flags, enum vmn_tun_kind *kind)
{
	struct statx status;

	if (statx(folder, name, flags | AT_STATX_DONT_SYNC, STATX_TYPE, &status) || !S_ISCHR(status.stx_mode))
		return false;
	*kind = VMN_TUN_KIND_TAP; /* or without frames: that is asked later */
	if (status.stx_rdev_major == MISC_MAJOR)
		return status.stx_rdev_minor == TUN_MINOR;
	*kind = VMN_TUN_KIND_MACVTAP;
	return is_tap_major(status.stx_rdev_major);
}

/*
 * By name first, which is cheaper. 1, 0, or -1 when it may not be looked at: the folder of descriptors may be open to us
 * where what is in it is not.
 */
static int is_tun_file(int folder, const char *fd, enum vmn_tun_kind *kind)
{
	char target[PATH_BYTES] = "";
	const char *name;

	if (readlinkat(folder, fd, target, sizeof(target) - 1) < 0)
		return errno == EACCES || errno == EPERM ? -1 : 0;
	name = strrchr(target, '/');
	return name && (!strncmp(name, "/tun", 4) || !strncmp(name, "/tap", 4)) && is_tun_device(folder, fd, 0, kind);
}

/* `iff:` of fdinfo: all that is to be had where descriptors may not be borrowed. */
static void name_of_fdinfo(int pid, struct vmn_tun_file *file)
{
	char path[64], line[256];
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, file->fd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "iff:\t%15[^\n]", file->name) == 1)
			break;
	if (info)
		fclose(info);
}

static void ask(int borrowed, struct vmn_tun_file *file)
{
	struct ifreq request = {};
	struct stat status;
	int netns;

	if (ioctl(borrowed, TUNGETIFF, &request))
		return; /* no interface yet, or no more */
	memcpy(file->name, request.ifr_name, sizeof(file->name));
	file->name[sizeof(file->name) - 1] = '\0';
	if (file->kind == VMN_TUN_KIND_TAP && !(request.ifr_flags & IFF_TAP))
		file->kind = VMN_TUN_KIND_TUN;
	netns = ioctl(borrowed, TUNGETDEVNETNS);
	if (netns < 0)
		return;
	if (!fstat(netns, &status))
		file->netns = status.st_ino;
	close(netns);
}

static void read_file(int pid, const struct vmn_process *process, struct vmn_tun_file *file)
{
	int borrowed = vmn_process_borrow(process->pidfd, file->fd);

	if (borrowed < 0) {
		name_of_fdinfo(pid, file);
		return;
	}
	/* The number may be another file's by now. */
	if (is_tun_device(borrowed, "", AT_EMPTY_PATH, &file->kind))
		ask(borrowed, file);
	close(borrowed);
}

struct found {
	struct vmn_tun_file *files;
	size_t count;
};

static int look_at(int pid, const struct vmn_process *process, const char *fd, struct found *found,
                   struct vmn_failure *failure)
{
	struct vmn_tun_file file = {.fd = atoi(fd)}, *added;
	int is_one = is_tun_file(dirfd(process->descriptors), fd, &file.kind);

	if (is_one < 0)
		return vmn_fail(failure, errno, "readlinkat", "/proc/%d/fd/%s", pid, fd);
	if (is_one)
		read_file(pid, process, &file);
	if (!file.name[0])
		return 0;
	added = vmn_append((void **)&found->files, &found->count, sizeof(*added));
	if (!added)
		return vmn_fail(failure, ENOMEM, "malloc", "pid %d", pid);
	*added = file;
	return 0;
}

static int look_at_all(int pid, const struct vmn_process *process, struct found *found, struct vmn_failure *failure)
{
	const struct dirent *entry;

	while ((entry = readdir(process->descriptors)))
		if (entry->d_name[0] != '.' && look_at(pid, process, entry->d_name, found, failure))
			return -1;
	return 0;
}

static int look_at_these(int pid, const struct vmn_process *process, const struct vmn_descriptors *which,
                         struct found *found, struct vmn_failure *failure)
{
	char fd[16];

	for (size_t i = 0; i < which->count; i++) {
		snprintf(fd, sizeof(fd), "%d", which->numbers[i]);
		if (look_at(pid, process, fd, found, failure))
			return -1;
	}
	return 0;
}

int vmn_tun_files(int pid, const struct vmn_descriptors *which, struct vmn_tun_file **files, size_t *count,
                  struct vmn_failure *failure)
{
	struct vmn_process process;
	struct found found = {};
	int result;

	if (vmn_process_look(pid, &process, failure))
		return -1;
	result = which->numbers ? look_at_these(pid, &process, which, &found, failure)
	                        : look_at_all(pid, &process, &found, failure);
	vmn_process_leave(&process);
	if (result)
		free(found.files);
	*files = result ? NULL : found.files;
	*count = result ? 0 : found.count;
	return result;
}

int vmn_tun_netns(int pid, int fd, struct vmn_failure *failure)
{
	int pidfd = vmn_process_open(pid, failure);
	int borrowed, netns;

	if (pidfd < 0)
		return -1;
	borrowed = vmn_process_borrow(pidfd, fd);
	if (borrowed < 0)
		vmn_fail(failure, errno, "pidfd_getfd", "descriptor %d of pid %d", fd, pid);
	close(pidfd);
	if (borrowed < 0)
		return -1;
	netns = ioctl(borrowed, TUNGETDEVNETNS);
	if (netns < 0)
		vmn_fail(failure, errno, "ioctl(TUNGETDEVNETNS)", "descriptor %d of pid %d", fd, pid);
	close(borrowed);
	return netns;
}
