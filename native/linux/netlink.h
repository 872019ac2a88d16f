/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rtnetlink request and its answers (RFC 3549; rtnetlink(7)). A socket is opened for each request: it belongs to the
 * network namespace the calling thread is in, and there is no state to go stale. The kernel checks our requests
 * strictly (NETLINK_GET_STRICT_CHK) and explains refusals (NETLINK_EXT_ACK).
 */
#ifndef VMN_NETLINK_H
#define VMN_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdint.h>

#include "failure.h"

struct vmn_request {
	union {
		struct nlmsghdr header;
		char bytes[1024];
	};
	int overflow; /* an attribute did not fit: sending it fails */
};

/* Starts a request with a family header of `size` bytes, which is returned zeroed. */
void *vmn_request_init(struct vmn_request *request, uint16_t type, uint16_t flags, size_t size);
void vmn_request_put(struct vmn_request *request, uint16_t type, const void *value, size_t size);
/* What is put between the two stands within one attribute. The first returns where that is, for the second. */
size_t vmn_request_nest(struct vmn_request *request, uint16_t type);
void vmn_request_nest_end(struct vmn_request *request, size_t at);

/* Called for each message of the answer that carries data. Not 0 ends the answer and is returned. */
typedef int (*vmn_answer)(const struct nlmsghdr *message, void *context);

/*
 * Sends a request, hands over its answers and waits for the kernel's word on it. `answer` may be called again from the
 * start when a dump was disturbed by a change: `restart` is called before that. Fails with the kernel's errno; `what`
 * goes in the message.
 */
struct vmn_exchange {
	vmn_answer answer;
	void (*restart)(void *context);
	void *context;
	const char *what;
};
int vmn_netlink_exchange(struct vmn_request *request, const struct vmn_exchange *exchange, struct vmn_failure *failure);

/* Sorts the attributes behind a family header of `size` bytes by type; absent ones are NULL. `limit` is the highest. */
void vmn_attributes(const struct nlmsghdr *message, size_t size, const struct rtattr **table, unsigned int limit);
uint32_t vmn_attribute_u32(const struct rtattr *attribute);

/* Grows an array of elements; NULL when memory is short. Zeroes the new element. */
void *vmn_append(void **array, size_t *count, size_t element_size);

#endif
