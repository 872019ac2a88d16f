/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_PINNED_MAP_H
#define VMN_PINNED_MAP_H

#include <stdint.h>

#include "failure.h"

/*
 * Opens a pinned map that has this layout: reading another version's would overrun or mislead. Fails with ENOENT where nothing
 * is pinned, with EPROTO where the map has another layout.
 */
int vmn_pinned_map_open(const char *dir, const char *name, uint32_t type, uint32_t value_bytes, uint32_t entries,
                        struct vmn_failure *failure);

#endif
