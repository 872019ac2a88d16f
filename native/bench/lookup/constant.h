/* SPDX-License-Identifier: Apache-2.0 */
/* The policy as constants of the program: the verifier knows every value and removes what they rule out. */
const struct vmn_policy vmn_constant_policy SEC(".rodata.policy");

static __always_inline const struct vmn_policy *policy_in_force(void)
{
	const struct vmn_policy *policy = &vmn_constant_policy;

	/* The values come when the object is loaded: clang must not take the zeros of the source for them. */
	asm volatile("" : "+r"(policy));
	return policy;
}
