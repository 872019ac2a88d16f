/* SPDX-License-Identifier: Apache-2.0 */
/* A far end: listens on any number of UDP and TCP ports, answers, and says on standard output what arrived. */
#include "probe.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_LISTENERS 64

/* First byte of every answer, as in WireGuard's handshake response. */
#define ANSWER 2

static int listen_on(const char *word, int *is_tcp)
{
	struct sockaddr_in at;
	int one = 1;
	int sock;

	*is_tcp = strncmp(word, "tcp:", 4) == 0;
	if (!*is_tcp && strncmp(word, "udp:", 4) != 0)
		return -1;
	at = probe_address("0.0.0.0", word + 4);
	sock = socket(AF_INET, *is_tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
	if (sock < 0)
		probe_die("socket");
	setsockopt(sock, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(sock, (struct sockaddr *)&at, sizeof(at)) != 0 || (*is_tcp && listen(sock, 64) != 0))
		probe_die(word);
	return sock;
}

static void say(const char *word, const struct sockaddr_in *from, ssize_t length)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &from->sin_addr, text, sizeof(text));
	printf("%s from %s:%d, %zd bytes\n", word, text, ntohs(from->sin_port), length);
}

static void take_datagram(int sock, const char *word)
{
	uint8_t datagram[65536];
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t length = recvfrom(sock, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, &size);

	if (length < 0)
		return;
	say(word, &from, length);
	if (length == WIREGUARD_INITIATION_BYTES && datagram[0] == 1) {
		/* A handshake response by shape: type 2, 92 bytes, the initiator's index given back (5.4.3). */
		uint8_t response[WIREGUARD_RESPONSE_BYTES] = {ANSWER};

		memcpy(response + 8, datagram + 4, 4);
		sendto(sock, response, sizeof(response), 0, (struct sockaddr *)&from, size);
	} else if (length < 1 || datagram[0] != ANSWER) {
		/* Answers are not answered: two far ends that are tricked into talking to each other stop at once. */
		sendto(sock, (const uint8_t[]){ANSWER}, 1, 0, (struct sockaddr *)&from, size);
	}
}

static void take_connection(int sock, const char *word)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	int connection = accept(sock, (struct sockaddr *)&from, &size);

	if (connection < 0)
		return;
	say(word, &from, 0);
	close(connection);
}

int probe_serve(int argc, char **argv)
{
	struct pollfd waits[MAX_LISTENERS];
	int is_tcp[MAX_LISTENERS];

	if (argc < 1 || argc > MAX_LISTENERS)
		return PROBE_ERROR;
	for (int i = 0; i < argc; i++) {
		waits[i] = (struct pollfd){.fd = listen_on(argv[i], &is_tcp[i]), .events = POLLIN};
		if (waits[i].fd < 0)
			return PROBE_ERROR;
	}
	printf("serving\n");
	while (poll(waits, (nfds_t)argc, -1) > 0)
		for (int i = 0; i < argc; i++) {
			if (waits[i].revents == 0)
				continue;
			if (is_tcp[i])
				take_connection(waits[i].fd, argv[i]);
			else
				take_datagram(waits[i].fd, argv[i]);
		}
	return PROBE_ERROR;
}
