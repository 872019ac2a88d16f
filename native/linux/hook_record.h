/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the filters of one VM are attached, when they are tc filters: unlike a link, a pinned program does not tell. An
 * array map of one entry, written once and frozen, pinned as `hook` before the first filter is added.
 *
 * A network namespace is known by the inode of its file. The number of one that is gone may be given to another: then
 * what is recorded is not found there.
 *
 * These fields are read by every version: a later one may append to them, and counts the version up, but never moves them.
 */
#ifndef VMN_HOOK_RECORD_H
#define VMN_HOOK_RECORD_H

#include <stdint.h>

#include "failure.h"

struct vmn_hook_record {
	uint32_t version; /* VMN_HOOK_RECORD_VERSION */
	uint32_t ifindex;
	uint64_t netns_device;
	uint64_t netns_inode;
};

#define VMN_HOOK_RECORD_VERSION 1u

/* Fills in all but the interface for the namespace of the calling thread. */
int vmn_hook_record_here(struct vmn_hook_record *record, struct vmn_failure *failure);

/*
 * 1, or 0 when none is pinned in the folder, or -1. VMN_HOOK_RECORD_UNREADABLE: what is pinned by that name is no such
 * record, so that where the filters are is not known.
 */
#define VMN_HOOK_RECORD_UNREADABLE 2
int vmn_hook_record_read(const char *dir, struct vmn_hook_record *record, struct vmn_failure *failure);

/* Pins a record in place of the one there is, if any; `next` is a folder for it on the way. */
int vmn_hook_record_write(const char *dir, const char *next, const struct vmn_hook_record *record,
                          struct vmn_failure *failure);

#endif
