/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a VM's filter where it meets the interface: is our program there, does it run first, and giving it
 * another program without an instant between. Two kinds:
 *
 *   tcx     (Linux 6.6) a link, pinned as `link_from_vm` or `link_to_vm`, holds the program there; hook_tcx.c
 *   clsact  (before)    a tc filter that stays until it is deleted; `hook` says where, and the filter's name or program
 *                       whose it is; hook_clsact.c
 *
 * What is pinned decides the kind; a VM without pins gets the better one that the kernel has.
 */
#ifndef VMN_HOOK_H
#define VMN_HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include "failure.h"
#include "program.h"

enum vmn_hook_kind {
	VMN_HOOK_BEST, /* tcx where the kernel has it */
	VMN_HOOK_TCX,
	VMN_HOOK_CLSACT,
};

struct vmn_direction {
	const char *link_name;
	const char *next_link_name; /* of a link that is about to get that name */
	const char *program_name;
	uint32_t tcx_type;
	uint32_t clsact_parent;
	bool from_vm;
};

extern const struct vmn_direction vmn_directions[2];

enum vmn_hook_state {
	VMN_HOOK_ABSENT,    /* nothing is pinned that would be attached */
	VMN_HOOK_DEFUNCT,   /* something is, and it is attached nowhere */
	VMN_HOOK_HERE,      /* attached to the interface asked about, at this direction's hook */
	VMN_HOOK_ELSEWHERE, /* attached to another interface: one that was renamed, or in another namespace */
};

/* Programs of whoever else is at a hook, in the order in which they run; 0: something that is no program. */
#define VMN_OTHERS 64u
struct vmn_others {
	uint32_t count;
	uint32_t programs[VMN_OTHERS];
};

struct vmn_hook {
	enum vmn_hook_kind kind;
	enum vmn_hook_state state;
	bool ingress;     /* which of the two hooks it is at: what comes in from the tap, that is from the VM */
	bool first;       /* nobody's program runs before it, seen from this network namespace */
	bool revertible;  /* set by vmn_hook_update() */
	uint32_t ifindex; /* what it is attached to; 0 when that is gone or, with clsact, in another namespace */
	uint32_t program_id;
	uint8_t tag[VMN_TAG_BYTES]; /* of the program; zero when only the program itself tells */
	int link;                   /* tcx: the open link; -1 when there is none */
	uint32_t link_id;           /* tcx */
	bool doubled;               /* clsact: a filter of ours that was to go still stands behind it */
	struct vmn_others others;   /* seen from this network namespace */
};

#define VMN_HOOK_NONE ((struct vmn_hook){.link = -1})

/* Folders of the VM's pins and of its replacement under way, and the interface. */
struct vmn_site {
	const char *dir;
	const char *next;
	uint32_t ifindex;
};

/* One that does not fit is left out: it is more than anybody has there. */
static inline void vmn_others_note(struct vmn_others *others, uint32_t program_id)
{
	if (others->count < VMN_OTHERS)
		others->programs[others->count++] = program_id;
}

/* `wanted`, or for VMN_HOOK_BEST the kind that the kernel has. */
int vmn_hook_choose(uint32_t ifindex, enum vmn_hook_kind wanted, enum vmn_hook_kind *kind, struct vmn_failure *failure);

/* What the pins in a folder come to for an interface. Nothing being pinned is no failure. Close it afterwards. */
int vmn_hook_open(const char *dir, const struct vmn_direction *direction, uint32_t ifindex, struct vmn_hook *hook,
                  struct vmn_failure *failure);

/*
 * The same, refusing (EBUSY) a hook that is elsewhere: whoever goes on would give up the pins of a filter that guards an
 * interface which somebody may still be using.
 */
int vmn_hook_open_here(const char *dir, const struct vmn_direction *direction, uint32_t ifindex, struct vmn_hook *hook,
                       struct vmn_failure *failure);

void vmn_hook_close(struct vmn_hook *hook);

/* Once before the first vmn_hook_attach() of a VM; `site->next` need not exist when nothing is pinned yet. */
int vmn_hook_prepare(enum vmn_hook_kind kind, const struct vmn_site *site, struct vmn_failure *failure);

/* Attaches and pins in front of everybody else. 0, or 1 when something of ours stood there and now runs this program. */
int vmn_hook_attach(enum vmn_hook_kind kind, const struct vmn_site *site, const struct vmn_direction *direction,
                    int program, struct vmn_failure *failure);

/* Gives the hook another program, and the first place. What it ran before can be had back if `hook->revertible`. */
int vmn_hook_update(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                    int program, struct vmn_failure *failure);

/* Gives an updated hook its former program back. */
int vmn_hook_revert(struct vmn_hook *hook, const struct vmn_site *site, const struct vmn_direction *direction,
                    int program, struct vmn_failure *failure);

/*
 * Detaches what pins in the folder attach, at once: the pins going would leave a clsact filter there for good and a tcx
 * link for a while. A clsact filter in another network namespace is left alone.
 */
int vmn_hook_detach(const char *dir, const struct vmn_direction *direction, struct vmn_failure *failure);

#endif
