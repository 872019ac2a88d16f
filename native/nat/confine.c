// SPDX-License-Identifier: Apache-2.0
#include "confine.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control.h"
#include "flow_table.h"
#include "landlock.h"
#include "system_calls.h"

/* Standard streams, epoll, both listeners, the guest, and one to accept while every place is taken. */
#define OTHER_DESCRIPTORS 8

static int limit(int resource, rlim_t most)
{
	const struct rlimit limits = {most, most};

	return setrlimit((__rlimit_resource_t)resource, &limits);
}

static int limit_all(void)
{
	return limit(RLIMIT_NOFILE, VMN_NAT_FLOWS + VMN_CONTROL_CLIENTS + OTHER_DESCRIPTORS) || limit(RLIMIT_CORE, 0) ||
	               limit(RLIMIT_FSIZE, 0) || limit(RLIMIT_NPROC, 0) || limit(RLIMIT_MEMLOCK, 0)
	           ? -1
	           : 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) && errno != EINVAL)
		return -1;
	return (int)syscall(SYS_capset, &header, none);
}

int vmn_confine_start(const char **failed)
{
	*failed = "PR_SET_NO_NEW_PRIVS";
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	*failed = "seccomp, start";
	return vmn_system_calls_allow(VMN_PHASE_START);
}

int vmn_confine_run(const char **failed)
{
	*failed = "capset";
	if (drop_capabilities())
		return -1;
	*failed = "PR_SET_DUMPABLE";
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -1;
	*failed = "setrlimit";
	if (limit_all())
		return -1;
	*failed = "landlock";
	if (vmn_landlock_everything())
		return -1;
	*failed = "seccomp, run";
	return vmn_system_calls_allow(VMN_PHASE_RUN);
}
