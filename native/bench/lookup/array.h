/* SPDX-License-Identifier: Apache-2.0 */
/* The policy in a plain array slot: fast, but an update copies word by word while programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct vmn_policy);
} policy_array SEC(".maps");

static __always_inline const struct vmn_policy *policy_in_force(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&policy_array, &zero);
}
