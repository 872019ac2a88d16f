/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 neighbours. Addresses are in network byte order. */
#ifndef VMN_NEIGHBOUR_H
#define VMN_NEIGHBOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

struct vmn_neighbour {
	uint32_t ifindex;
	uint32_t address_be;
	uint8_t mac[6];
	bool has_mac;
	bool permanent;
};

/* Of one interface; the caller frees `*neighbours`. */
int vmn_neighbours(uint32_t ifindex, struct vmn_neighbour **neighbours, size_t *count, struct vmn_failure *failure);

/* Permanent: the kernel never asks for it and never forgets it. Replaces what was known. */
int vmn_neighbour_set(const struct vmn_neighbour *neighbour, struct vmn_failure *failure);

/* Fails with ENOENT when there is none. */
int vmn_neighbour_delete(const struct vmn_neighbour *neighbour, struct vmn_failure *failure);

#endif
