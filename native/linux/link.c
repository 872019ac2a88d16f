// SPDX-License-Identifier: Apache-2.0
#include "link.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"

#define SKIP_STATISTICS (1u << 3) /* RTEXT_FILTER_SKIP_STATS */

struct link_list {
	struct vmn_link *links;
	size_t count;
};

static void copy_text(char *to, size_t size, const struct rtattr *from)
{
	size_t length;

	if (!from)
		return;
	length = strnlen(RTA_DATA(from), RTA_PAYLOAD(from));
	if (length >= size)
		length = size - 1;
	memcpy(to, RTA_DATA(from), length);
	to[length] = '\0';
}

static void copy_kind(struct vmn_link *link, const struct rtattr *info)
{
	const struct rtattr *attribute;
	int left;

	if (!info)
		return;
	left = (int)RTA_PAYLOAD(info);
	for (attribute = RTA_DATA(info); RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if (attribute->rta_type == IFLA_INFO_KIND)
			copy_text(link->kind, sizeof(link->kind), attribute);
}

static void read_link(const struct nlmsghdr *message, struct vmn_link *link)
{
	const struct ifinfomsg *header = NLMSG_DATA(message);
	const struct rtattr *table[IFLA_MAX + 1];

	vmn_attributes(message, sizeof(*header), table, IFLA_MAX);
	link->ifindex = (uint32_t)header->ifi_index;
	link->up = header->ifi_flags & IFF_UP;
	link->mtu = vmn_attribute_u32(table[IFLA_MTU]);
	link->master = vmn_attribute_u32(table[IFLA_MASTER]);
	link->carrier = table[IFLA_CARRIER] && *(const uint8_t *)RTA_DATA(table[IFLA_CARRIER]);
	link->has_mac = table[IFLA_ADDRESS] && RTA_PAYLOAD(table[IFLA_ADDRESS]) == sizeof(link->mac);
	if (link->has_mac)
		memcpy(link->mac, RTA_DATA(table[IFLA_ADDRESS]), sizeof(link->mac));
	copy_text(link->name, sizeof(link->name), table[IFLA_IFNAME]);
	copy_text(link->alias, sizeof(link->alias), table[IFLA_IFALIAS]);
	copy_kind(link, table[IFLA_LINKINFO]);
}

static int add_link(const struct nlmsghdr *message, void *context)
{
	struct link_list *list = context;
	struct vmn_link *link;

	if (message->nlmsg_type != RTM_NEWLINK)
		return 0;
	link = vmn_append((void **)&list->links, &list->count, sizeof(*link));
	if (!link)
		return -1;
	read_link(message, link);
	return 0;
}

static void forget_links(void *context)
{
	struct link_list *list = context;

	list->count = 0;
}

static void ask_for_links(struct vmn_request *request, uint16_t flags)
{
	const uint32_t skip = SKIP_STATISTICS;
	struct ifinfomsg *header = vmn_request_init(request, RTM_GETLINK, flags, sizeof(*header));

	vmn_request_put(request, IFLA_EXT_MASK, &skip, sizeof(skip));
}

int vmn_links(struct vmn_link **links, size_t *count, struct vmn_failure *failure)
{
	struct vmn_request request;
	struct link_list list = {};
	const struct vmn_exchange exchange = {add_link, forget_links, &list, "list interfaces"};

	ask_for_links(&request, NLM_F_DUMP);
	if (vmn_netlink_exchange(&request, &exchange, failure)) {
		free(list.links);
		return -1;
	}
	*links = list.links;
	*count = list.count;
	return 0;
}

static int take_link(const struct nlmsghdr *message, void *context)
{
	if (message->nlmsg_type == RTM_NEWLINK)
		read_link(message, context);
	return 0;
}

int vmn_link_by_name(const char *name, struct vmn_link *link, struct vmn_failure *failure)
{
	struct vmn_request request;
	const struct vmn_exchange exchange = {take_link, NULL, link, name};

	memset(link, 0, sizeof(*link));
	ask_for_links(&request, NLM_F_ACK);
	vmn_request_put(&request, IFLA_IFNAME, name, strlen(name) + 1);
	return vmn_netlink_exchange(&request, &exchange, failure);
}

int vmn_link_set(uint32_t ifindex, const struct vmn_link_change *change, struct vmn_failure *failure)
{
	const uint32_t no_master = 0;
	struct vmn_request request;
	const struct vmn_exchange exchange = {.what = "change interface"};
	struct ifinfomsg *header = vmn_request_init(&request, RTM_NEWLINK, NLM_F_ACK, sizeof(*header));

	header->ifi_index = (int)ifindex;
	if (change->up >= 0) {
		header->ifi_change = IFF_UP;
		header->ifi_flags = change->up ? IFF_UP : 0;
	}
	if (change->mac)
		vmn_request_put(&request, IFLA_ADDRESS, change->mac, 6);
	if (change->alias)
		vmn_request_put(&request, IFLA_IFALIAS, change->alias, strlen(change->alias));
	if (change->leave_master)
		vmn_request_put(&request, IFLA_MASTER, &no_master, sizeof(no_master));
	if (change->mtu)
		vmn_request_put(&request, IFLA_MTU, &change->mtu, sizeof(change->mtu));
	return vmn_netlink_exchange(&request, &exchange, failure);
}

int vmn_link_delete(uint32_t ifindex, struct vmn_failure *failure)
{
	struct vmn_request request;
	const struct vmn_exchange exchange = {.what = "delete interface"};
	struct ifinfomsg *header = vmn_request_init(&request, RTM_DELLINK, NLM_F_ACK, sizeof(*header));

	header->ifi_index = (int)ifindex;
	return vmn_netlink_exchange(&request, &exchange, failure);
}
