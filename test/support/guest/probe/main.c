/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *use;
} commands[] = {
	{"raw", probe_raw, "DEVICE [HEX...]"},
	{"ask", probe_ask, "ADDRESS PORT TIMEOUT_MS [SOURCE_PORT]"},
	{"udp", probe_udp, "ADDRESS PORT [HEX]"},
	{"tcp", probe_tcp, "ADDRESS PORT TIMEOUT_MS"},
	{"scan", probe_scan, "ADDRESS FIRST LAST TIMEOUT_MS"},
	{"ping", probe_ping, "ADDRESS TIMEOUT_MS"},
	{"shell", probe_shell, "DEVICE"},
	{"tsc", probe_tsc, ""},
	{"serve", probe_serve, "udp:PORT|tcp:PORT..."},
};

_Noreturn void probe_die(const char *what)
{
	fprintf(stderr, "guest-probe: %s: %s\n", what, strerror(errno));
	exit(PROBE_ERROR);
}

struct sockaddr_in probe_address(const char *address, const char *port)
{
	struct sockaddr_in to = {.sin_family = AF_INET};
	char *end;
	long number = strtol(port, &end, 10);

	errno = EINVAL;
	if (inet_pton(AF_INET, address, &to.sin_addr) != 1)
		probe_die(address);
	if (*end != '\0' || end == port || number < 0 || number > 65535)
		probe_die(port);
	to.sin_port = htons((uint16_t)number);
	return to;
}

long probe_unhex(const char *hex, uint8_t *bytes, long room)
{
	long length = 0;

	for (; isxdigit((unsigned char)hex[0]) && isxdigit((unsigned char)hex[1]); hex += 2) {
		char pair[3] = {hex[0], hex[1], '\0'};

		if (length == room)
			return -1;
		bytes[length++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return *hex == '\0' || *hex == '\n' ? length : -1;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 2, argv + 2);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(stderr, "guest-probe %s %s\n", commands[i].name, commands[i].use);
	return PROBE_ERROR;
}
