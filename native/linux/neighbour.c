// SPDX-License-Identifier: Apache-2.0
#include "neighbour.h"

#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"

struct neighbour_list {
	struct vmn_neighbour *neighbours;
	size_t count;
	uint32_t ifindex;
};

static int add_neighbour(const struct nlmsghdr *message, void *context)
{
	const struct ndmsg *header = NLMSG_DATA(message);
	const struct rtattr *table[NDA_MAX + 1];
	struct neighbour_list *list = context;
	struct vmn_neighbour *neighbour;

	if (message->nlmsg_type != RTM_NEWNEIGH || (uint32_t)header->ndm_ifindex != list->ifindex)
		return 0;
	neighbour = vmn_append((void **)&list->neighbours, &list->count, sizeof(*neighbour));
	if (!neighbour)
		return -1;
	vmn_attributes(message, sizeof(*header), table, NDA_MAX);
	neighbour->ifindex = list->ifindex;
	neighbour->address_be = vmn_attribute_u32(table[NDA_DST]);
	neighbour->permanent = header->ndm_state & NUD_PERMANENT;
	neighbour->has_mac = table[NDA_LLADDR] && RTA_PAYLOAD(table[NDA_LLADDR]) == sizeof(neighbour->mac);
	if (neighbour->has_mac)
		memcpy(neighbour->mac, RTA_DATA(table[NDA_LLADDR]), sizeof(neighbour->mac));
	return 0;
}

static void forget_neighbours(void *context)
{
	struct neighbour_list *list = context;

	list->count = 0;
}

int vmn_neighbours(uint32_t ifindex, struct vmn_neighbour **neighbours, size_t *count, struct vmn_failure *failure)
{
	struct vmn_request request;
	struct neighbour_list list = {.ifindex = ifindex};
	const struct vmn_exchange exchange = {add_neighbour, forget_neighbours, &list, "list neighbours"};
	struct ndmsg *header = vmn_request_init(&request, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*header));

	header->ndm_family = AF_INET;
	vmn_request_put(&request, NDA_IFINDEX, &ifindex, sizeof(ifindex));
	if (vmn_netlink_exchange(&request, &exchange, failure)) {
		free(list.neighbours);
		return -1;
	}
	*neighbours = list.neighbours;
	*count = list.count;
	return 0;
}

static int change(uint16_t type, uint16_t flags, const struct vmn_neighbour *neighbour, const char *what,
                  struct vmn_failure *failure)
{
	struct vmn_request request;
	const struct vmn_exchange exchange = {.what = what};
	struct ndmsg *header = vmn_request_init(&request, type, (uint16_t)(flags | NLM_F_ACK), sizeof(*header));

	header->ndm_family = AF_INET;
	header->ndm_ifindex = (int)neighbour->ifindex;
	header->ndm_state = type == RTM_NEWNEIGH ? NUD_PERMANENT : 0;
	vmn_request_put(&request, NDA_DST, &neighbour->address_be, sizeof(neighbour->address_be));
	if (type == RTM_NEWNEIGH)
		vmn_request_put(&request, NDA_LLADDR, neighbour->mac, sizeof(neighbour->mac));
	return vmn_netlink_exchange(&request, &exchange, failure);
}

int vmn_neighbour_set(const struct vmn_neighbour *neighbour, struct vmn_failure *failure)
{
	return change(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, neighbour, "set neighbour", failure);
}

int vmn_neighbour_delete(const struct vmn_neighbour *neighbour, struct vmn_failure *failure)
{
	return change(RTM_DELNEIGH, 0, neighbour, "delete neighbour", failure);
}
