// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "unix_sockets.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h" /* vmn_append() */
#include "process.h"

/* 1, 0, or -1 when it may not be looked at. */
static int is_socket(int folder, const char *fd)
{
	char target[32] = "";

	if (readlinkat(folder, fd, target, sizeof(target) - 1) < 0)
		return errno == EACCES || errno == EPERM ? -1 : 0;
	return !strncmp(target, "socket:", strlen("socket:"));
}

/* False when it has no path. */
static bool ask(int borrowed, struct vmn_unix_socket *socket)
{
	struct sockaddr_un address = {};
	struct ucred peer = {};
	socklen_t size = sizeof(address), flag_size = sizeof(int), peer_size = sizeof(peer);
	int listening = 0;

	if (getsockname(borrowed, (struct sockaddr *)&address, &size) || address.sun_family != AF_UNIX ||
	    size <= offsetof(struct sockaddr_un, sun_path) || !address.sun_path[0])
		return false;
	memcpy(socket->path, address.sun_path, sizeof(address.sun_path));
	if (!getsockopt(borrowed, SOL_SOCKET, SO_ACCEPTCONN, &listening, &flag_size))
		socket->listening = listening;
	if (!getsockopt(borrowed, SOL_SOCKET, SO_PEERCRED, &peer, &peer_size))
		socket->peer_pid = peer.pid;
	return true;
}

static int read_socket(int process, const char *fd, struct vmn_unix_socket **sockets, size_t *count,
                       struct vmn_failure *failure)
{
	struct vmn_unix_socket socket = {}, *added;
	int borrowed = vmn_process_borrow(process, atoi(fd));
	bool has_path;

	if (borrowed < 0)
		return errno == EPERM || errno == EACCES ? vmn_fail(failure, errno, "pidfd_getfd", "descriptor %s", fd) : 0;
	has_path = ask(borrowed, &socket);
	close(borrowed);
	if (!has_path)
		return 0;
	added = vmn_append((void **)sockets, count, sizeof(*added));
	if (!added)
		return vmn_fail(failure, ENOMEM, "malloc", "descriptor %s", fd);
	*added = socket;
	return 0;
}

int vmn_unix_sockets(int pid, struct vmn_unix_socket **sockets, size_t *count, struct vmn_failure *failure)
{
	struct vmn_process process;
	const struct dirent *entry;
	int result = 0;

	*sockets = NULL;
	*count = 0;
	if (vmn_process_look(pid, &process, failure))
		return -1;
	while (!result && (entry = readdir(process.descriptors))) {
		int is_one = entry->d_name[0] == '.' ? 0 : is_socket(dirfd(process.descriptors), entry->d_name);

		if (is_one < 0)
			result = vmn_fail(failure, errno, "readlinkat", "/proc/%d/fd/%s", pid, entry->d_name);
		else if (is_one)
			result = read_socket(process.pidfd, entry->d_name, sockets, count, failure);
	}
	vmn_process_leave(&process);
	if (result)
		free(*sockets);
	return result;
}
