// SPDX-License-Identifier: Apache-2.0
#include "route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"

struct route_list {
	struct vmn_route *routes;
	size_t count;
	uint8_t protocol;
};

static int add_route(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = NLMSG_DATA(message);
	const struct rtattr *table[RTA_MAX + 1];
	struct route_list *list = context;
	struct vmn_route *route;

	if (message->nlmsg_type != RTM_NEWROUTE || header->rtm_type != RTN_UNICAST)
		return 0;
	if (list->protocol && header->rtm_protocol != list->protocol)
		return 0;
	route = vmn_append((void **)&list->routes, &list->count, sizeof(*route));
	if (!route)
		return -1;
	vmn_attributes(message, sizeof(*header), table, RTA_MAX);
	route->destination_be = vmn_attribute_u32(table[RTA_DST]);
	route->ifindex = vmn_attribute_u32(table[RTA_OIF]);
	route->prefix_length = header->rtm_dst_len;
	route->protocol = header->rtm_protocol;
	route->scope = header->rtm_scope;
	return 0;
}

static void forget_routes(void *context)
{
	struct route_list *list = context;

	list->count = 0;
}

int vmn_routes(uint8_t protocol, struct vmn_route **routes, size_t *count, struct vmn_failure *failure)
{
	struct vmn_request request;
	struct route_list list = {.protocol = protocol};
	const struct vmn_exchange exchange = {add_route, forget_routes, &list, "list routes"};
	struct rtmsg *header = vmn_request_init(&request, RTM_GETROUTE, NLM_F_DUMP, sizeof(*header));

	header->rtm_family = AF_INET;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_type = RTN_UNICAST;
	header->rtm_protocol = protocol;
	if (vmn_netlink_exchange(&request, &exchange, failure)) {
		free(list.routes);
		/* The kernel says so when the table was never used. */
		if (failure->error != ENOENT)
			return -1;
		vmn_failure_clear(failure);
		list = (struct route_list){};
	}
	*routes = list.routes;
	*count = list.count;
	return 0;
}

static int change(uint16_t type, uint16_t flags, const struct vmn_route *route, const char *what,
                  struct vmn_failure *failure)
{
	struct vmn_request request;
	const struct vmn_exchange exchange = {.what = what};
	struct rtmsg *header = vmn_request_init(&request, type, (uint16_t)(flags | NLM_F_ACK), sizeof(*header));

	header->rtm_family = AF_INET;
	header->rtm_dst_len = route->prefix_length;
	header->rtm_table = RT_TABLE_MAIN;
	header->rtm_protocol = route->protocol;
	header->rtm_scope = route->scope;
	header->rtm_type = RTN_UNICAST;
	if (route->prefix_length)
		vmn_request_put(&request, RTA_DST, &route->destination_be, sizeof(route->destination_be));
	vmn_request_put(&request, RTA_OIF, &route->ifindex, sizeof(route->ifindex));
	return vmn_netlink_exchange(&request, &exchange, failure);
}

int vmn_route_add(const struct vmn_route *route, struct vmn_failure *failure)
{
	return change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route, "add route", failure);
}

int vmn_route_delete(const struct vmn_route *route, struct vmn_failure *failure)
{
	return change(RTM_DELROUTE, 0, route, "delete route", failure);
}

static int take_way(const struct nlmsghdr *message, void *context)
{
	const struct rtmsg *header = NLMSG_DATA(message);
	const struct rtattr *table[RTA_MAX + 1];
	struct vmn_way *way = context;

	if (message->nlmsg_type != RTM_NEWROUTE)
		return 0;
	vmn_attributes(message, sizeof(*header), table, RTA_MAX);
	way->ifindex = vmn_attribute_u32(table[RTA_OIF]);
	way->gateway_be = vmn_attribute_u32(table[RTA_GATEWAY]);
	way->source_be = vmn_attribute_u32(table[RTA_PREFSRC]);
	/* Broadcast and multicast are no single host either. */
	way->local = header->rtm_type != RTN_UNICAST;
	return 0;
}

int vmn_route_to(uint32_t address_be, struct vmn_way *way, struct vmn_failure *failure)
{
	struct vmn_request request;
	const struct vmn_exchange exchange = {take_way, NULL, way, "look up route"};
	struct rtmsg *header = vmn_request_init(&request, RTM_GETROUTE, NLM_F_ACK, sizeof(*header));

	memset(way, 0, sizeof(*way));
	header->rtm_family = AF_INET;
	header->rtm_dst_len = 32;
	vmn_request_put(&request, RTA_DST, &address_be, sizeof(address_be));
	if (vmn_netlink_exchange(&request, &exchange, failure))
		return -1;
	if (way->ifindex && !if_indextoname(way->ifindex, way->name))
		return vmn_fail(failure, errno, "if_indextoname", "%u", way->ifindex);
	return 0;
}
