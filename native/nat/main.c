// SPDX-License-Identifier: Apache-2.0
/*
 * vmn-nat: the filter and network address translation of one VM, in one ordinary process.
 *
 * Theory of operation.
 *
 *   guest ── QEMU ── Unix socket ──► transport ─► guest_side ─► judge ─► flow_table ─► send_run ──► UDP socket ── endpoint
 *                        ▲                                                                              │
 *                        └────── transport ◄─ guest_out ◄─ judge ◄─ consumer_side ◄─────────────────────┘
 *
 * A frame of the guest is judged by the one filter (vmn/verdict.h) where it was read to. ARP for the gateway is answered; a
 * datagram that passes is sent by the UDP socket of its source port, which is connected to the endpoint. What the endpoint
 * sends back to that socket gets the headers that the guest expects, is judged as a frame towards the guest, and is
 * written to it. Nothing else goes either way: there is no other socket, and no frame that was not judged.
 *
 * Closed. The engine starts without a policy, and without one nothing passes. A policy is swapped between two frames;
 * sockets to who is no endpoint any more are closed with the swap and what was queued for the guest is thrown away. When
 * the process ends, for whatever reason, the guest has nobody to talk to.
 *
 * Bounded. All memory is there at the start: one static engine. Flows, clients and queues have a fixed number of places; the
 * oldest goes. One loop serves everything, each in bursts of a fixed size, so neither direction can starve the other. When
 * the guest does not take its frames, consumers are not listened to until it does, and the kernel drops what they send
 * meanwhile. Errors of the way to the endpoint close the flow's socket and open another one later, after a while that doubles.
 *
 * Confined (confine.h). Sockets come with the command line; after that come no capabilities, files or programs.
 *
 * It outlives whoever started it. Policy, counters and events go over the control socket (vmn/nat_control.h).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "confine.h"
#include "engine.h"
#include "forbidden.h"
#include "loop.h"
#include "sockets.h"

static struct vmn_engine engine;

static int fail(const char *what)
{
	fprintf(stderr, "vmn-nat: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

static int usage(void)
{
	fputs("usage: vmn-nat --control SOCKET --guest SOCKET\n"
	      "  SOCKET is a path, where it listens, or fd:N, a descriptor that was handed over.\n"
	      "  The guest's socket is a stream (QEMU -netdev stream), listening or connected, or datagrams (-netdev "
	      "dgram).\n",
	      stderr);
	return 2;
}

static const char *option(int argc, char **argv, const char *name)
{
	const char *value = NULL;

	for (int i = 1; i + 1 < argc; i += 2)
		if (!strcmp(argv[i], name))
			value = argv[i + 1];
	return value;
}

int main(int argc, char **argv)
{
	const char *control = option(argc, argv, "--control"), *guest = option(argc, argv, "--guest"), *failed;
	int control_fd, guest_fd;

	if (vmn_confine_start(&failed))
		return fail(failed);
	if (!control || !guest || argc != 5 + FORBIDDEN_ARGUMENTS)
		return usage();
	control_fd = vmn_socket_named(control);
	if (control_fd < 0)
		return fail(control);
	guest_fd = vmn_socket_named(guest);
	if (guest_fd < 0)
		return fail(guest);
	vmn_sockets_keep_only(control_fd, guest_fd);
	engine.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (engine.epoll_fd < 0)
		return fail("epoll_create1");
	vmn_flow_table_init(&engine);
	vmn_control_open(&engine, control_fd);
	errno = EPROTOTYPE;
	if (vmn_guest_side_open(&engine, guest_fd))
		return fail(guest);
	if (vmn_confine_run(&failed))
		return fail(failed);
	vmn_try_forbidden(option(argc, argv, "--forbidden"));
	vmn_loop_run(&engine);
	_Exit(EXIT_SUCCESS);
}
