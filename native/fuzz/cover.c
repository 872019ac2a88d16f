// SPDX-License-Identifier: Apache-2.0
/* vmn_cover TARGET FOLDER ...: every file of the folders through one target, once; coverage is counted meanwhile. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_BYTES_MAX (1 << 20)

int judge_one_input(const uint8_t *input, size_t bytes);
int sequence_one_input(const uint8_t *input, size_t bytes);
int parse_one_input(const uint8_t *input, size_t bytes);
int policy_one_input(const uint8_t *input, size_t bytes);

static const struct {
	const char *name;
	int (*one_input)(const uint8_t *input, size_t bytes);
} TARGETS[] = {
	{"judge", judge_one_input},
	{"sequence", sequence_one_input},
	{"parse", parse_one_input},
	{"policy", policy_one_input},
};

/* The targets refer to it in their mutators, which do not run here. */
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t length, size_t most)
{
	(void)bytes;
	return length < most ? length : most;
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void run_file(const char *path, int (*one_input)(const uint8_t *input, size_t bytes))
{
	uint8_t *read_bytes = malloc(INPUT_BYTES_MAX), *input;
	FILE *file = fopen(path, "rb");
	size_t bytes;

	if (!read_bytes || !file)
		die(path);
	bytes = fread(read_bytes, 1, INPUT_BYTES_MAX, file);
	fclose(file);
	input = malloc(bytes ? bytes : 1);
	memcpy(input, read_bytes, bytes);
	one_input(input, bytes);
	free(input);
	free(read_bytes);
}

static unsigned long run_folder(const char *folder, int (*one_input)(const uint8_t *input, size_t bytes))
{
	DIR *entries = opendir(folder);
	unsigned long count = 0;
	struct dirent *entry;
	char path[4096];

	if (!entries)
		die(folder);
	while ((entry = readdir(entries))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		run_file(path, one_input);
		count++;
	}
	closedir(entries);
	return count;
}

int main(int argc, char **argv)
{
	unsigned long count = 0;

	for (size_t i = 0; argc > 2 && i < sizeof(TARGETS) / sizeof(TARGETS[0]); i++) {
		if (strcmp(argv[1], TARGETS[i].name))
			continue;
		for (int at = 2; at < argc; at++)
			count += run_folder(argv[at], TARGETS[i].one_input);
		printf("%lu\n", count);
		return 0;
	}
	fprintf(stderr, "usage: vmn_cover judge|sequence|parse|policy FOLDER ...\n");
	return 2;
}
