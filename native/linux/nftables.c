// SPDX-License-Identifier: Apache-2.0
#include "nftables.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WHAT "the generation of the nftables rule set"
#define ANSWER_TIMEOUT_S 5
#define ANSWER_BYTES 1024

static int ask(int fd, struct vmn_failure *failure)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct {
		struct nlmsghdr header;
		struct nfgenmsg body;
	} request = {
		.header = {.nlmsg_len = sizeof(request),
	               .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN,
	               .nlmsg_flags = NLM_F_REQUEST},
		.body = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
	};

	if (sendto(fd, &request, sizeof(request), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return vmn_fail(failure, errno, "sendto(AF_NETLINK)", WHAT);
	return 0;
}

/* 0 when the message tells it, else the error that it is. */
static int generation_in(const struct nlmsghdr *message, size_t length, uint32_t *generation)
{
	const struct nlmsgerr *error = NLMSG_DATA(message);
	size_t at = NLMSG_LENGTH(sizeof(struct nfgenmsg));

	if (!NLMSG_OK(message, length))
		return EBADMSG;
	if (message->nlmsg_type == NLMSG_ERROR)
		return message->nlmsg_len >= NLMSG_LENGTH(sizeof(*error)) && error->error ? -error->error : EBADMSG;
	if (message->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN))
		return EBADMSG;
	while (at + sizeof(struct nlattr) <= message->nlmsg_len) {
		struct nlattr attribute;
		uint32_t value;

		memcpy(&attribute, (const char *)message + at, sizeof(attribute));
		if (attribute.nla_len < sizeof(attribute) || at + attribute.nla_len > message->nlmsg_len)
			return EBADMSG;
		if (attribute.nla_type == NFTA_GEN_ID && attribute.nla_len == sizeof(attribute) + sizeof(value)) {
			memcpy(&value, (const char *)message + at + sizeof(attribute), sizeof(value));
			*generation = ntohl(value);
			return 0;
		}
		at += NLMSG_ALIGN(attribute.nla_len);
	}
	return EBADMSG;
}

static int hear(int fd, uint32_t *generation, struct vmn_failure *failure)
{
	union {
		struct nlmsghdr header;
		char bytes[ANSWER_BYTES];
	} answer;
	ssize_t got;
	int error;

	do
		got = recv(fd, &answer, sizeof(answer), 0);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return vmn_fail(failure, errno == EAGAIN ? ETIMEDOUT : errno, "recv(AF_NETLINK)", WHAT);
	error = generation_in(&answer.header, (size_t)got, generation);
	return error ? vmn_fail(failure, error, "nfnetlink", WHAT) : 0;
}

int vmn_nftables_generation(uint32_t *generation, struct vmn_failure *failure)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	int result;

	if (fd < 0)
		return vmn_fail(failure, errno, "socket(AF_NETLINK)", WHAT);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)))
		result = vmn_fail(failure, errno, "setsockopt", WHAT);
	else
		result = ask(fd, failure) || hear(fd, generation, failure) ? -1 : 0;
	close(fd);
	return result;
}
