/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What another version of this program pinned in a VM's folder, under names or of kinds that this one does not know. The
 * folder is ours alone, so all of it is ours, too; and any of it may be what keeps the VM closed. So it goes only when
 * programs of this version run before it, or when the interface is gone.
 */
#ifndef VMN_PINS_OTHER_H
#define VMN_PINS_OTHER_H

#include <stdint.h>

#include "failure.h"

/* 1 when the folder holds something of the kind, 0 when not or when there is no folder. */
int vmn_pins_other_exist(const char *dir, struct vmn_failure *failure);

/* Fails with EBUSY when a tcx link among it is attached to another interface than the one given; 0: to any. */
int vmn_pins_other_refuse_elsewhere(const char *dir, uint32_t ifindex, struct vmn_failure *failure);

/* Folders go with what is in them. */
int vmn_pins_other_remove(const char *dir, struct vmn_failure *failure);

#endif
