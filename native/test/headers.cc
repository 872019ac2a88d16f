// SPDX-License-Identifier: Apache-2.0
// The filter's headers are C, and the addon is C++: this translation unit only has to compile.
#include "vmn/abi.h"
#include "vmn/arp.h"
#include "vmn/bytes.h"
#include "vmn/checksum.h"
#include "vmn/frame.h"
#include "vmn/nat.h"
#include "vmn/nat_control.h"
#include "vmn/parse.h"
#include "vmn/reason.h"
#include "vmn/report.h"
#include "vmn/verdict.h"
#include "vmn/wireguard.h"

extern "C" int vmn_headers_cxx_judge(const vmn_policy *policy, const vmn_meta *meta, const __u8 *data,
                                     const __u8 *data_end)
{
	return vmn_judge(policy, meta, VMN_DIRECTION_FROM_VM, data, data_end).reason +
	       vmn_judge(policy, meta, VMN_DIRECTION_TO_VM, data, data_end).reason;
}
