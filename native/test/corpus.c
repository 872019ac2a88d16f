/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the lines: the title, then keys into their struct members, then hex. Each key has one parser in a
 * table; what must hold between keys is checked at the end. test/support/corpus/case-file.ts says the same in TypeScript.
 */
#include "corpus_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FRAME_BYTES (14 + 65535 + 256)

static const struct {
	const char *name;
	enum vmn_reason reason;
} REASONS[] = {
#define ROW(number, symbol, name) {name, VMN_REASON_##symbol},
	VMN_REASONS(ROW)
#undef ROW
};

static const char *const VERDICTS[] = {
	[CORPUS_ALLOW] = "allow",
	[CORPUS_DROP] = "drop",
	[CORPUS_REPLY] = "reply",
};

int corpus_fail(struct reader *reader, const char *format, ...)
{
	int length = snprintf(reader->error, reader->error_bytes, "%s:%u: ", reader->path, reader->line);
	va_list arguments;

	if (length < 0 || (size_t)length >= reader->error_bytes)
		return -1;
	va_start(arguments, format);
	vsnprintf(reader->error + length, reader->error_bytes - length, format, arguments);
	va_end(arguments);
	return -1;
}

int corpus_parse_number(struct reader *reader, const char *text, __u32 max, __u32 *out)
{
	size_t digits = strspn(text, "0123456789");
	unsigned long number = digits > 0 && digits < 10 ? strtoul(text, NULL, 10) : max + 1ul;

	if (text[digits] != '\0' || (text[0] == '0' && digits > 1) || number > max)
		return corpus_fail(reader, "\"%s\"; write a whole number from 0 to %u", text, max);
	*out = number;
	return 0;
}

static int parse_yes(struct reader *reader, const char *text, bool *out)
{
	*out = true;
	return strcmp(text, "yes") == 0 ? 0 : corpus_fail(reader, "\"%s\"; write yes, or leave the line out", text);
}

static int parse_direction(struct reader *reader, const char *text)
{
	if (strcmp(text, "from-vm") == 0)
		reader->out->direction = VMN_DIRECTION_FROM_VM;
	else if (strcmp(text, "to-vm") == 0)
		reader->out->direction = VMN_DIRECTION_TO_VM;
	else
		return corpus_fail(reader, "direction \"%s\"; write from-vm or to-vm", text);
	return 0;
}

static int super_frame(struct reader *reader, enum corpus_super_frame kind)
{
	if (reader->out->super_frame != CORPUS_NO_SUPER_FRAME)
		return corpus_fail(reader, "segments and super-frame; a super-frame is of one kind: keep one of them");
	reader->out->super_frame = kind;
	return 0;
}

static int parse_super_frame(struct reader *reader, const char *text)
{
	if (strcmp(text, "other") != 0)
		return corpus_fail(reader, "super-frame \"%s\"; write other; one of UDP segments is \"segments: N\"", text);
	return super_frame(reader, CORPUS_OTHER_SUPER_FRAME);
}

static int parse_segments(struct reader *reader, const char *text)
{
	return super_frame(reader, CORPUS_UDP_SEGMENTS)
	           ?: corpus_parse_number(reader, text, 65535, &reader->out->segment_bytes);
}

static int parse_tcp_segments(struct reader *reader, const char *text)
{
	return super_frame(reader, CORPUS_TCP_SEGMENTS)
	           ?: corpus_parse_number(reader, text, 65535, &reader->out->segment_bytes);
}

static int parse_expect(struct reader *reader, const char *text)
{
	struct corpus_case *out = reader->out;
	char verdict[8], name[40], audited[8], rest[2];
	int words = sscanf(text, "%7[a-z] %39[A-Za-z0-9] %7[a-z]%1s", verdict, name, audited, rest);
	char again[64];
	size_t i;

	out->audited = words == 3 && strcmp(audited, "audited") == 0;
	snprintf(again, sizeof(again), "%s %s%s", words < 1 ? "" : verdict, words < 2 ? "" : name,
	         out->audited ? " audited" : "");
	if (words < 2 || strcmp(again, text) != 0)
		return corpus_fail(
			reader, "\"%s\"; write \"allow NAME\", \"drop NAME\", \"reply ArpAnswered\" or \"allow NAME audited\"",
			text);
	for (i = 0; i < ARRAY_SIZE(VERDICTS) && strcmp(VERDICTS[i], verdict) != 0; i++)
		;
	if (i == ARRAY_SIZE(VERDICTS))
		return corpus_fail(reader, "verdict \"%s\"; write allow, drop or reply", verdict);
	out->verdict = i;
	for (i = 0; i < ARRAY_SIZE(REASONS); i++) {
		if (strcmp(REASONS[i].name, name) == 0) {
			out->reason = REASONS[i].reason;
			return 0;
		}
	}
	return corpus_fail(reader, "unknown reason \"%s\"; take a name of native/include/vmn/reason.h", name);
}

static int parse_vlan(struct reader *reader, const char *text)
{
	return parse_yes(reader, text, &reader->out->vlan_in_metadata);
}

static int parse_answer(struct reader *reader, const char *text)
{
	return parse_yes(reader, text, &reader->out->own_answer);
}

static int parse_checksum(struct reader *reader, const char *text)
{
	reader->out->has_pending_checksum = true;
	return corpus_parse_number(reader, text, 65535, &reader->out->pending_checksum_at);
}

static const struct {
	const char *name;
	int (*parse)(struct reader *reader, const char *text);
	bool needed;
} KEYS[] = {
	{"direction", parse_direction, true},
	{"policy", corpus_parse_policy, true},
	{"expect", parse_expect, true},
	{"vlan", parse_vlan, false},
	{"answer", parse_answer, false},
	{"checksum-at", parse_checksum, false},
	{"segments", parse_segments, false},
	{"tcp-segments", parse_tcp_segments, false},
	{"super-frame", parse_super_frame, false},
};

static int read_key(struct reader *reader, const char *line)
{
	size_t length = strspn(line, "abcdefghijklmnopqrstuvwxyz-"), i;
	const char *value = line + length + 2;

	if (length == 0 || strncmp(line + length, ": ", 2) != 0 || strchr(" \t", *value) != NULL)
		return corpus_fail(reader, "\"%s\"; write \"key: value\", a comment, or \"frame:\"", line);
	if (strchr(" \t", value[strlen(value) - 1]) != NULL)
		return corpus_fail(reader, "\"%s\"; remove what stands behind the value", line);
	for (i = 0; i < ARRAY_SIZE(KEYS); i++) {
		if (strlen(KEYS[i].name) != length || strncmp(KEYS[i].name, line, length) != 0)
			continue;
		if (reader->seen & 1u << i)
			return corpus_fail(reader, "%s for the second time; keep one of the two lines", KEYS[i].name);
		reader->seen |= 1u << i;
		return KEYS[i].parse(reader, value);
	}
	return corpus_fail(reader, "unknown key \"%.*s\"; see test/support/corpus/README.md", (int)length, line);
}

static int hex_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Digits are counted over all lines: where a line ends means nothing. */
static int read_hex(struct reader *reader, const char *line, size_t *digits)
{
	for (; *line != '\0'; line++) {
		int digit = hex_digit(*line);

		if (*line == ' ')
			continue;
		if (digit < 0)
			return corpus_fail(reader, "'%c' in the frame; write lower-case hex digits and spaces only", *line);
		if (*digits / 2 >= MAX_FRAME_BYTES)
			return corpus_fail(reader, "too many bytes; no frame is over %d", MAX_FRAME_BYTES);
		reader->out->frame[*digits / 2] = reader->out->frame[*digits / 2] << 4 | digit;
		++*digits;
	}
	return 0;
}

/* What must hold between keys. */
static int check(struct reader *reader)
{
	struct corpus_case *out = reader->out;
	bool drops = vmn_is_drop(out->reason);
	bool replies = out->direction == VMN_DIRECTION_FROM_VM && out->reason == VMN_REASON_ARP_ANSWERED;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(KEYS); i++) {
		if (KEYS[i].needed && !(reader->seen & 1u << i))
			return corpus_fail(reader, "no %s; write a line \"%s: ...\"", KEYS[i].name, KEYS[i].name);
	}
	if (out->audited && (out->verdict != CORPUS_ALLOW || !drops))
		return corpus_fail(reader, "audited; it goes with allow and a reason that drops otherwise");
	if (out->audited && !(out->policy.flags & VMN_POLICY_AUDIT))
		return corpus_fail(reader, "audited under a policy that is not; add audit to the policy");
	if (!out->audited && (out->verdict == CORPUS_DROP) != drops)
		return corpus_fail(reader, "the verdict; the reason is one to %s", drops ? "drop" : "allow");
	if ((out->verdict == CORPUS_REPLY) != replies)
		return corpus_fail(reader, "the verdict; from the VM ArpAnswered is a reply, and nothing else is one");
	return 0;
}

/* Behind the "[SB-2] " at the start of `text`; NULL: there is none. */
static const char *skip_id(const char *text)
{
	static const char capitals[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	size_t letters, digits;

	if (*text++ != '[')
		return NULL;
	letters = strspn(text, capitals);
	if ((letters != 2 && letters != 3) || text[letters] != '-')
		return NULL;
	text += letters + 1;
	digits = strspn(text, "0123456789");
	return digits > 0 && strncmp(text + digits, "] ", 2) == 0 ? text + digits + 2 : NULL;
}

static int read_title(struct reader *reader, const char *line)
{
	const char *text = strncmp(line, "# ", 2) == 0 ? skip_id(line + 2) : NULL;
	const char *next;

	while (text != NULL && (next = skip_id(text)) != NULL)
		text = next;
	if (text == NULL || *text == '\0' || *text == ' ')
		return corpus_fail(reader, "no title; begin with \"# [SB-2] What it tries. RFC 791 3.2.\"");
	snprintf(reader->out->title, sizeof(reader->out->title), "%.*s", (int)sizeof(reader->out->title) - 1, line + 2);
	return 0;
}

static int read_lines(struct reader *reader, FILE *file)
{
	unsigned frame_line = 0;
	char *line = NULL;
	size_t room = 0, digits = 0;
	ssize_t length;
	int result = 0;

	while (result == 0 && (length = getline(&line, &room, file)) >= 0) {
		reader->line++;
		if (strlen(line) != (size_t)length || strchr(line, '\r') != NULL)
			result = corpus_fail(reader, "a byte that is no text; end lines with a line feed alone");
		line[strcspn(line, "\n")] = '\0';
		if (result != 0)
			break;
		if (reader->line == 1)
			result = read_title(reader, line);
		else if (frame_line > 0)
			result = read_hex(reader, line, &digits);
		else if (strcmp(line, "frame:") == 0)
			frame_line = reader->line;
		else if (line[0] != '\0' && line[0] != '#')
			result = read_key(reader, line);
	}
	free(line);
	if (result != 0)
		return result;
	if (frame_line == 0)
		return corpus_fail(reader, "no frame; end with a line \"frame:\" and the frame in hex");
	reader->line = frame_line;
	if (digits % 2 != 0)
		return corpus_fail(reader, "half a byte; write every byte with two digits");
	if (digits == 0)
		return corpus_fail(reader, "an empty frame; write at least one byte");
	reader->out->frame_bytes = digits / 2;
	return check(reader);
}

int corpus_read(const char *path, __u64 now_ns, struct corpus_case *out, char *error, size_t error_bytes)
{
	struct reader reader = {.path = path, .now_ns = now_ns, .out = out, .error = error, .error_bytes = error_bytes};
	FILE *file = fopen(path, "r");
	__u8 *exact = NULL;
	int result;

	memset(out, 0, sizeof(*out));
	if (file == NULL)
		return corpus_fail(&reader, "%s; is it there and readable?", strerror(errno));
	out->frame = calloc(MAX_FRAME_BYTES, 1);
	result = out->frame == NULL ? corpus_fail(&reader, "no memory") : read_lines(&reader, file);
	fclose(file);
	if (result == 0 && (exact = malloc(out->frame_bytes)) == NULL)
		result = corpus_fail(&reader, "no memory");
	if (result == 0)
		memcpy(exact, out->frame, out->frame_bytes);
	free(out->frame);
	out->frame = exact;
	return result;
}

void corpus_free(struct corpus_case *corpus_case)
{
	free(corpus_case->frame);
	corpus_case->frame = NULL;
}
