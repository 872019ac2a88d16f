/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the filter remembers of a VM behind a lock (bpf/maps.h): maps of one entry, which starts with the lock and the number of
 * its layout. A filter that takes the place of another goes on with them where that number is its own.
 */
#ifndef VMN_GUARDED_H
#define VMN_GUARDED_H

#include "failure.h"
#include "vmn/abi.h"

/* Whether a map of this name is one of them. */
int vmn_is_guarded(const char *name);

/* Marks a fresh map as of this version, before any program uses it. */
int vmn_guarded_begin(const char *name, int fd, struct vmn_failure *failure);

/* 1 when the map is marked as of this version. */
int vmn_guarded_is_ours(const char *name, int fd);

/* Limits and violations as the filter last left them. Fails with EPROTO when the pinned map is of another version. */
int vmn_state_read(const char *dir, struct vmn_state *state, struct vmn_failure *failure);

/* What it saw of the tunnel. Fails likewise, and with ENOENT where a filter does not look. */
int vmn_tunnel_read(const char *dir, struct vmn_tunnel *tunnel, struct vmn_failure *failure);

#endif
