// SPDX-License-Identifier: Apache-2.0
#include "netlink_watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_A_ROUND 256

static int open_watch(int protocol, uint32_t groups, const char *what, struct vmn_failure *failure)
{
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

	if (fd < 0)
		return vmn_fail(failure, errno, "socket(AF_NETLINK)", "%s", what);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address))) {
		vmn_fail(failure, errno, "bind(AF_NETLINK)", "%s", what);
		close(fd);
		return -1;
	}
	return fd;
}

/*
 * What is told all the time and changes nothing for us. Who asks for a qdisc has the answer told to everybody, and a look at a clsact
 * filter asks: one would follow the other for ever. A neighbour changes its state all day; only that one of IPv4 goes is of interest,
 * and not that a bridge forgets an address.
 */
static int leave_out_noise(int fd, struct vmn_failure *failure)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWQDISC), 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_family)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = {.len = sizeof(steps) / sizeof(steps[0]), .filter = steps};

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)))
		return vmn_fail(failure, errno, "setsockopt(SO_ATTACH_FILTER)", "watch interfaces");
	return 0;
}

int vmn_link_watch_open(struct vmn_failure *failure)
{
	/* A rule says which routes count. A filter of clsact goes without a word about its link, and a setting changes likewise. */
	const uint32_t groups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_NEIGH | RTMGRP_TC |
	                        (1u << (RTNLGRP_IPV4_NETCONF - 1));
	int fd = open_watch(NETLINK_ROUTE, groups, "watch interfaces", failure);

	if (fd >= 0 && leave_out_noise(fd, failure)) {
		close(fd);
		return -1;
	}
	return fd;
}

int vmn_bare_link_watch_open(struct vmn_failure *failure)
{
	return open_watch(NETLINK_ROUTE, RTMGRP_LINK, "watch interfaces", failure);
}

int vmn_nftables_watch_open(struct vmn_failure *failure)
{
	/* The address takes groups as bits, the header numbers them from 1. */
	return open_watch(NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1), "watch nftables", failure);
}

int vmn_netlink_watch_drain(int fd, struct vmn_failure *failure)
{
	char byte;
	int some = 0;

	for (int i = 0; i < MESSAGES_A_ROUND; i++) {
		if (recv(fd, &byte, sizeof(byte), MSG_TRUNC) >= 0 || errno == ENOBUFS) {
			some = 1;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN)
			break;
		return vmn_fail(failure, errno, "recv(AF_NETLINK)", "watch for changes");
	}
	return some;
}
