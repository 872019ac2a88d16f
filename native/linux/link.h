/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_LINK_H
#define VMN_LINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

#define VMN_ALIAS_BYTES 256 /* IFALIASZ */

struct vmn_link {
	uint32_t ifindex;
	uint32_t mtu;
	uint32_t master; /* ifindex of the bridge, bond or whatever it is a part of; 0: none */
	bool up;         /* switched on */
	bool carrier;    /* a tap has carrier while somebody holds it open */
	bool has_mac;
	uint8_t mac[6];
	char name[IFNAMSIZ];
	char alias[VMN_ALIAS_BYTES];
	char kind[16]; /* "tun", "veth", "" */
};

/* All interfaces; the caller frees `*links`. */
int vmn_links(struct vmn_link **links, size_t *count, struct vmn_failure *failure);

/* Fails with ENODEV when there is none. */
int vmn_link_by_name(const char *name, struct vmn_link *link, struct vmn_failure *failure);

struct vmn_link_change {
	const uint8_t *mac; /* NULL: as it is */
	const char *alias;  /* NULL: as it is */
	uint32_t mtu;       /* 0: as it is */
	int up;             /* 1, 0, or -1: as it is */
	bool leave_master;  /* taken out of whatever it is a part of */
};

/* One request, all or nothing as far as the kernel goes; never creates an interface. */
int vmn_link_set(uint32_t ifindex, const struct vmn_link_change *change, struct vmn_failure *failure);

/* By ifindex: a name may be somebody else's by now. */
int vmn_link_delete(uint32_t ifindex, struct vmn_failure *failure);

#endif
