/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that shapes a frame and then runs the filter on it, for what BPF_PROG_TEST_RUN cannot be asked: a VLAN tag
 * beside the frame, a frame of another length than the bytes given (newer kernels refuse an IP frame without a whole IP
 * header, all of them a frame longer than a page).
 */
#ifndef VMN_SHAPING_H
#define VMN_SHAPING_H

#include "failure.h"

struct vmn_shaping {
	int program;  /* takes the length in cb[1] and the tag's VLAN in cb[2]; 0: as it is */
	int programs; /* the array through which it calls the filter; empties itself when it is closed */
};

#define VMN_SHAPING_NONE ((struct vmn_shaping){-1, -1})

int vmn_shaping_load(int filter, struct vmn_shaping *shaping, struct vmn_failure *failure);

void vmn_shaping_close(struct vmn_shaping *shaping);

#endif
