/* SPDX-License-Identifier: Apache-2.0 */
/* The policy in a hash map of all VMs, as many filters have it: swapped whole, but found by hashing. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_RDONLY_PROG);
	__type(key, __u32);
	__type(value, struct vmn_policy);
} policy_hash SEC(".maps");

static __always_inline const struct vmn_policy *policy_in_force(void)
{
	__u32 key = 0;

	return bpf_map_lookup_elem(&policy_hash, &key);
}
