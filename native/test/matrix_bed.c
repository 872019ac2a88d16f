// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* unshare */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "link.h"
#include "matrix_bed.h"
#include "neighbour.h"
#include "route.h"

#define TAP_NAME "vmn-matrix"
#define BPFFS "/sys/fs/bpf"
#define SETTLE_MS 2000
#define PAYLOAD_BYTES 148

const uint16_t bed_ports[BED_PORTS] = {ENDPOINT_PORT, ENDPOINT_PORT + 1};

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void must(int result, const struct vmn_failure *failure)
{
	if (!result)
		return;
	fprintf(stderr, "%s: %s: %s\n", failure->call, failure->message, strerror(failure->error));
	exit(2);
}

/* The host's own IPv6 chatter on the tap would be counted too. */
static void silence_ipv6(void)
{
	int file = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);

	if (file < 0)
		return; /* no IPv6 in this kernel */
	if (write(file, "1", 1) != 1)
		die("disable_ipv6");
	close(file);
}

static void enter_namespaces(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		die("namespaces of our own");
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL))
		die("private mounts");
	if (mount("bpf", BPFFS, "bpf", 0, NULL))
		die("a BPF file system of our own");
	silence_ipv6();
}

/* The endpoint is this host: what the guest sends there arrives in our sockets. */
static void add_endpoint_address(void)
{
	struct ifreq request = {.ifr_name = "lo:1"};
	struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
	int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	address->sin_family = AF_INET;
	address->sin_addr.s_addr = ENDPOINT_ADDRESS;
	if (ioctl(socket_, SIOCSIFADDR, &request))
		die("the endpoint's address");
	close(socket_);
}

static void open_tap(struct bed *bed)
{
	struct vmn_policy policy = policy_plain();
	struct vmn_failure failure = {};
	struct vmn_link_change up = {.mac = policy.gateway_mac, .up = 1};
	struct vmn_route route = {.destination_be = GUEST_ADDRESS, .prefix_length = 32, .protocol = 4, .scope = 253};
	struct vmn_neighbour guest = {.address_be = GUEST_ADDRESS, .has_mac = true, .permanent = true};

	must(vmn_tap_create(TAP_NAME, &bed->tap, &failure), &failure);
	must(vmn_link_set(bed->tap.ifindex, &up, &failure), &failure);
	must(vmn_link_set(if_nametoindex("lo"), &(struct vmn_link_change){.up = 1}, &failure), &failure);
	route.ifindex = bed->tap.ifindex;
	must(vmn_route_add(&route, &failure), &failure);
	guest.ifindex = bed->tap.ifindex;
	memcpy(guest.mac, policy.guest_mac, 6);
	must(vmn_neighbour_set(&guest, &failure), &failure);
}

static int open_host_socket(uint16_t port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = ENDPOINT_ADDRESS, .sin_port = htons(port)};
	struct sockaddr_in guest = {.sin_family = AF_INET, .sin_addr.s_addr = GUEST_ADDRESS, .sin_port = htons(GUEST_PORT)};
	int socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (socket_ < 0 || bind(socket_, (struct sockaddr *)&here, sizeof(here)) ||
	    connect(socket_, (struct sockaddr *)&guest, sizeof(guest)))
		die("the endpoint's socket");
	return socket_;
}

void bed_open(struct bed *bed)
{
	enter_namespaces();
	open_tap(bed);
	add_endpoint_address();
	for (int port = 0; port < BED_PORTS; port++)
		bed->host[port] = open_host_socket(bed_ports[port]);
	bed->dir = BPFFS "/" TAP_NAME;
}

int bed_send(struct bed *bed, struct bed_count *sent)
{
	static const uint8_t payload[PAYLOAD_BYTES] = {1};
	struct vmn_policy policy = policy_plain();

	for (int port = 0; port < BED_PORTS; port++) {
		struct frame frame;

		frame_udp(&frame, &policy, VMN_DIRECTION_FROM_VM, ENDPOINT_ADDRESS, bed_ports[port], 1, PAYLOAD_BYTES);
		if (write(bed->tap.fd, frame.bytes, frame.length) < 0)
			return errno;
		sent->frames[VMN_DIRECTION_FROM_VM][port]++;
		/* A datagram that tc drops is sent all the same, as far as the sender is told. */
		if (send(bed->host[port], payload, sizeof(payload), 0) < 0)
			return errno;
		sent->frames[VMN_DIRECTION_TO_VM][port]++;
	}
	return 0;
}

void bed_receive(struct bed *bed, struct bed_count *arrived)
{
	struct frame frame;
	ssize_t bytes;

	for (int port = 0; port < BED_PORTS; port++)
		while (recv(bed->host[port], frame.bytes, sizeof(frame.bytes), 0) >= 0)
			arrived->frames[VMN_DIRECTION_FROM_VM][port]++;
	while ((bytes = read(bed->tap.fd, frame.bytes, sizeof(frame.bytes))) >= AT_PAYLOAD)
		for (int port = 0; port < BED_PORTS; port++)
			if (get16(&frame, AT_UDP_SOURCE) == bed_ports[port])
				arrived->frames[VMN_DIRECTION_TO_VM][port]++;
}

static bool is_all_there(const struct bed_count *arrived, const struct bed_count *expected)
{
	for (int direction = 0; direction <= 1; direction++)
		for (int port = 0; port < BED_PORTS; port++)
			if (arrived->frames[direction][port] < expected->frames[direction][port])
				return false;
	return true;
}

void bed_settle(struct bed *bed, struct bed_count *arrived, const struct bed_count *expected)
{
	struct pollfd readable[] = {{.fd = bed->tap.fd, .events = POLLIN},
	                            {.fd = bed->host[BED_WANTED], .events = POLLIN},
	                            {.fd = bed->host[BED_OTHER], .events = POLLIN}};
	int left_ms = SETTLE_MS;

	bed_receive(bed, arrived);
	for (; left_ms > 0 && !is_all_there(arrived, expected); left_ms -= 10) {
		poll(readable, 3, 10);
		bed_receive(bed, arrived);
	}
}
