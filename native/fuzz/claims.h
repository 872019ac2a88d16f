/* SPDX-License-Identifier: Apache-2.0 */
/* What must be so for one frame, whatever it is, in every mode. */
#ifndef VMN_FUZZ_CLAIMS_H
#define VMN_FUZZ_CLAIMS_H

#include "expect.h"

/* Judges the frame under its policy, and under that policy with every mode, audited and not. */
void claim_frame(const struct scene_frame *frame);

#endif
