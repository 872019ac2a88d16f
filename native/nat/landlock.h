/* SPDX-License-Identifier: Apache-2.0 */
#ifndef VMN_NAT_LANDLOCK_H
#define VMN_NAT_LANDLOCK_H

/* Denies every access that this kernel's Landlock knows. 0 too where there is none: seccomp denies the calls anyway. */
int vmn_landlock_everything(void);

#endif
