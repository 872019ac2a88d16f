/* SPDX-License-Identifier: Apache-2.0 */
/* What the checks of vmn_kernel_matrix share: the bed, what was sent and has arrived, and how a check fails. */
#ifndef VMN_TEST_MATRIX_CHECK_H
#define VMN_TEST_MATRIX_CHECK_H

#include "check.h"
#include "hook.h"
#include "matrix_bed.h"

/* How the filter is attached; VMN_HOOK_BEST lets the loader choose. */
extern enum vmn_hook_kind matrix_kind;
extern struct bed matrix_bed;
extern struct bed_count matrix_sent, matrix_arrived;

/* Fails the running check unless the call succeeded; the verifier's log goes to standard error. */
void check_done(int result, struct vmn_failure *failure);

/* The call names its `&failure`. */
#define CHECK_DONE(call_)                \
	do {                                 \
		struct vmn_failure failure = {}; \
		int result_ = (call_);           \
		check_done(result_, &failure);   \
		CHECK_SO_FAR();                  \
	} while (0)

/* The plain policy, or another one that lets the guest talk to the other port instead. */
struct vmn_policy policy_for(enum bed_port port, uint64_t generation);

/* Sends one of each kind and fails the running check unless exactly those arrive. */
void check_only(enum bed_port port);
void check_nothing(void);
void check_everything(void);

/* Programs and policies change while the guest and the host go on sending (matrix_update.c). */
void check_update(void);

#endif
