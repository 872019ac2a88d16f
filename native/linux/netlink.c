// SPDX-License-Identifier: Apache-2.0
#include "netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define RECEIVE_BYTES (64 * 1024) /* the kernel fills at most 32 KiB a message of a dump */
#define DUMP_TRIES 8
#define ANSWER_TIMEOUT_S 5
#define SEQUENCE 1
#define DUMP_DISTURBED 1

#ifndef SOL_NETLINK
#define SOL_NETLINK 270
#endif

void *vmn_request_init(struct vmn_request *request, uint16_t type, uint16_t flags, size_t size)
{
	memset(request, 0, sizeof(*request));
	request->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	request->header.nlmsg_type = type;
	request->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	request->header.nlmsg_seq = SEQUENCE;
	return NLMSG_DATA(&request->header);
}

void vmn_request_put(struct vmn_request *request, uint16_t type, const void *value, size_t size)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);
	struct rtattr attribute = {.rta_len = (uint16_t)RTA_LENGTH(size), .rta_type = type};

	if (at + RTA_SPACE(size) > sizeof(request->bytes)) {
		request->overflow = 1;
		return;
	}
	memcpy(request->bytes + at, &attribute, sizeof(attribute));
	if (size)
		memcpy(request->bytes + at + RTA_LENGTH(0), value, size);
	request->header.nlmsg_len = (uint32_t)(at + RTA_SPACE(size));
}

size_t vmn_request_nest(struct vmn_request *request, uint16_t type)
{
	size_t at = NLMSG_ALIGN(request->header.nlmsg_len);

	vmn_request_put(request, type, NULL, 0);
	return at;
}

void vmn_request_nest_end(struct vmn_request *request, size_t at)
{
	uint16_t length = (uint16_t)(request->header.nlmsg_len - at);

	if (!request->overflow)
		memcpy(request->bytes + at + offsetof(struct rtattr, rta_len), &length, sizeof(length));
}

static int open_socket(struct vmn_failure *failure)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	const int on = 1;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0)
		return vmn_fail(failure, errno, "socket(AF_NETLINK)", "rtnetlink");
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout))) {
		vmn_fail(failure, errno, "setsockopt", "rtnetlink");
		close(fd);
		return -1;
	}
	return fd;
}

static int send_request(int fd, struct vmn_request *request, const struct vmn_exchange *exchange,
                        struct vmn_failure *failure)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	if (request->overflow)
		return vmn_fail(failure, EMSGSIZE, "sendto(AF_NETLINK)", "%s", exchange->what);
	if (sendto(fd, request->bytes, request->header.nlmsg_len, 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return vmn_fail(failure, errno, "sendto(AF_NETLINK)", "%s", exchange->what);
	return 0;
}

/* The kernel's own sentence in an error message, or "". */
static const char *extended_ack(const struct nlmsghdr *message, const struct nlmsgerr *error)
{
	size_t skip = sizeof(*error);
	const char *end = (const char *)message + message->nlmsg_len;
	const char *at;

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return "";
	if (!(message->nlmsg_flags & NLM_F_CAPPED))
		skip += error->msg.nlmsg_len - sizeof(struct nlmsghdr);
	at = (const char *)error + NLMSG_ALIGN(skip);
	while (at + sizeof(struct nlattr) <= end) {
		struct nlattr attribute;

		memcpy(&attribute, at, sizeof(attribute));
		if (attribute.nla_len <= sizeof(attribute) || at + attribute.nla_len > end)
			return "";
		if (attribute.nla_type == NLMSGERR_ATTR_MSG)
			return at[attribute.nla_len - 1] ? "" : at + sizeof(attribute);
		at += NLMSG_ALIGN(attribute.nla_len);
	}
	return "";
}

static int take_error(const struct nlmsghdr *message, const struct vmn_exchange *exchange, struct vmn_failure *failure)
{
	const struct nlmsgerr *error = NLMSG_DATA(message);
	const char *words;

	if (message->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
		return vmn_fail(failure, EBADMSG, "recv(AF_NETLINK)", "%s", exchange->what);
	if (!error->error)
		return 0;
	words = extended_ack(message, error);
	return vmn_fail(failure, -error->error, "rtnetlink", "%s%s%s", exchange->what, *words ? ": " : "", words);
}

/* 0 done, -1 failed, DUMP_DISTURBED start again. */
static int receive(int fd, const struct vmn_exchange *exchange, char *buffer, struct vmn_failure *failure)
{
	int disturbed = 0;

	for (;;) {
		const struct nlmsghdr *message = (const void *)buffer;
		struct sockaddr_nl sender = {};
		socklen_t sender_size = sizeof(sender);
		ssize_t got = recvfrom(fd, buffer, RECEIVE_BYTES, MSG_TRUNC, (struct sockaddr *)&sender, &sender_size);
		unsigned int left;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return vmn_fail(failure, errno == EAGAIN ? ETIMEDOUT : errno, "recv(AF_NETLINK)", "%s", exchange->what);
		if (got > RECEIVE_BYTES)
			return vmn_fail(failure, EMSGSIZE, "recv(AF_NETLINK)", "%s", exchange->what);
		if (sender.nl_pid) /* not the kernel */
			continue;
		for (left = (unsigned int)got; NLMSG_OK(message, left); message = NLMSG_NEXT(message, left)) {
			if (message->nlmsg_seq != SEQUENCE)
				continue;
			if (message->nlmsg_flags & NLM_F_DUMP_INTR)
				disturbed = DUMP_DISTURBED;
			if (message->nlmsg_type == NLMSG_ERROR)
				return take_error(message, exchange, failure);
			if (message->nlmsg_type == NLMSG_DONE) {
				const int *status = NLMSG_DATA(message);

				if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(*status)) && *status < 0)
					return vmn_fail(failure, -*status, "rtnetlink", "%s", exchange->what);
				return disturbed;
			}
			if (exchange->answer && exchange->answer(message, exchange->context))
				return vmn_fail(failure, ENOMEM, "malloc", "%s", exchange->what);
		}
	}
}

int vmn_netlink_exchange(struct vmn_request *request, const struct vmn_exchange *exchange, struct vmn_failure *failure)
{
	char *buffer = malloc(RECEIVE_BYTES);
	int result = DUMP_DISTURBED;

	if (!buffer)
		return vmn_fail(failure, ENOMEM, "malloc", "%s", exchange->what);
	for (int i = 0; i < DUMP_TRIES && result == DUMP_DISTURBED; i++) {
		int fd = open_socket(failure);

		if (fd < 0) {
			result = -1;
			break;
		}
		if (i && exchange->restart)
			exchange->restart(exchange->context);
		result = send_request(fd, request, exchange, failure);
		if (!result)
			result = receive(fd, exchange, buffer, failure);
		close(fd);
	}
	free(buffer);
	if (result == DUMP_DISTURBED)
		return vmn_fail(failure, EINTR, "rtnetlink", "%s: changed each time it was listed", exchange->what);
	return result;
}

void vmn_attributes(const struct nlmsghdr *message, size_t size, const struct rtattr **table, unsigned int limit)
{
	const struct rtattr *attribute = (const void *)((const char *)NLMSG_DATA(message) + NLMSG_ALIGN(size));
	int left = (int)message->nlmsg_len - (int)NLMSG_SPACE(size);

	memset(table, 0, (limit + 1) * sizeof(*table));
	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
		unsigned int type = attribute->rta_type & ~(unsigned int)NLA_F_NESTED;

		if (type <= limit)
			table[type] = attribute;
	}
}

uint32_t vmn_attribute_u32(const struct rtattr *attribute)
{
	uint32_t value = 0;

	if (attribute && RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

void *vmn_append(void **array, size_t *count, size_t element_size)
{
	char *grown = reallocarray(*array, *count + 1, element_size);

	if (!grown)
		return NULL;
	*array = grown;
	memset(grown + *count * element_size, 0, element_size);
	return grown + (*count)++ * element_size;
}
