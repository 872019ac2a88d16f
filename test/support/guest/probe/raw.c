/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Room for a jumbo frame and then some: the device refuses what it cannot carry, we do not. */
#define FRAME_ROOM 65536

static int send_frame(int sock, const char *hex)
{
	static uint8_t frame[FRAME_ROOM];
	long length = probe_unhex(hex, frame, sizeof(frame));

	if (length < 0) {
		fprintf(stderr, "guest-probe: not hex: %.40s\n", hex);
		return PROBE_ERROR;
	}
	if (length > 0 && send(sock, frame, (size_t)length, 0) != length) {
		perror("guest-probe: send");
		return PROBE_NO;
	}
	return PROBE_YES;
}

int probe_raw(int argc, char **argv)
{
	static char line[2 * FRAME_ROOM + 2];
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int worst = PROBE_YES;
	int sock;

	if (argc < 1)
		return PROBE_ERROR;
	to.sll_ifindex = (int)if_nametoindex(argv[0]);
	if (to.sll_ifindex == 0)
		probe_die(argv[0]);
	/* Protocol 0: this socket only sends, nothing is queued on it. */
	sock = socket(AF_PACKET, SOCK_RAW, 0);
	if (sock < 0 || bind(sock, (struct sockaddr *)&to, sizeof(to)) != 0)
		probe_die("packet socket");
	for (int i = 1; i < argc; i++) {
		int result = send_frame(sock, argv[i]);

		worst = result > worst ? result : worst;
	}
	while (argc == 1 && fgets(line, sizeof(line), stdin) != NULL) {
		int result = send_frame(sock, line);

		worst = result > worst ? result : worst;
	}
	return worst;
}
