/* SPDX-License-Identifier: Apache-2.0 */
/* A build for tests does by itself what an attacker inside of it would: one system call that it should not live to see end. */
#ifndef VMN_NAT_FORBIDDEN_H
#define VMN_NAT_FORBIDDEN_H

#ifdef VMN_TRY_FORBIDDEN
#define FORBIDDEN_ARGUMENTS 2
void vmn_try_forbidden(const char *name);
#else
#define FORBIDDEN_ARGUMENTS 0
static inline void vmn_try_forbidden(const char *name)
{
	(void)name;
}
#endif

#endif
