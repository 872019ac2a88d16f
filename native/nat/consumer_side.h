/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What consumers answer. The socket is connected, so the kernel lets in what the endpoint sent; the frame that it becomes
 * is judged all the same, by the sender that the kernel names. That is not only caution: between getting its port and being
 * connected a socket takes from anybody, and an endpoint may have expired since.
 */
#ifndef VMN_NAT_CONSUMER_SIDE_H
#define VMN_NAT_CONSUMER_SIDE_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

struct vmn_engine;
struct vmn_nat_flow;

#define VMN_RECEIVE_MESSAGES 16
#define VMN_RECEIVE_BYTES 65536

struct vmn_consumer_side {
	struct mmsghdr messages[VMN_RECEIVE_MESSAGES];
	struct iovec places[VMN_RECEIVE_MESSAGES];
	struct sockaddr_in senders[VMN_RECEIVE_MESSAGES];
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} controls[VMN_RECEIVE_MESSAGES];
	uint8_t read[VMN_RECEIVE_MESSAGES][VMN_RECEIVE_BYTES]; /* pages that are never written take no memory */
};

/* One bounded burst. */
void vmn_consumer_side_receive(struct vmn_engine *engine, struct vmn_nat_flow *flow);

#endif
