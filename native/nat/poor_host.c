// SPDX-License-Identifier: Apache-2.0
/*
 * A host that cannot cut runs of datagrams and takes a stream byte by byte, for tests: a build is linked with this in the place
 * of sendmsg.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	const struct iovec *piece = message->msg_iov;

	if (message->msg_controllen) {
		errno = EIO;
		return -1;
	}
	while (!piece->iov_len)
		piece++;
	return send(fd, piece->iov_base, 1, flags);
}
