/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel knows about a loaded program. */
#ifndef VMN_PROGRAM_H
#define VMN_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

/* BPF_TAG_SIZE: what identifies a program's instructions */
#define VMN_TAG_BYTES 8
#define VMN_PROGRAM_MAPS 32

struct vmn_program {
	uint32_t id;
	uint8_t tag[VMN_TAG_BYTES];
	uint32_t maps; /* how many ids follow */
	uint32_t map_ids[VMN_PROGRAM_MAPS];
};

int vmn_program_read(int fd, struct vmn_program *program, struct vmn_failure *failure);

/* Reads the program pinned as `<dir>/<name>`. 1, or 0 when none is pinned there, or -1. */
int vmn_program_read_pin(const char *dir, const char *name, struct vmn_program *program, struct vmn_failure *failure);

/* What its maker called it; empty when it is gone or may not be opened by its id (CAP_SYS_ADMIN). */
#define VMN_PROGRAM_NAME_BYTES 16 /* BPF_OBJ_NAME_LEN */
void vmn_program_name(uint32_t id, char name[VMN_PROGRAM_NAME_BYTES]);

bool vmn_program_uses(const struct vmn_program *program, uint32_t map_id);

/* Id of a map; 0 with a failure. */
uint32_t vmn_map_id(int fd, struct vmn_failure *failure);

#endif
