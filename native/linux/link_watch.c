// SPDX-License-Identifier: Apache-2.0
#include "link_watch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGES_A_ROUND 256

int vmn_link_watch_open(struct vmn_failure *failure)
{
	const struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE,
	};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return vmn_fail(failure, errno, "socket(AF_NETLINK)", "watch interfaces");
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address))) {
		vmn_fail(failure, errno, "bind(AF_NETLINK)", "watch interfaces");
		close(fd);
		return -1;
	}
	return fd;
}

int vmn_link_watch_drain(int fd, struct vmn_failure *failure)
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
		return vmn_fail(failure, errno, "recv(AF_NETLINK)", "watch interfaces");
	}
	return some;
}
