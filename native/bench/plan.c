// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE /* getline */
#include <stdbool.h>

#include "failure.h"
#include "plan.h"

static int nibble(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return -1;
}

static uint32_t read_hex(const char *text, uint8_t *bytes, uint32_t room)
{
	uint32_t length = 0;

	for (; *text; text += 2) {
		if (length == room || nibble(text[0]) < 0 || nibble(text[1]) < 0)
			bench_fail("bytes that are not hex or too many:", text);
		bytes[length++] = (uint8_t)(nibble(text[0]) << 4 | nibble(text[1]));
	}
	return length;
}

static void read_word(const char *text, char *word)
{
	if (strlen(text) >= PLAN_WORD_BYTES)
		bench_fail("too long:", text);
	strcpy(word, text);
}

static uint32_t read_number(const char *text, char **end)
{
	unsigned long number = strtoul(text, end, 10);

	if (*end == text || number > UINT32_MAX)
		bench_fail("not a number:", text);
	return (uint32_t)number;
}

static void read_slots(const char *text, struct subject *subject)
{
	char *at = (char *)text;

	do {
		if (subject->slot_count == PLAN_SLOTS_MAX)
			bench_fail("too many slots:", text);
		subject->slots[subject->slot_count++] = read_number(at + (*at == ','), &at);
	} while (*at == ',');
}

static void read_frame(const char *text, struct subject *subject)
{
	subject->frame = malloc(PLAN_FRAME_BYTES);
	if (!subject->frame)
		bench_fail("memory", NULL);
	subject->frame_bytes = read_hex(text, subject->frame, PLAN_FRAME_BYTES);
}

static void read_pair(const char *key, const char *value, struct subject *subject)
{
	char *end;

	if (!strcmp(key, "name"))
		read_word(value, subject->name);
	else if (!strcmp(key, "object"))
		read_word(value, subject->object);
	else if (!strcmp(key, "program"))
		read_word(value, subject->program);
	else if (!strcmp(key, "device"))
		read_word(value, subject->device);
	else if (!strcmp(key, "sink"))
		read_word(value, subject->sink);
	else if (!strcmp(key, "netns"))
		read_word(value, subject->netns);
	else if (!strcmp(key, "policy"))
		subject->policy_bytes = read_hex(value, subject->policy, PLAN_POLICY_BYTES);
	else if (!strcmp(key, "frame"))
		read_frame(value, subject);
	else if (!strcmp(key, "slots"))
		read_slots(value, subject);
	else if (!strcmp(key, "segment"))
		subject->segment_bytes = read_number(value, &end);
	else if (!strcmp(key, "written"))
		subject->written = read_number(value, &end);
	else
		bench_fail("unknown key:", key);
}

int plan_read(struct subject *subjects)
{
	size_t room = 0;
	char *line = NULL;
	int count = 0;

	while (getline(&line, &room, stdin) > 0) {
		char *save, *word = strtok_r(line, " \n", &save);

		if (!word)
			continue;
		if (count == PLAN_SUBJECTS_MAX)
			bench_fail("too many subjects", NULL);
		memset(&subjects[count], 0, sizeof(subjects[count]));
		for (; word; word = strtok_r(NULL, " \n", &save)) {
			char *equals = strchr(word, '=');

			if (!equals)
				bench_fail("not key=value:", word);
			*equals = '\0';
			read_pair(word, equals + 1, &subjects[count]);
		}
		if (!subjects[count].name[0] || !subjects[count].frame_bytes)
			bench_fail("a subject without name or frame", NULL);
		count++;
	}
	free(line);
	return count;
}

uint32_t plan_option(int argc, char **argv, const char *name)
{
	char *end;

	for (int i = 1; i + 1 < argc; i += 2) {
		uint32_t number = read_number(argv[i + 1], &end);

		if (!strcmp(argv[i], name) && number)
			return number;
	}
	bench_fail("missing option", name);
}
