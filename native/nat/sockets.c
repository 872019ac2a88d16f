// SPDX-License-Identifier: Apache-2.0
#include "sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int handed_over(const char *number)
{
	char *end;
	long fd = strtol(number, &end, 10);
	int flags;

	if (*end || end == number || fd < 3 || fd > 1023) {
		errno = EINVAL;
		return -1;
	}
	flags = fcntl((int)fd, F_GETFL);
	if (flags < 0 || fcntl((int)fd, F_SETFL, flags | O_NONBLOCK))
		return -1;
	return (int)fd;
}

/* A socket that nobody listens to: what a run that has ended left behind. */
static int is_left_over(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int refused = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return refused;
}

static int bind_path(int fd, const struct sockaddr_un *address)
{
	if (!bind(fd, (const struct sockaddr *)address, sizeof(*address)))
		return 0;
	if (errno != EADDRINUSE)
		return -1;
	if (!is_left_over(address)) {
		errno = EADDRINUSE;
		return -1;
	}
	if (unlink(address->sun_path))
		return -1;
	return bind(fd, (const struct sockaddr *)address, sizeof(*address));
}

static int listening_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error;

	if (!*path || strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	umask(0177);
	if (!bind_path(fd, &address) && !listen(fd, 4))
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int vmn_socket_named(const char *name)
{
	return strncmp(name, "fd:", 3) ? listening_at(name) : handed_over(name + 3);
}

void vmn_sockets_keep_only(int one, int other)
{
	unsigned int low = (unsigned int)(one < other ? one : other), high = (unsigned int)(one < other ? other : one);

	if (low > 3)
		close_range(3, low - 1, 0);
	if (high > low + 1)
		close_range(low + 1, high - 1, 0);
	close_range(high + 1, ~0u, 0);
}
