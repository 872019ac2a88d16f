/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel itself says about our filter, asked past the loader that is on trial. */
#ifndef VMN_TEST_MATRIX_KERNEL_H
#define VMN_TEST_MATRIX_KERNEL_H

#include <stdint.h>

/* How the interface is filtered in both directions: "tcx", "clsact", or "none"; "both" would be one too many. */
const char *kernel_hook(uint32_t ifindex);

/* Instructions that the verifier looked at, 0 where the kernel does not say (before 5.16). */
uint32_t kernel_verified(int program);

#endif
