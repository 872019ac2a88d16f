/* SPDX-License-Identifier: Apache-2.0 */
/* What else we ask of the host: namespaces, locks, the BPF file system, and what this kernel can do. */
#ifndef VMN_HOST_H
#define VMN_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

/* Moves the calling thread into the network namespace at `path`. */
int vmn_netns_enter(const char *path, struct vmn_failure *failure);

/* Opens (creates, mode 0600) and locks a file; EWOULDBLOCK when somebody holds it and `wait` is not asked for. */
int vmn_lock(const char *path, bool wait, struct vmn_failure *failure);

/*
 * Mounts the BPF file system at `path` unless it is mounted there. Whoever asks at the same time waits: a second one on
 * top would hide the pins of the first.
 */
int vmn_bpffs_mount(const char *path, struct vmn_failure *failure);

/* Loads, and drops, the smallest program of our type: is BPF there and are we allowed to use it? */
int vmn_probe_bpf(struct vmn_failure *failure);

/* Asks what is attached to the loopback interface's tcx hooks: EINVAL before Linux 6.6. */
int vmn_probe_tcx(struct vmn_failure *failure);

#endif
