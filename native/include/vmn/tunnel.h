/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Whether there is a tunnel, told from the datagrams that pass, without any key.
 *
 * Theory of operation. A WireGuard handshake is an initiation that carries an index of its sender's making, and a response
 * that repeats it as its receiver and brings one of its own; data carries the index of who shall receive it (the WireGuard
 * paper, 5.4). The indices are 32 random bits in the clear, so whoever sees both ways can tell an answer from a stranger's
 * datagram. He cannot tell whether the two agreed on a key: that is theirs alone. So this is a sign and no proof.
 *
 * The guest is not believed. It sends what it likes, a response to the consumer's initiation among it. A handshake counts
 * when the consumer has shown that it took part, by something that the guest alone cannot send:
 *
 *   the VM asked       the consumer's response names the index of the VM's last initiation
 *   the consumer asked the VM's response names the index of the consumer's last initiation, and then data of the consumer
 *                      is for the index that the response brought: a consumer that did not take it never learns to
 *                      send there. An index that the consumer sends to already shows nothing, so it is not taken for one.
 *
 * All of it is of one endpoint. When the policy has another, nothing is known yet.
 */
#ifndef VMN_TUNNEL_H
#define VMN_TUNNEL_H

#include "vmn/plain.h"

/* What is read of a frame: up to the second index of a message. Each message is longer. */
#define VMN_TUNNEL_FRAME_BYTES (VMN_UDP_PAYLOAD_OFFSET + 12)

/* REKEY_ATTEMPT_TIME: who was not answered for so long gives up. Initiations after such a pause are a new attempt. */
#define VMN_WIREGUARD_GIVES_UP_NS 90000000000ull

struct vmn_message {
	__u32 head;
	__u32 sender;   /* of initiation and response */
	__u32 receiver; /* of all but the initiation */
};

/* `head` as in vmn_is_wireguard: whether it may be worth to look closer. */
VMN_INLINE int vmn_is_message_head(__u32 head)
{
	return head == VMN_WIREGUARD_INITIATION || head == VMN_WIREGUARD_RESPONSE || head == VMN_WIREGUARD_DATA;
}

/* A datagram in one piece between the guest and its endpoint. */
VMN_INLINE int vmn_is_with_endpoint(const struct vmn_policy *policy, __u32 direction, const __u8 *frame)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;
	const __u8 *ip = frame + VMN_ETHERNET_BYTES, *udp = ip + VMN_IPV4_BYTES;

	return (vmn_load32(frame + 12) & VMN_PLAIN_TYPE_MASK) == VMN_PLAIN_TYPE &&
	       !(vmn_load16(ip + 6) & VMN_NET16((__u16)~VMN_IPV4_DONT_FRAGMENT)) && ip[9] == VMN_PROTOCOL_UDP &&
	       vmn_load32(ip + (from_vm ? 12 : 16)) == policy->guest_address_be &&
	       vmn_same_endpoint(&policy->endpoint, vmn_load32(ip + (from_vm ? 16 : 12)),
	                         VMN_NET16(vmn_load16(udp + (from_vm ? 2 : 0))));
}

/*
 * The message that a frame which passed begins with; 0: it is none of the endpoint's tunnel. `frame`: its first
 * VMN_TUNNEL_FRAME_BYTES.
 */
VMN_INLINE int vmn_tunnel_message(const struct vmn_policy *policy, const struct vmn_meta *meta, __u32 direction,
                                  const __u8 *frame, struct vmn_message *message)
{
	const __u8 *payload = frame + VMN_UDP_PAYLOAD_OFFSET;
	__u32 total_bytes = VMN_NET16(vmn_load16(frame + VMN_ETHERNET_BYTES + 2));
	__u32 udp_bytes = VMN_NET16(vmn_load16(payload - 4)), bytes;

	if (!vmn_is_with_endpoint(policy, direction, frame))
		return 0;
	/* Not every mode looked at the lengths. */
	if (udp_bytes < VMN_UDP_BYTES || udp_bytes + VMN_IPV4_BYTES != total_bytes ||
	    VMN_ETHERNET_BYTES + total_bytes > vmn_frame_bytes(meta))
		return 0;
	bytes = udp_bytes - VMN_UDP_BYTES;
	if (vmn_is_super_frame(meta) && vmn_segment_bytes(meta) < bytes)
		bytes = vmn_segment_bytes(meta);
	message->head = vmn_load32(payload);
	if (!vmn_is_wireguard(message->head, bytes))
		return 0;
	message->sender = vmn_load32(payload + 4);
	message->receiver = vmn_load32(payload + (message->head == VMN_WIREGUARD_RESPONSE ? 8 : 4));
	return 1;
}

VMN_INLINE void vmn_note_initiation(struct vmn_asked *asked, __u32 sender, __u64 now_ns)
{
	if (!asked->last_ns || now_ns - asked->last_ns >= VMN_WIREGUARD_GIVES_UP_NS)
		asked->first_ns = now_ns;
	asked->last_ns = now_ns;
	asked->sender = sender;
}

VMN_INLINE void vmn_note_handshake(struct vmn_tunnel *tunnel, __u32 vm_index, __u32 consumer_index, __u64 now_ns)
{
	tunnel->session.time_ns = now_ns;
	tunnel->session.vm_index = vm_index;
	tunnel->session.consumer_index = consumer_index;
	tunnel->offered.time_ns = 0;
	tunnel->data_ns[VMN_DIRECTION_FROM_VM] = 0;
	tunnel->data_ns[VMN_DIRECTION_TO_VM] = 0;
	tunnel->handshakes++;
}

/* The consumer shows by its next message to `vm_index` that it has this from the VM, and cannot have it from before. */
VMN_INLINE int vmn_is_fresh(const struct vmn_tunnel *tunnel, __u32 vm_index)
{
	return !(tunnel->has_used && tunnel->used == vm_index) &&
	       !(tunnel->session.time_ns && tunnel->session.vm_index == vm_index);
}

VMN_INLINE void vmn_note_response(struct vmn_tunnel *tunnel, __u32 direction, const struct vmn_message *message,
                                  __u64 now_ns)
{
	int from_vm = direction == VMN_DIRECTION_FROM_VM;
	struct vmn_asked *asked = &tunnel->asked[from_vm ? VMN_DIRECTION_TO_VM : VMN_DIRECTION_FROM_VM];

	if (!asked->last_ns || asked->sender != message->receiver)
		return;
	if (!from_vm) {
		asked->first_ns = 0;
		asked->last_ns = 0;
		vmn_note_handshake(tunnel, message->receiver, message->sender, now_ns);
	} else if (vmn_is_fresh(tunnel, message->sender)) {
		tunnel->offered.time_ns = now_ns;
		tunnel->offered.vm_index = message->sender;
		tunnel->offered.consumer_index = message->receiver;
	}
}

VMN_INLINE void vmn_note_data(struct vmn_tunnel *tunnel, __u32 direction, __u32 receiver, __u64 now_ns)
{
	if (direction == VMN_DIRECTION_TO_VM) {
		tunnel->used = receiver;
		tunnel->has_used = 1;
		if (tunnel->offered.time_ns && tunnel->offered.vm_index == receiver) {
			tunnel->asked[VMN_DIRECTION_TO_VM].first_ns = 0;
			tunnel->asked[VMN_DIRECTION_TO_VM].last_ns = 0;
			vmn_note_handshake(tunnel, receiver, tunnel->offered.consumer_index, now_ns);
		}
	}
	if (tunnel->session.time_ns &&
	    receiver == (direction == VMN_DIRECTION_TO_VM ? tunnel->session.vm_index : tunnel->session.consumer_index))
		tunnel->data_ns[direction] = now_ns;
}

/* One message that passed, later than those before it. */
VMN_INLINE void vmn_tunnel_note(struct vmn_tunnel *tunnel, const struct vmn_endpoint *endpoint, __u32 direction,
                                const struct vmn_message *message, __u64 now_ns)
{
	direction &= 1;
	if (tunnel->endpoint.address_be != endpoint->address_be || tunnel->endpoint.port_be != endpoint->port_be) {
		__builtin_memset(tunnel, 0, sizeof(*tunnel));
		tunnel->endpoint = *endpoint;
	}
	switch (message->head) {
	case VMN_WIREGUARD_INITIATION:
		vmn_note_initiation(&tunnel->asked[direction], message->sender, now_ns);
		break;
	case VMN_WIREGUARD_RESPONSE:
		vmn_note_response(tunnel, direction, message, now_ns);
		break;
	case VMN_WIREGUARD_DATA:
		vmn_note_data(tunnel, direction, message->receiver, now_ns);
		break;
	}
}

#endif
