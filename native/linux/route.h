/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 routes. Addresses are in network byte order. */
#ifndef VMN_ROUTE_H
#define VMN_ROUTE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

struct vmn_route {
	uint32_t destination_be;
	uint32_t ifindex;
	uint8_t prefix_length;
	uint8_t protocol; /* who added it, rtnetlink(7) rtm_protocol */
	uint8_t scope;
};

/* Unicast routes of the main table that carry `protocol` (0: of any); the caller frees `*routes`. */
int vmn_routes(uint8_t protocol, struct vmn_route **routes, size_t *count, struct vmn_failure *failure);

/* Fails with EEXIST when the main table has a route for the same destination, whoever added it. */
int vmn_route_add(const struct vmn_route *route, struct vmn_failure *failure);

/* Removes exactly this one; fails with ESRCH when there is none. */
int vmn_route_delete(const struct vmn_route *route, struct vmn_failure *failure);

struct vmn_way {
	uint32_t ifindex;
	uint32_t gateway_be; /* 0: on-link */
	uint32_t source_be;  /* 0: none */
	bool local;          /* no other host's: the host's own address, broadcast, multicast */
	char name[IFNAMSIZ];
};

/* The way the host would take to an address. Fails with ENETUNREACH, EHOSTUNREACH or EACCES when there is none. */
int vmn_route_to(uint32_t address_be, struct vmn_way *way, struct vmn_failure *failure);

#endif
