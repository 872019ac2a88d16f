/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the functions in this folder fail: they return -1 and fill a `struct vmn_failure`, which the addon turns into a
 * JavaScript error. Nothing here prints, exits or throws.
 */
#ifndef VMN_FAILURE_H
#define VMN_FAILURE_H

struct vmn_failure {
	int error;         /* positive errno, 0 when nothing failed */
	char call[48];     /* system call or library function that failed */
	char message[400]; /* one line: on what, and the kernel's own words (netlink extended ack) if it had any */
	char *log;         /* long detail such as the verifier's log, or NULL; freed by vmn_failure_clear() */
};

/* Fills `failure` and returns -1, so that callers can `return vmn_fail(...)`. The first failure is kept. */
int vmn_fail(struct vmn_failure *failure, int error, const char *call, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Hands a failure on, detail included, and leaves none behind. */
struct vmn_failure vmn_failure_move(struct vmn_failure *failure);

void vmn_failure_clear(struct vmn_failure *failure);

#endif
