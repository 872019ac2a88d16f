// SPDX-License-Identifier: Apache-2.0
#include "hook_record.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "pins.h"

#define OWN_NETNS "/proc/thread-self/ns/net"

static const uint32_t first_entry;

int vmn_hook_record_here(struct vmn_hook_record *record, struct vmn_failure *failure)
{
	struct stat status;

	if (stat(OWN_NETNS, &status))
		return vmn_fail(failure, errno, "stat", OWN_NETNS);
	*record = (struct vmn_hook_record){
		.version = VMN_HOOK_RECORD_VERSION,
		.netns_device = status.st_dev,
		.netns_inode = status.st_ino,
	};
	return 0;
}

/* More than any version appends. */
#define MOST_BYTES 256

static int read_map(int fd, const char *dir, struct vmn_hook_record *record, struct vmn_failure *failure)
{
	uint8_t value[MOST_BYTES];
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s/" VMN_PIN_HOOK, dir);
	if (info.type != BPF_MAP_TYPE_ARRAY || info.key_size != sizeof(first_entry) || info.max_entries != 1 ||
	    info.value_size < sizeof(*record) || info.value_size > sizeof(value))
		return VMN_HOOK_RECORD_UNREADABLE;
	if (bpf_map_lookup_elem(fd, &first_entry, value))
		return vmn_fail(failure, errno, "bpf(BPF_MAP_LOOKUP_ELEM)", "%s/" VMN_PIN_HOOK, dir);
	memcpy(record, value, sizeof(*record));
	return record->version ? 1 : VMN_HOOK_RECORD_UNREADABLE;
}

/* Not a map; then something else may stand there. */
static int read_no_map(const char *dir, struct vmn_failure *failure)
{
	struct stat status;
	char path[PATH_MAX];

	if (vmn_pin_path(path, dir, VMN_PIN_HOOK, failure))
		return -1;
	if (!lstat(path, &status))
		return VMN_HOOK_RECORD_UNREADABLE;
	return errno == ENOENT ? 0 : vmn_fail(failure, errno, "lstat", "%s", path);
}

int vmn_hook_record_read(const char *dir, struct vmn_hook_record *record, struct vmn_failure *failure)
{
	int fd = vmn_pin_open(dir, VMN_PIN_HOOK, VMN_OBJECT_MAP, failure);
	int result;

	if (fd == VMN_NOT_PINNED)
		return read_no_map(dir, failure);
	if (fd < 0)
		return -1;
	result = read_map(fd, dir, record, failure);
	vmn_close(&fd);
	return result;
}

static int make_map(const struct vmn_hook_record *record, struct vmn_failure *failure)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "vmn_hook", sizeof(uint32_t), sizeof(*record), 1, NULL);

	if (fd < 0)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", VMN_PIN_HOOK);
	if (bpf_map_update_elem(fd, &first_entry, record, BPF_ANY))
		vmn_fail(failure, errno, "bpf(BPF_MAP_UPDATE_ELEM)", VMN_PIN_HOOK);
	else if (bpf_map_freeze(fd))
		vmn_fail(failure, errno, "bpf(BPF_MAP_FREEZE)", VMN_PIN_HOOK);
	else
		return fd;
	vmn_close(&fd);
	return -1;
}

int vmn_hook_record_write(const char *dir, const char *next, const struct vmn_hook_record *record,
                          struct vmn_failure *failure)
{
	int fd = make_map(record, failure);
	int result;

	if (fd < 0)
		return -1;
	result = vmn_unpin(next, VMN_PIN_HOOK, failure) || vmn_pin(fd, next, VMN_PIN_HOOK, failure) ? -1 : 0;
	vmn_close(&fd);
	return result ? -1 : vmn_pin_rename(next, VMN_PIN_HOOK, dir, VMN_PIN_HOOK, failure);
}
