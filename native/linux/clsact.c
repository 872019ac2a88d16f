// SPDX-License-Identifier: Apache-2.0
#include "clsact.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netlink.h"

#define KIND "clsact"

_Static_assert(VMN_CLSACT_INGRESS == TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), "ingress");
_Static_assert(VMN_CLSACT_EGRESS == TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), "egress");

/* Which request it was decides what the kernel lacks: the qdisc or the classifier. */
static int exchange_as(const char *call, struct vmn_request *request, const struct vmn_exchange *exchange,
                       struct vmn_failure *failure)
{
	int result = vmn_netlink_exchange(request, exchange, failure);

	if (result)
		snprintf(failure->call, sizeof(failure->call), "%s", call);
	return result;
}

static int take_kind(const struct nlmsghdr *message, void *context)
{
	const struct rtattr *table[TCA_MAX + 1];
	char *kind = context;

	if (message->nlmsg_type != RTM_NEWQDISC)
		return 0;
	vmn_attributes(message, sizeof(struct tcmsg), table, TCA_MAX);
	if (table[TCA_KIND])
		snprintf(kind, IFNAMSIZ, "%.*s", (int)RTA_PAYLOAD(table[TCA_KIND]), (const char *)RTA_DATA(table[TCA_KIND]));
	return 0;
}

/* Kind of the qdisc in the place of clsact, "" when there is none. */
static int qdisc_kind(uint32_t ifindex, char kind[IFNAMSIZ], struct vmn_failure *failure)
{
	struct vmn_failure refusal = {};
	struct vmn_request request;
	const struct vmn_exchange exchange = {take_kind, NULL, kind, "look up the qdisc"};
	/* Without ECHO the kernel answers to everybody but the one who asked. */
	struct tcmsg *header = vmn_request_init(&request, RTM_GETQDISC, NLM_F_ACK | NLM_F_ECHO, sizeof(*header));

	header->tcm_ifindex = (int)ifindex;
	header->tcm_parent = TC_H_CLSACT;
	*kind = '\0';
	if (!exchange_as("rtnetlink(RTM_GETQDISC)", &request, &exchange, &refusal))
		return 0;
	/* EINVAL: the place is there, and nothing in it. */
	if (refusal.error == ENOENT || refusal.error == EINVAL || refusal.error == ENODEV)
		return 0;
	return vmn_fail(failure, refusal.error, refusal.call, "%s", refusal.message);
}

static int make(uint32_t ifindex, struct vmn_failure *failure)
{
	struct vmn_request request;
	const struct vmn_exchange exchange = {.what = "add a clsact qdisc"};
	struct tcmsg *header =
		vmn_request_init(&request, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sizeof(*header));

	header->tcm_ifindex = (int)ifindex;
	header->tcm_parent = TC_H_CLSACT;
	header->tcm_handle = TC_H_MAKE(TC_H_CLSACT, 0);
	vmn_request_put(&request, TCA_KIND, KIND, sizeof(KIND));
	return exchange_as("rtnetlink(RTM_NEWQDISC)", &request, &exchange, failure);
}

int vmn_clsact_make(uint32_t ifindex, struct vmn_failure *failure)
{
	struct vmn_failure refusal = {};
	char kind[IFNAMSIZ];

	if (!make(ifindex, &refusal))
		return 0;
	if (refusal.error != EEXIST)
		return vmn_fail(failure, refusal.error, refusal.call, "%s", refusal.message);
	if (qdisc_kind(ifindex, kind, failure))
		return -1;
	if (strcmp(kind, KIND))
		return vmn_fail(failure, EEXIST, "rtnetlink(RTM_NEWQDISC)",
		                "ifindex %u has a qdisc \"%s\" where clsact belongs", ifindex, kind);
	return 0;
}

struct filter_list {
	struct vmn_clsact_filter *filters;
	size_t count;
};

static void read_options(const struct rtattr *options, struct vmn_clsact_filter *filter)
{
	int left = (int)RTA_PAYLOAD(options);

	for (const struct rtattr *at = RTA_DATA(options); RTA_OK(at, left); at = RTA_NEXT(at, left)) {
		if (at->rta_type == TCA_BPF_ID)
			filter->program_id = vmn_attribute_u32(at);
		else if (at->rta_type == TCA_BPF_TAG && RTA_PAYLOAD(at) >= VMN_TAG_BYTES)
			memcpy(filter->tag, RTA_DATA(at), VMN_TAG_BYTES);
		else if (at->rta_type == TCA_BPF_FLAGS)
			filter->direct_action = vmn_attribute_u32(at) & TCA_BPF_FLAG_ACT_DIRECT;
		else if (at->rta_type == TCA_BPF_NAME)
			snprintf(filter->name, sizeof(filter->name), "%.*s", (int)RTA_PAYLOAD(at), (const char *)RTA_DATA(at));
	}
}

static int add_to_list(const struct nlmsghdr *message, void *context)
{
	const struct tcmsg *header = NLMSG_DATA(message);
	const struct rtattr *table[TCA_MAX + 1];
	struct filter_list *list = context;
	struct vmn_clsact_filter *filter;

	/* Without a handle it is the head of a priority, not a filter. */
	if (message->nlmsg_type != RTM_NEWTFILTER || !header->tcm_handle)
		return 0;
	vmn_attributes(message, sizeof(*header), table, TCA_MAX);
	/* Other chains are only reached from a filter of this one. */
	if (vmn_attribute_u32(table[TCA_CHAIN]))
		return 0;
	filter = vmn_append((void **)&list->filters, &list->count, sizeof(*filter));
	if (!filter)
		return -1;
	filter->handle = header->tcm_handle;
	filter->priority = TC_H_MAJ(header->tcm_info) >> 16;
	filter->all_protocols = TC_H_MIN(header->tcm_info) == htons(ETH_P_ALL);
	if (table[TCA_KIND] && RTA_PAYLOAD(table[TCA_KIND]) >= sizeof("bpf") &&
	    !memcmp(RTA_DATA(table[TCA_KIND]), "bpf", sizeof("bpf")) && table[TCA_OPTIONS])
		read_options(table[TCA_OPTIONS], filter);
	return 0;
}

static void forget_filters(void *context)
{
	struct filter_list *list = context;

	list->count = 0;
}

int vmn_clsact_filters(uint32_t ifindex, uint32_t parent, struct vmn_clsact_filter **filters, size_t *count,
                       struct vmn_failure *failure)
{
	struct filter_list list = {};
	struct vmn_request request;
	const struct vmn_exchange exchange = {add_to_list, forget_filters, &list, "list filters"};
	struct tcmsg *header = vmn_request_init(&request, RTM_GETTFILTER, NLM_F_DUMP, sizeof(*header));
	char kind[IFNAMSIZ];

	*filters = NULL;
	*count = 0;
	if (qdisc_kind(ifindex, kind, failure))
		return -1;
	if (strcmp(kind, KIND))
		return 0;
	header->tcm_ifindex = (int)ifindex;
	header->tcm_parent = parent;
	if (exchange_as("rtnetlink(RTM_GETTFILTER)", &request, &exchange, failure)) {
		free(list.filters);
		return -1;
	}
	*filters = list.filters;
	*count = list.count;
	return 0;
}

static struct tcmsg *start_filter(struct vmn_request *request, uint16_t type, uint16_t flags, uint32_t ifindex,
                                  uint32_t parent, uint32_t handle)
{
	struct tcmsg *header = vmn_request_init(request, type, NLM_F_ACK | flags, sizeof(*header));

	header->tcm_ifindex = (int)ifindex;
	header->tcm_parent = parent;
	header->tcm_handle = handle;
	header->tcm_info = TC_H_MAKE(VMN_CLSACT_PRIORITY << 16, htons(ETH_P_ALL));
	vmn_request_put(request, TCA_KIND, "bpf", sizeof("bpf"));
	return header;
}

static int put(uint16_t flags, const char *what, uint32_t ifindex, uint32_t parent, uint32_t handle, const char *name,
               int program_fd, struct vmn_failure *failure)
{
	const uint32_t direct_action = TCA_BPF_FLAG_ACT_DIRECT;
	const struct vmn_exchange exchange = {.what = what};
	const uint32_t fd = (uint32_t)program_fd;
	struct vmn_request request;
	size_t options;

	start_filter(&request, RTM_NEWTFILTER, flags, ifindex, parent, handle);
	options = vmn_request_nest(&request, TCA_OPTIONS);
	vmn_request_put(&request, TCA_BPF_FD, &fd, sizeof(fd));
	vmn_request_put(&request, TCA_BPF_NAME, name, strlen(name) + 1);
	vmn_request_put(&request, TCA_BPF_FLAGS, &direct_action, sizeof(direct_action));
	vmn_request_nest_end(&request, options);
	return exchange_as("rtnetlink(RTM_NEWTFILTER)", &request, &exchange, failure);
}

int vmn_clsact_add(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *name, int program_fd,
                   struct vmn_failure *failure)
{
	return put(NLM_F_CREATE | NLM_F_EXCL, "add a filter", ifindex, parent, handle, name, program_fd, failure);
}

int vmn_clsact_replace(uint32_t ifindex, uint32_t parent, uint32_t handle, const char *name, int program_fd,
                       struct vmn_failure *failure)
{
	return put(NLM_F_REPLACE, "replace a filter", ifindex, parent, handle, name, program_fd, failure);
}

int vmn_clsact_delete(uint32_t ifindex, uint32_t parent, uint32_t handle, struct vmn_failure *failure)
{
	struct vmn_failure refusal = {};
	struct vmn_request request;
	const struct vmn_exchange exchange = {.what = "delete a filter"};

	/* Handle 0 would be every filter of the priority. */
	if (!handle)
		return vmn_fail(failure, EINVAL, "rtnetlink(RTM_DELTFILTER)", "no handle");
	start_filter(&request, RTM_DELTFILTER, 0, ifindex, parent, handle);
	if (!exchange_as("rtnetlink(RTM_DELTFILTER)", &request, &exchange, &refusal))
		return 0;
	/* EINVAL: the qdisc is gone, and everything on it. */
	if (refusal.error == ENOENT || refusal.error == ENODEV || refusal.error == EINVAL)
		return 0;
	return vmn_fail(failure, refusal.error, refusal.call, "%s", refusal.message);
}
