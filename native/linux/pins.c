// SPDX-License-Identifier: Apache-2.0
#include "pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pins_other.h"

static const char *const object_names[] = {
	[VMN_OBJECT_MAP] = "map",
	[VMN_OBJECT_PROGRAM] = "prog",
	[VMN_OBJECT_LINK] = "link",
};

/* In the order of removal. What says where the filter is attached goes last: a link is what keeps it there. */
static const char *const pin_names[] = {
	VMN_PIN_POLICY_NEXT,     VMN_PIN_POLICY,     VMN_PIN_POLICY_SLOT, VMN_PIN_COUNTERS,
	VMN_PIN_STATE,           VMN_PIN_TUNNEL,     VMN_PIN_FROM_VM,     VMN_PIN_TO_VM,
	VMN_PIN_LINK_FROM_VM,    VMN_PIN_LINK_TO_VM, VMN_PIN_HOOK,        VMN_PIN_LINK_FROM_VM_NEXT,
	VMN_PIN_LINK_TO_VM_NEXT,
};

static int join(char path[PATH_MAX], const char *dir, const char *separator, const char *name,
                struct vmn_failure *failure)
{
	int length = snprintf(path, PATH_MAX, "%s%s%s", dir, separator, name);

	if (length < 0 || length >= PATH_MAX)
		return vmn_fail(failure, ENAMETOOLONG, "snprintf", "%.100s...", dir);
	return 0;
}

int vmn_pin_path(char path[PATH_MAX], const char *dir, const char *name, struct vmn_failure *failure)
{
	return join(path, dir, "/", name, failure);
}

int vmn_pin_next_dir(char path[PATH_MAX], const char *dir, struct vmn_failure *failure)
{
	return join(path, dir, "", VMN_NEXT_SUFFIX, failure);
}

int vmn_pin_events_path(char path[PATH_MAX], const char *dir, struct vmn_failure *failure)
{
	const char *slash = strrchr(dir, '/');
	char root[PATH_MAX];

	if (!slash || slash == dir || slash - dir >= PATH_MAX)
		return vmn_fail(failure, EINVAL, "strrchr", "%.100s is not a folder below a bpffs root", dir);
	memcpy(root, dir, (size_t)(slash - dir));
	root[slash - dir] = '\0';
	return vmn_pin_path(path, root, VMN_PIN_EVENTS, failure);
}

/* BPF_OBJ_GET opens whatever is pinned; what it is only shows in the name of the descriptor. */
static bool is_kind(int fd, enum vmn_object kind)
{
	char path[64];
	char target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return false;
	target[length] = '\0';
	/* anon_inode:bpf-map, anon_inode:bpf-prog, anon_inode:bpf_link */
	return strstr(target, ":bpf") && strstr(target, object_names[kind]);
}

#define OF_ANOTHER_KIND (-3)

static bool is_folder(const char *path)
{
	struct stat status;

	return !lstat(path, &status) && S_ISDIR(status.st_mode);
}

static int open_kind(const char *path, enum vmn_object kind, struct vmn_failure *failure)
{
	int fd = bpf_obj_get(path);
	int error = errno;

	if (fd < 0 && error == ENOENT)
		return VMN_NOT_PINNED;
	if (fd < 0)
		return is_folder(path) ? OF_ANOTHER_KIND : vmn_fail(failure, error, "bpf(BPF_OBJ_GET)", "%s", path);
	if (is_kind(fd, kind))
		return fd;
	close(fd);
	return OF_ANOTHER_KIND;
}

int vmn_pin_open_path(const char *path, enum vmn_object kind, struct vmn_failure *failure)
{
	int fd = open_kind(path, kind, failure);

	if (fd == OF_ANOTHER_KIND)
		return vmn_fail(failure, EMEDIUMTYPE, "bpf(BPF_OBJ_GET)", "%s is not a BPF %s", path, object_names[kind]);
	return fd;
}

int vmn_pin_open(const char *dir, const char *name, enum vmn_object kind, struct vmn_failure *failure)
{
	char path[PATH_MAX];

	int fd;

	if (vmn_pin_path(path, dir, name, failure))
		return -1;
	fd = open_kind(path, kind, failure);
	return fd == OF_ANOTHER_KIND ? VMN_NOT_PINNED : fd;
}

int vmn_pin(int fd, const char *dir, const char *name, struct vmn_failure *failure)
{
	char path[PATH_MAX];

	if (vmn_pin_path(path, dir, name, failure))
		return -1;
	if (bpf_obj_pin(fd, path))
		return vmn_fail(failure, errno, "bpf(BPF_OBJ_PIN)", "%s", path);
	return 0;
}

int vmn_unpin(const char *dir, const char *name, struct vmn_failure *failure)
{
	char path[PATH_MAX];

	if (vmn_pin_path(path, dir, name, failure))
		return -1;
	if (unlink(path) && errno != ENOENT)
		return vmn_fail(failure, errno, "unlink", "%s", path);
	return 0;
}

int vmn_pin_rename(const char *from_dir, const char *from, const char *to_dir, const char *to,
                   struct vmn_failure *failure)
{
	char from_path[PATH_MAX];
	char to_path[PATH_MAX];

	if (vmn_pin_path(from_path, from_dir, from, failure) || vmn_pin_path(to_path, to_dir, to, failure))
		return -1;
	if (rename(from_path, to_path))
		return vmn_fail(failure, errno, "rename", "%s", to_path);
	return 0;
}

int vmn_pin_make_dir(const char *dir, struct vmn_failure *failure)
{
	if (mkdir(dir, 0700) && errno != EEXIST)
		return vmn_fail(failure, errno, "mkdir", "%s", dir);
	return 0;
}

bool vmn_pin_is_ours(const char *name)
{
	for (size_t i = 0; i < sizeof(pin_names) / sizeof(pin_names[0]); i++)
		if (!strcmp(pin_names[i], name))
			return true;
	return false;
}

static int unpin_ours(const char *dir, struct vmn_failure *failure)
{
	for (size_t i = 0; i < sizeof(pin_names) / sizeof(pin_names[0]); i++)
		if (vmn_unpin(dir, pin_names[i], failure))
			return -1;
	return 0;
}

int vmn_pin_remove_dir(const char *dir, struct vmn_failure *failure)
{
	/* First: a folder under a name of ours cannot be unpinned. */
	if (vmn_pins_other_remove(dir, failure) || unpin_ours(dir, failure))
		return -1;
	if (rmdir(dir) && errno != ENOENT)
		return vmn_fail(failure, errno, "rmdir", "%s", dir);
	return 0;
}

void vmn_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
