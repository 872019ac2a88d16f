// SPDX-License-Identifier: Apache-2.0
/* A host that cannot cut runs of datagrams, for tests: a build is linked with this in the place of sendmsg. */
#include <errno.h>
#include <sys/socket.h>

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (!message->msg_controllen)
		return __real_sendmsg(fd, message, flags);
	errno = EIO;
	return -1;
}
