/* SPDX-License-Identifier: Apache-2.0 */
/* A benchmark that cannot measure says why and ends: half a result is none. */
#ifndef VMN_BENCH_FAILURE_H
#define VMN_BENCH_FAILURE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void __attribute__((noreturn)) bench_fail(const char *what, const char *which)
{
	fprintf(stderr, "%s%s%s: %s\n", what, which ? " " : "", which ? which : "",
	        errno ? strerror(errno) : "wrong input");
	exit(2);
}

#endif
