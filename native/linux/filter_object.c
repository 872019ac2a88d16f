// SPDX-License-Identifier: Apache-2.0
#include "filter_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter_image.h"
#include "guarded.h"
#include "pins.h"

#define LOG_LIMIT (1u << 20)

/* What libbpf says while it loads, the verifier's log among it; wanted only when loading fails. */
static _Thread_local char *log_text;
static _Thread_local size_t log_length;

static int collect_log(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *grown;
	va_list again;
	int length;

	if (level == LIBBPF_DEBUG || log_length >= LOG_LIMIT)
		return 0;
	va_copy(again, arguments);
	length = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (length <= 0)
		return 0;
	grown = realloc(log_text, log_length + (size_t)length + 1);
	if (!grown)
		return 0;
	log_text = grown;
	vsnprintf(log_text + log_length, (size_t)length + 1, format, arguments);
	log_length += (size_t)length;
	return 0;
}

static void log_start(void)
{
	free(log_text);
	log_text = NULL;
	log_length = 0;
	libbpf_set_print(collect_log);
}

static void log_end(struct vmn_failure *failure)
{
	if (failure->error && !failure->log)
		failure->log = log_text;
	else
		free(log_text);
	log_text = NULL;
	log_length = 0;
}

static struct bpf_object *open_object(struct vmn_failure *failure)
{
	struct vmn_filter_image image;
	struct bpf_object *object;

	if (vmn_filter_image(&image, failure))
		return NULL;
	object = bpf_object__open_mem(image.bytes, image.size, NULL);
	if (!object)
		vmn_fail(failure, errno, "bpf_object__open", "embedded filter");
	return object;
}

static int is_of_layout(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length) || info.type != bpf_map__type(map) ||
	    info.key_size != bpf_map__key_size(map) || info.value_size != bpf_map__value_size(map) ||
	    info.max_entries != bpf_map__max_entries(map))
		return 0;
	return !vmn_is_guarded(bpf_map__name(map)) || vmn_guarded_is_ours(bpf_map__name(map), fd);
}

/* 1 when a pinned map takes the place of the object's: it is of the same layout. */
static int go_on_with(struct bpf_map *map, const char *dir, struct vmn_failure *failure)
{
	struct vmn_failure ignored = {};
	int fd = vmn_pin_open(dir, bpf_map__name(map), VMN_OBJECT_MAP, &ignored);
	int error;

	if (fd < 0)
		return 0;
	if (!is_of_layout(map, fd)) {
		vmn_close(&fd);
		return 0;
	}
	error = bpf_map__reuse_fd(map, fd);
	vmn_close(&fd);
	return error ? vmn_fail(failure, -error, "bpf_map__reuse_fd", "%s", bpf_map__name(map)) : 1;
}

static int keep(int fd, int *kept, struct vmn_failure *failure)
{
	*kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*kept < 0)
		return vmn_fail(failure, errno, "fcntl(F_DUPFD_CLOEXEC)", "BPF object");
	return 0;
}

static int keep_program(const struct bpf_object *object, const char *name, int *kept, struct vmn_failure *failure)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	return program ? keep(bpf_program__fd(program), kept, failure)
	               : vmn_fail(failure, ENOENT, "bpf_object__open", "%s", name);
}

static int keep_map(const struct bpf_object *object, const char *name, int *kept, struct vmn_failure *failure)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	return fd >= 0 ? keep(fd, kept, failure) : vmn_fail(failure, ENOENT, "bpf_object__open", "%s", name);
}

/* What is gone on with; those that were are in `fits`. */
static const char *const kept[] = {VMN_PIN_COUNTERS, VMN_PIN_STATE, VMN_PIN_TUNNEL};
#define KEPT (sizeof(kept) / sizeof(kept[0]))

static int begin_fresh(const struct bpf_object *object, const int fits[KEPT], struct vmn_failure *failure)
{
	for (size_t i = 0; i < KEPT; i++)
		if (!fits[i] && vmn_is_guarded(kept[i]) &&
		    vmn_guarded_begin(kept[i], bpf_object__find_map_fd_by_name(object, kept[i]), failure))
			return -1;
	return 0;
}

/* `*reused`: whether maps of an earlier set are in this one. */
static int load(struct bpf_object *object, int events_fd, const char *kept_in, bool *reused, struct vmn_filter_set *set,
                struct vmn_failure *failure)
{
	int fits[KEPT] = {0};
	int error = 0;

	if (events_fd >= 0)
		error = bpf_map__reuse_fd(bpf_object__find_map_by_name(object, VMN_PIN_EVENTS), events_fd);
	if (error)
		return vmn_fail(failure, -error, "bpf_map__reuse_fd", "events");
	for (size_t i = 0; i < KEPT && kept_in; i++) {
		fits[i] = go_on_with(bpf_object__find_map_by_name(object, kept[i]), kept_in, failure);
		if (fits[i] < 0)
			return -1;
		*reused = *reused || fits[i];
	}
	error = bpf_object__load(object);
	if (error)
		return vmn_fail(failure, -error, "bpf(BPF_PROG_LOAD)", "the kernel did not take the filter");
	if (keep_program(object, "vmn_from_vm", &set->from_vm, failure) ||
	    keep_program(object, "vmn_to_vm", &set->to_vm, failure) ||
	    keep_map(object, VMN_PIN_POLICY_SLOT, &set->policy_slot, failure) ||
	    keep_map(object, VMN_PIN_COUNTERS, &set->counters, failure) ||
	    keep_map(object, VMN_PIN_STATE, &set->state, failure) ||
	    keep_map(object, VMN_PIN_TUNNEL, &set->tunnel, failure) || begin_fresh(object, fits, failure)) {
		vmn_filter_close(set);
		return -1;
	}
	return 0;
}

static int open_and_load(int events_fd, const char *kept_in, bool *reused, struct vmn_filter_set *set,
                         struct vmn_failure *failure)
{
	struct bpf_object *object;
	int result = -1;

	log_start();
	object = open_object(failure);
	if (object)
		result = load(object, events_fd, kept_in, reused, set, failure);
	bpf_object__close(object);
	log_end(failure);
	return result;
}

int vmn_filter_load(int events_fd, const char *kept_in, struct vmn_filter_set *set, struct vmn_failure *failure)
{
	struct vmn_failure refusal = {};
	bool reused = false;
	int result;

	*set = VMN_FILTER_SET_NONE;
	if (!kept_in)
		return open_and_load(events_fd, NULL, &reused, set, failure);
	result = open_and_load(events_fd, kept_in, &reused, set, &refusal);
	/* Sizes may be equal and the map not what the filter needs, as a lock that is not where it was. */
	if (result && reused)
		result = open_and_load(events_fd, NULL, &reused, set, failure);
	else if (result)
		*failure = vmn_failure_move(&refusal);
	vmn_failure_clear(&refusal);
	return result;
}

int vmn_filter_pin(const struct vmn_filter_set *set, const char *dir, struct vmn_failure *failure)
{
	if (vmn_pin(set->policy_slot, dir, VMN_PIN_POLICY_SLOT, failure) ||
	    vmn_pin(set->counters, dir, VMN_PIN_COUNTERS, failure) || vmn_pin(set->state, dir, VMN_PIN_STATE, failure) ||
	    vmn_pin(set->tunnel, dir, VMN_PIN_TUNNEL, failure) || vmn_pin(set->from_vm, dir, VMN_PIN_FROM_VM, failure))
		return -1;
	return vmn_pin(set->to_vm, dir, VMN_PIN_TO_VM, failure);
}

void vmn_filter_close(struct vmn_filter_set *set)
{
	vmn_close(&set->from_vm);
	vmn_close(&set->to_vm);
	vmn_close(&set->policy_slot);
	vmn_close(&set->counters);
	vmn_close(&set->state);
	vmn_close(&set->tunnel);
}

int vmn_filter_tags(uint8_t from_vm[VMN_TAG_BYTES], uint8_t to_vm[VMN_TAG_BYTES], struct vmn_failure *failure)
{
	struct vmn_program programs[2];
	struct vmn_filter_set set;
	int result;

	if (vmn_filter_load(-1, NULL, &set, failure))
		return -1;
	result = vmn_program_read(set.from_vm, &programs[0], failure) || vmn_program_read(set.to_vm, &programs[1], failure);
	vmn_filter_close(&set);
	if (result)
		return -1;
	memcpy(from_vm, programs[0].tag, VMN_TAG_BYTES);
	memcpy(to_vm, programs[1].tag, VMN_TAG_BYTES);
	return 0;
}

static int create_events(struct vmn_failure *failure)
{
	struct bpf_object *object;
	__u32 bytes;
	int fd;

	log_start();
	object = open_object(failure);
	log_end(failure);
	if (!object)
		return -1;
	bytes = bpf_map__max_entries(bpf_object__find_map_by_name(object, VMN_PIN_EVENTS));
	bpf_object__close(object);
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, VMN_PIN_EVENTS, 0, 0, bytes, NULL);
	if (fd < 0)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", "ring buffer of %u bytes", bytes);
	return fd;
}

/* What is pinned there if it is a ring buffer, of whatever size; VMN_NOT_PINNED when it is none. */
static int open_ring(const char *path, struct vmn_failure *failure)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	struct vmn_failure refusal = {};
	int fd = vmn_pin_open_path(path, VMN_OBJECT_MAP, &refusal);

	if (fd == -1 && refusal.error != EMEDIUMTYPE)
		return vmn_fail(failure, refusal.error, refusal.call, "%s", refusal.message);
	if (fd < 0)
		return VMN_NOT_PINNED;
	if (bpf_obj_get_info_by_fd(fd, &info, &length)) {
		vmn_fail(failure, errno, "bpf(BPF_OBJ_GET_INFO_BY_FD)", "%s", path);
		vmn_close(&fd);
		return -1;
	}
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		vmn_close(&fd);
	return fd < 0 ? VMN_NOT_PINNED : fd;
}

/* In place of what another version pinned, which its own filters go on with until they are replaced. */
static int pin_over(int fd, const char *path, struct vmn_failure *failure)
{
	char next[PATH_MAX];

	if (snprintf(next, sizeof(next), "%s" VMN_NEXT_SUFFIX, path) >= PATH_MAX)
		return vmn_fail(failure, ENAMETOOLONG, "snprintf", "%.100s...", path);
	if (unlink(next) && errno != ENOENT)
		return vmn_fail(failure, errno, "unlink", "%s", next);
	if (bpf_obj_pin(fd, next))
		return vmn_fail(failure, errno, "bpf(BPF_OBJ_PIN)", "%s", next);
	if (rename(next, path))
		return vmn_fail(failure, errno, "rename", "%s", path);
	return 0;
}

int vmn_events_open(const char *path, int create, struct vmn_failure *failure)
{
	int fd = open_ring(path, failure);
	int made;

	if (fd != VMN_NOT_PINNED || !create)
		return fd;
	made = create_events(failure);
	if (made < 0)
		return -1;
	if (!bpf_obj_pin(made, path))
		return made;
	if (errno != EEXIST)
		vmn_fail(failure, errno, "bpf(BPF_OBJ_PIN)", "%s", path);
	else
		/* Somebody else made it in the meantime: then theirs is the shared one. */
		fd = open_ring(path, failure);
	if (fd == VMN_NOT_PINNED && !failure->error && !pin_over(made, path, failure))
		return made;
	vmn_close(&made);
	return fd >= 0 ? fd : -1;
}
