// SPDX-License-Identifier: Apache-2.0
#include "pins_other.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pins.h"
#include "tcx.h"

/* Deeper than any version has pinned, and still no walk without an end. */
#define DEEPEST 8

struct visit {
	/* Called for a folder after what is in it. Not 0: the walk ends with that. */
	int (*see)(const char *path, bool folder, const struct visit *visit, struct vmn_failure *failure);
	uint32_t ifindex;
};

static int walk(const char *dir, int depth, const struct visit *visit, struct vmn_failure *failure);

static int see_entry(const char *dir, const char *name, int depth, const struct visit *visit,
                     struct vmn_failure *failure)
{
	struct stat status;
	char path[PATH_MAX];
	bool folder;
	int result = 0;

	if (vmn_pin_path(path, dir, name, failure))
		return -1;
	if (lstat(path, &status))
		return errno == ENOENT ? 0 : vmn_fail(failure, errno, "lstat", "%s", path);
	folder = S_ISDIR(status.st_mode);
	if (!folder && depth == 0 && vmn_pin_is_ours(name))
		return 0;
	if (folder)
		result = walk(path, depth + 1, visit, failure);
	return result ? result : visit->see(path, folder, visit, failure);
}

static int walk(const char *dir, int depth, const struct visit *visit, struct vmn_failure *failure)
{
	struct dirent *entry;
	int result = 0;
	DIR *stream;

	if (depth > DEEPEST)
		return vmn_fail(failure, ELOOP, "opendir", "%s", dir);
	stream = opendir(dir);
	if (!stream)
		return errno == ENOENT ? 0 : vmn_fail(failure, errno, "opendir", "%s", dir);
	while (!result && (entry = readdir(stream)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			result = see_entry(dir, entry->d_name, depth, visit, failure);
	closedir(stream);
	return result;
}

static int found(const char *path, bool folder, const struct visit *visit, struct vmn_failure *failure)
{
	(void)path;
	(void)folder;
	(void)visit;
	(void)failure;
	return 1;
}

int vmn_pins_other_exist(const char *dir, struct vmn_failure *failure)
{
	const struct visit visit = {.see = found};

	return walk(dir, 0, &visit, failure);
}

/* Another namespace may have an interface of the same number: the kernel's list decides. */
static bool is_elsewhere(const struct vmn_tcx_link *link, uint32_t ifindex)
{
	struct vmn_failure ignored = {};
	struct vmn_tcx_chain chain;
	bool here = link->ifindex == ifindex && !vmn_tcx_read(ifindex, link->attach_type, &chain, &ignored) &&
	            vmn_tcx_position(&chain, link->id) >= 0;

	vmn_failure_clear(&ignored);
	return link->ifindex && !here;
}

static int refuse_elsewhere(const char *path, bool folder, const struct visit *visit, struct vmn_failure *failure)
{
	struct vmn_failure ignored = {};
	struct vmn_tcx_link link;
	int result = 0;
	int fd;

	if (folder)
		return 0;
	fd = vmn_pin_open_path(path, VMN_OBJECT_LINK, &ignored);
	if (fd >= 0 && !vmn_tcx_link_read(fd, &link, &ignored) && is_elsewhere(&link, visit->ifindex))
		result = vmn_fail(failure, EBUSY, "bpf(BPF_OBJ_GET)", "%s is attached to ifindex %u", path, link.ifindex);
	vmn_close(&fd);
	vmn_failure_clear(&ignored);
	return result;
}

int vmn_pins_other_refuse_elsewhere(const char *dir, uint32_t ifindex, struct vmn_failure *failure)
{
	const struct visit visit = {.see = refuse_elsewhere, .ifindex = ifindex};

	return walk(dir, 0, &visit, failure);
}

static int remove_entry(const char *path, bool folder, const struct visit *visit, struct vmn_failure *failure)
{
	(void)visit;
	if ((folder ? rmdir(path) : unlink(path)) && errno != ENOENT)
		return vmn_fail(failure, errno, folder ? "rmdir" : "unlink", "%s", path);
	return 0;
}

int vmn_pins_other_remove(const char *dir, struct vmn_failure *failure)
{
	const struct visit visit = {.see = remove_entry};

	return walk(dir, 0, &visit, failure);
}
