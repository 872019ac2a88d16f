/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Taps. Single queue and without packet information, so that QEMU may open them later: the kernel then demands the same
 * choice of queues, while everything else (the virtio-net header) is up to whoever opens.
 */
#ifndef VMN_TAP_H
#define VMN_TAP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "failure.h"

struct vmn_tap {
	int fd;
	uint32_t ifindex;
};

/*
 * A new tap of this name, which lives as long as the descriptor does. EBUSY when an interface of the name exists.
 */
int vmn_tap_create(const char *name, struct vmn_tap *tap, struct vmn_failure *failure);

/* From now on the tap outlives its descriptor. `owner`: a user that may open it without CAP_NET_ADMIN, or -1. */
int vmn_tap_persist(int fd, int64_t owner, struct vmn_failure *failure);

/*
 * Opens a tap that exists (never makes one), as QEMU would. EBUSY when somebody holds it. `offloads`: TUN_F_... bits
 * for TUNSETOFFLOAD, 0 for none.
 */
int vmn_tap_open(const char *name, bool vnet_header, uint32_t offloads, struct vmn_tap *tap,
                 struct vmn_failure *failure);

#endif
