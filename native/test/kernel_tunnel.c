// SPDX-License-Identifier: Apache-2.0
/* What the eBPF programs see of a tunnel, against the same messages noted on the host. */
#include <stdlib.h>

#include <bpf/bpf.h>

#include "check.h"
#include "kernel_tests.h"
#include "vmn/tunnel.h"

#define ROUNDS 3000
#define INDICES 4

/* The map's value, as in kernel_filter.c. */
struct guarded {
	uint32_t lock, abi;
	struct vmn_tunnel tunnel;
};

static void read_seen(struct venue *venue, struct vmn_tunnel *seen)
{
	int fd = bpf_object__find_map_fd_by_name(venue->filter.object, "tunnel");
	struct guarded guarded = {0};
	uint32_t zero = 0;

	CHECK_EQUAL(bpf_map_lookup_elem(fd, &zero, &guarded), 0);
	*seen = guarded.tunnel;
}

/* A message through the program, and noted in `expected` if it may pass. */
static void say(struct venue *venue, struct input *input, int direction, uint8_t type, bool stray,
                struct vmn_tunnel *expected)
{
	static const uint32_t bytes[] = {0, 148, 92, 64, 32};
	const struct vmn_meta meta = {.frame_bytes = VMN_UDP_PAYLOAD_OFFSET + bytes[type]};
	struct vmn_message message;
	struct outcome outcome;

	frame_udp(&input->frame, &input->policy, direction, ENDPOINT_ADDRESS, (uint16_t)(ENDPOINT_PORT + stray), type,
	          bytes[type]);
	input->frame.bytes[VMN_UDP_PAYLOAD_OFFSET + 4] = (uint8_t)(rand() % INDICES);
	input->frame.bytes[VMN_UDP_PAYLOAD_OFFSET + 8] = (uint8_t)(rand() % INDICES);
	kernel_filter_run(&venue->filter, direction, input, &outcome);
	CHECK_EQUAL(outcome.error, 0);
	CHECK_EQUAL(outcome.reason == VMN_REASON_ALLOWED, !stray);
	if (!stray && vmn_tunnel_message(&input->policy, &meta, (uint32_t)direction, input->frame.bytes, &message))
		vmn_tunnel_note(expected, &input->policy.endpoint, (uint32_t)direction, &message, monotonic_ns());
}

static void check_same(const struct vmn_tunnel *seen, const struct vmn_tunnel *expected)
{
	for (int i = 0; i <= 1; i++) {
		CHECK_EQUAL(seen->asked[i].last_ns != 0, expected->asked[i].last_ns != 0);
		CHECK_EQUAL(seen->asked[i].sender, expected->asked[i].sender);
		CHECK_EQUAL(seen->data_ns[i] != 0, expected->data_ns[i] != 0);
	}
	CHECK_EQUAL(seen->offered.time_ns != 0, expected->offered.time_ns != 0);
	CHECK_EQUAL(seen->offered.vm_index, expected->offered.vm_index);
	CHECK_EQUAL(seen->session.vm_index, expected->session.vm_index);
	CHECK_EQUAL(seen->session.consumer_index, expected->session.consumer_index);
	CHECK_EQUAL(seen->handshakes, expected->handshakes);
	CHECK_EQUAL(seen->used, expected->used);
}

/* A handshake message and after it one of data each way, which the programs look at whatever the tick is. */
void check_tunnel(struct venue *venue)
{
	struct input input = {.policy = policy_plain()};
	struct vmn_tunnel expected = {0}, seen = {0};

	srand(7);
	/* Nobody spoke with this one before: what was seen begins with it. */
	input.policy.generation = 9000;
	input.policy.guest_address_be = ADDRESS(100, 64, 0, 9);
	venue_set_policy(venue, &input);
	read_seen(venue, &expected);
	for (int i = 0; i < ROUNDS && !check_failure[0]; i++) {
		bool stray = rand() % 16 == 0;

		say(venue, &input, rand() % 2, (uint8_t)(1 + rand() % 2), stray, &expected);

		say(venue, &input, rand() % 2, 3, false, &expected);
		if (!stray) {
			say(venue, &input, VMN_DIRECTION_TO_VM, 4, false, &expected);
			say(venue, &input, VMN_DIRECTION_FROM_VM, 4, false, &expected);
		}
		read_seen(venue, &seen);
		check_same(&seen, &expected);
	}
	CHECK(seen.handshakes > 50);
	check_finish("the tunnel: the programs see of it what the host sees", ", test run");
}
