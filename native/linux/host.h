/* SPDX-License-Identifier: Apache-2.0 */
/* What else we ask of the host: namespaces, locks, the BPF file system. */
#ifndef VMN_HOST_H
#define VMN_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

/* Moves the calling thread into the network namespace at `path`. */
int vmn_netns_enter(const char *path, struct vmn_failure *failure);

/* Opens (creates, mode 0600) and locks a file, or a folder that is there; EWOULDBLOCK when somebody holds it and `wait` is not asked for. */
int vmn_lock(const char *path, bool wait, struct vmn_failure *failure);

/*
 * Mounts the BPF file system at `path` unless it is mounted there. Whoever asks at the same time waits: a second one on
 * top would hide the pins of the first.
 */
int vmn_bpffs_mount(const char *path, struct vmn_failure *failure);

#endif
