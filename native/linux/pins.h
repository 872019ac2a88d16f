/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a VM's kernel objects are pinned: `<root>/<tap>/NAME`, the names below. While a filter is being replaced the
 * fresh set stands in `<root>/<tap>_next/` (bpffs reserves names with a dot, hence the underscore). The ring buffer of
 * events is shared by all VMs: `<root>/events`.
 */
#ifndef VMN_PINS_H
#define VMN_PINS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "failure.h"

#define VMN_PIN_POLICY_SLOT "policy_slot"
#define VMN_PIN_POLICY "policy"
#define VMN_PIN_POLICY_NEXT "policy_next"
#define VMN_PIN_COUNTERS "counters"
#define VMN_PIN_FROM_VM "from_vm"
#define VMN_PIN_TO_VM "to_vm"
#define VMN_PIN_LINK_FROM_VM "link_from_vm"
#define VMN_PIN_LINK_TO_VM "link_to_vm"
#define VMN_PIN_LINK_FROM_VM_NEXT "link_from_vm_next"
#define VMN_PIN_LINK_TO_VM_NEXT "link_to_vm_next"
#define VMN_PIN_STATE "state"
#define VMN_PIN_TUNNEL "tunnel"
#define VMN_PIN_HOOK "hook"
#define VMN_PIN_EVENTS "events"
#define VMN_NEXT_SUFFIX "_next"

enum vmn_object { VMN_OBJECT_MAP, VMN_OBJECT_PROGRAM, VMN_OBJECT_LINK };

/* `<dir>/<name>` and `<dir>_next`; fail with ENAMETOOLONG. */
int vmn_pin_path(char path[PATH_MAX], const char *dir, const char *name, struct vmn_failure *failure);
int vmn_pin_next_dir(char path[PATH_MAX], const char *dir, struct vmn_failure *failure);
/* `<dirname of dir>/events` */
int vmn_pin_events_path(char path[PATH_MAX], const char *dir, struct vmn_failure *failure);

/*
 * Opens what is pinned. Returns a descriptor, VMN_NOT_PINNED without a failure when nothing is, or -1. In a VM's folder
 * something of another kind is of another version, and counts as nothing; elsewhere it is a failure, EMEDIUMTYPE.
 */
#define VMN_NOT_PINNED (-2)
int vmn_pin_open(const char *dir, const char *name, enum vmn_object kind, struct vmn_failure *failure);
int vmn_pin_open_path(const char *path, enum vmn_object kind, struct vmn_failure *failure);

int vmn_pin(int fd, const char *dir, const char *name, struct vmn_failure *failure);
/* Not being there is success. */
int vmn_unpin(const char *dir, const char *name, struct vmn_failure *failure);
/* Atomic; replaces what was pinned under the new name. */
int vmn_pin_rename(const char *from_dir, const char *from, const char *to_dir, const char *to,
                   struct vmn_failure *failure);

/* The folder, mode 0700; being there already is success. */
int vmn_pin_make_dir(const char *dir, struct vmn_failure *failure);
/* Whether something is pinned under this name in a VM's folder by this version. */
bool vmn_pin_is_ours(const char *name);

/* Unpins all there is, of other versions too, and removes the folder. */
int vmn_pin_remove_dir(const char *dir, struct vmn_failure *failure);

void vmn_close(int *fd);

#endif
