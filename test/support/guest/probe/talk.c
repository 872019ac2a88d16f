/* SPDX-License-Identifier: Apache-2.0 */
/* The attempts that go through the kernel's own stack: UDP, TCP, ICMP, port scan. */
#include "probe.h"

#include <errno.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_SCAN 1024

static int remaining_ms(const struct timespec *start, int timeout_ms)
{
	struct timespec now;
	long passed;

	clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
	return passed >= timeout_ms ? 0 : timeout_ms - (int)passed;
}

static int udp_socket(const struct sockaddr_in *to, const char *source_port)
{
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (sock < 0)
		probe_die("socket");
	if (source_port != NULL) {
		struct sockaddr_in from = probe_address("0.0.0.0", source_port);

		if (bind(sock, (struct sockaddr *)&from, sizeof(from)) != 0)
			probe_die("bind");
	}
	if (connect(sock, (const struct sockaddr *)to, sizeof(*to)) != 0) {
		perror("guest-probe: connect");
		exit(PROBE_NO);
	}
	return sock;
}

int probe_ask(int argc, char **argv)
{
	uint8_t initiation[WIREGUARD_INITIATION_BYTES];
	uint8_t answer[2048];
	struct sockaddr_in to;
	struct pollfd wait = {.events = POLLIN};
	ssize_t length;

	if (argc < 3)
		return PROBE_ERROR;
	to = probe_address(argv[0], argv[1]);
	if (getrandom(initiation, sizeof(initiation), 0) != sizeof(initiation))
		probe_die("getrandom");
	/* Message type 1 and three reserved zero bytes (WireGuard paper, 5.4.2). */
	memcpy(initiation, (const uint8_t[]){1, 0, 0, 0}, 4);
	wait.fd = udp_socket(&to, argc > 3 ? argv[3] : NULL);
	if (send(wait.fd, initiation, sizeof(initiation), 0) != sizeof(initiation)) {
		perror("guest-probe: send");
		return PROBE_NO;
	}
	if (poll(&wait, 1, atoi(argv[2])) != 1 || (length = recv(wait.fd, answer, sizeof(answer), 0)) < 0) {
		printf("no answer\n");
		return PROBE_NO;
	}
	printf("answered: %zd bytes, type %d\n", length, length > 0 ? answer[0] : -1);
	return PROBE_YES;
}

int probe_udp(int argc, char **argv)
{
	uint8_t payload[2048] = "guest-probe";
	long length = 11;
	struct sockaddr_in to;

	if (argc < 2)
		return PROBE_ERROR;
	to = probe_address(argv[0], argv[1]);
	if (argc > 2)
		length = probe_unhex(argv[2], payload, sizeof(payload));
	if (length < 0)
		return PROBE_ERROR;
	if (send(udp_socket(&to, NULL), payload, (size_t)length, 0) != length) {
		perror("guest-probe: send");
		return PROBE_NO;
	}
	return PROBE_YES;
}

/* Starts a connection; returns its socket, or -1 when the stack refuses at once. */
static int start_connect(const struct sockaddr_in *to)
{
	int sock = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (sock < 0)
		probe_die("socket");
	if (connect(sock, (const struct sockaddr *)to, sizeof(*to)) == 0 || errno == EINPROGRESS)
		return sock;
	close(sock);
	return -1;
}

static int connected(int sock)
{
	int error = 0;
	socklen_t size = sizeof(error);

	return getsockopt(sock, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

int probe_tcp(int argc, char **argv)
{
	struct sockaddr_in to;
	struct pollfd wait = {.events = POLLOUT};

	if (argc < 3)
		return PROBE_ERROR;
	to = probe_address(argv[0], argv[1]);
	wait.fd = start_connect(&to);
	if (wait.fd < 0 || poll(&wait, 1, atoi(argv[2])) != 1 || !connected(wait.fd)) {
		printf("not connected\n");
		return PROBE_NO;
	}
	printf("connected\n");
	return PROBE_YES;
}

int probe_scan(int argc, char **argv)
{
	static struct pollfd waits[MAX_SCAN];
	int first, last, open_ports = 0, timeout_ms;
	struct timespec start;

	if (argc < 4)
		return PROBE_ERROR;
	first = atoi(argv[1]);
	last = atoi(argv[2]);
	timeout_ms = atoi(argv[3]);
	if (first < 1 || last > 65535 || last < first || last - first >= MAX_SCAN)
		return PROBE_ERROR;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int port = first; port <= last; port++) {
		char word[8];
		struct sockaddr_in to;
		int sock;

		snprintf(word, sizeof(word), "%d", port);
		to = probe_address(argv[0], word);
		sock = udp_socket(&to, NULL);
		(void)!send(sock, "scan", 4, 0);
		close(sock);
		waits[port - first] = (struct pollfd){.fd = start_connect(&to), .events = POLLOUT};
	}
	while (remaining_ms(&start, timeout_ms) > 0 &&
	       poll(waits, (nfds_t)(last - first + 1), remaining_ms(&start, timeout_ms)) > 0) {
		for (int port = first; port <= last; port++) {
			struct pollfd *wait = &waits[port - first];

			if (wait->fd < 0 || wait->revents == 0)
				continue;
			if (connected(wait->fd)) {
				printf("open %d\n", port);
				open_ports++;
			}
			close(wait->fd);
			wait->fd = -1;
		}
	}
	printf("%d open\n", open_ports);
	return open_ports > 0 ? PROBE_YES : PROBE_NO;
}

static uint16_t internet_checksum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

int probe_ping(int argc, char **argv)
{
	struct {
		struct icmphdr header;
		uint8_t payload[56];
	} request = {.header = {.type = ICMP_ECHO}};
	uint8_t answer[2048];
	struct sockaddr_in to;
	struct timespec start;
	struct pollfd wait = {.events = POLLIN};

	if (argc < 2)
		return PROBE_ERROR;
	to = probe_address(argv[0], "0");
	request.header.un.echo.id = htons((uint16_t)getpid());
	request.header.checksum = internet_checksum((const uint8_t *)&request, sizeof(request));
	wait.fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (wait.fd < 0)
		probe_die("raw socket");
	if (sendto(wait.fd, &request, sizeof(request), 0, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("guest-probe: sendto");
		return PROBE_NO;
	}
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (int left = atoi(argv[1]); left > 0; left = remaining_ms(&start, atoi(argv[1]))) {
		ssize_t length;
		size_t at;

		if (poll(&wait, 1, left) != 1 || (length = recv(wait.fd, answer, sizeof(answer), 0)) < 20)
			break;
		at = (size_t)(answer[0] & 15) * 4;
		if ((size_t)length >= at + 8 && answer[at] == ICMP_ECHOREPLY &&
		    memcmp(answer + at + 4, &request.header.un.echo.id, 2) == 0) {
			printf("answered\n");
			return PROBE_YES;
		}
	}
	printf("no answer\n");
	return PROBE_NO;
}
