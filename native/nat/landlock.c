// SPDX-License-Identifier: Apache-2.0
#include "landlock.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As of ABI 6; the build machine's <linux/landlock.h> may be older than the kernel that this meets. */
struct ruleset {
	uint64_t files, network, scopes;
};

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
#define ASK_VERSION 1u

/* How many kinds of access to files each ABI knows. */
static const unsigned int file_kinds[] = {[1] = 13, [2] = 14, [3] = 15, [4] = 15, [5] = 16, [6] = 16};
#define NEWEST 6

int vmn_landlock_everything(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, ASK_VERSION);
	struct ruleset denied = {0};
	int fd, result;

	if (abi < 1)
		return 0;
	if (abi > NEWEST)
		abi = NEWEST;
	denied.files = (1ull << file_kinds[abi]) - 1;
	denied.network = abi >= 4 ? 3 : 0; /* bind and connect of TCP */
	denied.scopes = abi >= 6 ? 3 : 0;  /* abstract Unix sockets and signals of others */
	fd = (int)syscall(SYS_landlock_create_ruleset, &denied, sizeof(uint64_t) * (abi >= 6 ? 3 : abi >= 4 ? 2 : 1), 0);
	if (fd < 0)
		return -1;
	result = (int)syscall(SYS_landlock_restrict_self, fd, 0);
	close(fd);
	return result;
}
