/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tester's line into the guest, in C because each process that a shell script would need costs 10 ms under emulation.
 *
 * One command a line, "ID HEX-OF-SCRIPT"; one answer a line, "ID EXIT-CODE HEX-OF-OUTPUT". Hex, so that scripts and
 * outputs may hold anything. A script that a signal ends gives 128 and its number, as in a shell.
 */
#define _GNU_SOURCE /* pipe2 */
#include "probe.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define SCRIPT_ROOM 65536
#define OUTPUT_ROOM 65536

/* Two streams on one line: one stream may not be read and written in turns. */
static void open_line(const char *device, FILE **in, FILE **out)
{
	struct termios settings;

	*in = fopen(device, "r");
	*out = fopen(device, "w");
	if (*in == NULL || *out == NULL)
		probe_die(device);
	if (tcgetattr(fileno(*in), &settings) == 0) {
		cfmakeraw(&settings);
		tcsetattr(fileno(*in), TCSANOW, &settings);
	}
}

/* Runs the script with its output into `output`; returns the number of bytes, and the exit code in `code`. */
static long run(const char *script, uint8_t *output, long room, int *code)
{
	int ends[2];
	long length = 0;
	ssize_t got;
	pid_t child;
	int status;

	if (pipe2(ends, O_CLOEXEC) != 0)
		probe_die("pipe");
	child = fork();
	if (child < 0)
		probe_die("fork");
	if (child == 0) {
		int nothing = open("/dev/null", O_RDONLY);

		dup2(nothing, STDIN_FILENO);
		dup2(ends[1], STDOUT_FILENO);
		dup2(ends[1], STDERR_FILENO);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	/* What does not fit is read and thrown away, or the script would wait for ever. */
	while ((got = read(ends[0], output + length, (size_t)(room - length))) > 0)
		length = length + got < room ? length + got : room - 1;
	close(ends[0]);
	waitpid(child, &status, 0);
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return length;
}

int probe_shell(int argc, char **argv)
{
	static char line[2 * SCRIPT_ROOM + 32];
	static uint8_t script[SCRIPT_ROOM + 1];
	static uint8_t output[OUTPUT_ROOM];
	FILE *in, *out;

	if (argc < 1)
		return PROBE_ERROR;
	open_line(argv[0], &in, &out);
	fprintf(out, "ready\n");
	fflush(out);
	while (fgets(line, sizeof(line), in) != NULL) {
		char *hex = strchr(line, ' ');
		long length, bytes;
		int code;

		if (hex == NULL)
			continue;
		*hex++ = '\0';
		length = probe_unhex(hex, script, SCRIPT_ROOM);
		if (length < 0)
			continue;
		script[length] = '\0';
		bytes = run((const char *)script, output, sizeof(output), &code);
		fprintf(out, "%s %d ", line, code);
		for (long i = 0; i < bytes; i++)
			fprintf(out, "%02x", output[i]);
		fprintf(out, "\n");
		fflush(out);
	}
	return PROBE_ERROR;
}
