// SPDX-License-Identifier: Apache-2.0
/* What libbpf's own printer writes to; see CMakeLists.txt for why it is not `stderr` itself. */
#include <stdio.h>

extern FILE *vmn_libbpf_stderr;
__attribute__((visibility("hidden"))) FILE *vmn_libbpf_stderr;

__attribute__((constructor)) static void point_to_stderr(void)
{
	vmn_libbpf_stderr = stderr;
}
