// SPDX-License-Identifier: Apache-2.0
#include "filter_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pins.h"
#include "vmn_filter.skel.h"

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

static int keep(int fd, int *kept, struct vmn_failure *failure)
{
	*kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*kept < 0)
		return vmn_fail(failure, errno, "fcntl(F_DUPFD_CLOEXEC)", "BPF object");
	return 0;
}

static int load(struct vmn_filter_bpf *skeleton, int events_fd, int counters_fd, struct vmn_filter_set *set,
                struct vmn_failure *failure)
{
	int error = 0;

	if (events_fd >= 0)
		error = bpf_map__reuse_fd(skeleton->maps.events, events_fd);
	if (!error && counters_fd >= 0)
		error = bpf_map__reuse_fd(skeleton->maps.counters, counters_fd);
	if (error)
		return vmn_fail(failure, -error, "bpf_map__reuse_fd", "events, counters");
	error = vmn_filter_bpf__load(skeleton);
	if (error)
		return vmn_fail(failure, -error, "bpf(BPF_PROG_LOAD)", "the kernel did not take the filter");
	if (keep(bpf_program__fd(skeleton->progs.vmn_from_vm), &set->from_vm, failure) ||
	    keep(bpf_program__fd(skeleton->progs.vmn_to_vm), &set->to_vm, failure) ||
	    keep(bpf_map__fd(skeleton->maps.policy_slot), &set->policy_slot, failure) ||
	    keep(bpf_map__fd(skeleton->maps.counters), &set->counters, failure)) {
		vmn_filter_close(set);
		return -1;
	}
	return 0;
}

int vmn_filter_load(int events_fd, int counters_fd, struct vmn_filter_set *set, struct vmn_failure *failure)
{
	struct vmn_filter_bpf *skeleton;
	int result;

	*set = VMN_FILTER_SET_NONE;
	log_start();
	skeleton = vmn_filter_bpf__open();
	if (!skeleton) {
		result = vmn_fail(failure, errno, "bpf_object__open", "embedded filter");
	} else {
		result = load(skeleton, events_fd, counters_fd, set, failure);
		vmn_filter_bpf__destroy(skeleton);
	}
	log_end(failure);
	return result;
}

int vmn_filter_pin(const struct vmn_filter_set *set, const char *dir, struct vmn_failure *failure)
{
	if (vmn_pin(set->policy_slot, dir, VMN_PIN_POLICY_SLOT, failure) ||
	    vmn_pin(set->counters, dir, VMN_PIN_COUNTERS, failure) || vmn_pin(set->from_vm, dir, VMN_PIN_FROM_VM, failure))
		return -1;
	return vmn_pin(set->to_vm, dir, VMN_PIN_TO_VM, failure);
}

void vmn_filter_close(struct vmn_filter_set *set)
{
	vmn_close(&set->from_vm);
	vmn_close(&set->to_vm);
	vmn_close(&set->policy_slot);
	vmn_close(&set->counters);
}

int vmn_filter_tags(uint8_t from_vm[VMN_TAG_BYTES], uint8_t to_vm[VMN_TAG_BYTES], struct vmn_failure *failure)
{
	struct vmn_program programs[2];
	struct vmn_filter_set set;
	int result;

	if (vmn_filter_load(-1, -1, &set, failure))
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
	struct vmn_filter_bpf *skeleton = vmn_filter_bpf__open();
	__u32 bytes;
	int fd;

	if (!skeleton)
		return vmn_fail(failure, errno, "bpf_object__open", "embedded filter");
	bytes = bpf_map__max_entries(skeleton->maps.events);
	vmn_filter_bpf__destroy(skeleton);
	fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, VMN_PIN_EVENTS, 0, 0, bytes, NULL);
	if (fd < 0)
		return vmn_fail(failure, errno, "bpf(BPF_MAP_CREATE)", "ring buffer of %u bytes", bytes);
	return fd;
}

int vmn_events_open(const char *path, int create, struct vmn_failure *failure)
{
	struct vmn_failure pinning = {};
	int fd = vmn_pin_open_path(path, VMN_OBJECT_MAP, failure);

	if (fd != VMN_NOT_PINNED || !create)
		return fd;
	fd = create_events(failure);
	if (fd < 0)
		return -1;
	if (!bpf_obj_pin(fd, path))
		return fd;
	vmn_fail(&pinning, errno, "bpf(BPF_OBJ_PIN)", "%s", path);
	vmn_close(&fd);
	/* Somebody else made it in the meantime: then theirs is the shared one. */
	if (pinning.error == EEXIST) {
		fd = vmn_pin_open_path(path, VMN_OBJECT_MAP, failure);
		if (fd != VMN_NOT_PINNED)
			return fd;
	}
	return vmn_fail(failure, pinning.error, pinning.call, "%s", pinning.message);
}
