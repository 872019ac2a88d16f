/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Which dropped frames somebody is told about: the first of each kind, and again after a while. A guest sends as many as
 * it likes; every one is counted, and the few that are told are bounded by the second.
 */
#ifndef VMN_REPORT_H
#define VMN_REPORT_H

#include "vmn/abi.h"
#include "vmn/parse.h"
#include "vmn/reason.h"

enum vmn_report {
	VMN_REPORT_KNOWN, /* told before */
	VMN_REPORT_NEW,
	VMN_REPORT_SUPPRESSED, /* new, but enough was told this second */
};

#define VMN_TUPLE_IPV4_BYTES (VMN_ETHERNET_BYTES + VMN_IPV4_BYTES + 4)

/* Two words to one that looks like chance; the constants are odd and have bits everywhere. */
VMN_INLINE __u32 vmn_mix(__u64 a, __u64 b)
{
	__u64 hash = a * 0x9e3779b97f4a7c15ull ^ (b * 0xc2b2ae3d27d4eb4full >> 7);

	hash ^= hash >> 32;
	return (__u32)(hash * 0xff51afd7ed558ccdull >> 32);
}

VMN_INLINE __u64 vmn_pair(__u32 low, __u32 high)
{
	return low | (__u64)high << 32;
}

/*
 * What makes a frame one of a kind: direction, reason, EtherType, and addresses, protocol and ports, or what stands there.
 * Mixed with the policy's secret, or a guest could hide a frame behind another of its making.
 */
VMN_INLINE __u32 vmn_frame_kind(const struct vmn_policy *policy, __u32 direction, enum vmn_reason reason,
                                const __u8 *data, const __u8 *data_end)
{
	__u64 a = policy ? policy->secret[0] + policy->generation : 0, b = policy ? policy->secret[1] : 0;
	__u32 subject = direction << 8 | reason;

	if (!vmn_holds(data, data_end, VMN_ETHERNET_BYTES))
		return vmn_mix(a, b ^ subject);
	if (vmn_load16(data + 12) != VMN_NET16(VMN_ETHERTYPE_IPV4) || !vmn_holds(data, data_end, VMN_TUPLE_IPV4_BYTES))
		return vmn_mix(a ^ vmn_pair(vmn_load32(data), vmn_load32(data + 4)),
		               b ^ vmn_pair(vmn_load32(data + 8), subject << 16 | vmn_load16(data + 12)));
	data += VMN_ETHERNET_BYTES;
	return vmn_mix(a ^ vmn_pair(vmn_load32(data + 12), vmn_load32(data + 16)),
	               b ^ vmn_pair(vmn_load32(data + 20), subject << 16 | data[9]));
}

VMN_INLINE enum vmn_report vmn_report_due(struct vmn_reports *reports, __u32 fingerprint, __u64 now_ns)
{
	struct vmn_told *told = &reports->told[fingerprint & (VMN_TOLD_SLOTS - 1)];
	__u32 second = (__u32)(now_ns / 1000000000ull) + 1;

	if (told->fingerprint == fingerprint && told->second && second - told->second < VMN_TOLD_AGAIN_SECONDS)
		return VMN_REPORT_KNOWN;
	if (reports->second != second) {
		reports->second = second;
		reports->sent = 0;
	}
	if (reports->sent >= VMN_REPORTS_PER_SECOND)
		return VMN_REPORT_SUPPRESSED;
	reports->sent++;
	told->fingerprint = fingerprint;
	told->second = second;
	return VMN_REPORT_NEW;
}

#endif
