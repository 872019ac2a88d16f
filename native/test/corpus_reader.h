/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the corpus reader share. */
#ifndef VMN_TEST_CORPUS_READER_H
#define VMN_TEST_CORPUS_READER_H

#include "corpus.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

struct reader {
	const char *path;
	unsigned line;
	__u64 now_ns;
	struct corpus_case *out;
	char *error;
	size_t error_bytes;
	unsigned seen; /* bit of each key */
};

/* Puts "file:line: what; remedy" into the reader's error. -1 */
__attribute__((format(printf, 2, 3))) int corpus_fail(struct reader *reader, const char *format, ...);

/* A whole number without leading zeros. */
int corpus_parse_number(struct reader *reader, const char *text, __u32 max, __u32 *out);

/* The words of the key `policy`, into the case's policy. */
int corpus_parse_policy(struct reader *reader, const char *text);

#endif
