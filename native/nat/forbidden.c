// SPDX-License-Identifier: Apache-2.0
#include "forbidden.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

struct attempt {
	const char *name;
	long number, arguments[4];
};

/* One of each class. The first is allowed, so that the others can be seen to differ from it. */
static const struct attempt attempts[] = {
	{"udp-socket", SYS_socket, {AF_INET, SOCK_DGRAM, 0}},
	{"tcp-socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}},
	{"raw-socket", SYS_socket, {AF_INET, SOCK_RAW, 255}},
	{"icmp-socket", SYS_socket, {AF_INET, SOCK_DGRAM, 1}},
	{"unix-socket", SYS_socket, {AF_UNIX, SOCK_DGRAM, 0}},
	{"ipv6-socket", SYS_socket, {AF_INET6, SOCK_DGRAM, 0}},
	{"netlink-socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
	{"bind", SYS_bind, {0, 0, 0}},
	{"open", SYS_openat, {-100, (long)"/etc/passwd", 0}},
	{"execute", SYS_execve, {(long)"/bin/true", 0, 0}},
	{"clone", SYS_clone, {17, 0, 0}},
	{"map", SYS_mmap, {0, 4096, 7, 0x22}},
	{"protect", SYS_mprotect, {0, 4096, 7}},
	{"trace", SYS_ptrace, {0, 0, 0}},
	{"signal-others", SYS_kill, {1, 0}},
	{"read-others", SYS_process_vm_readv, {1, 0, 0, 0}},
	{"mount", SYS_mount, {0, 0, 0, 0}},
	{"unshare", SYS_unshare, {0x10000000}},
	{"become-root", SYS_setuid, {0}},
	{"bpf", SYS_bpf, {0, 0, 0}},
	{"io-uring", SYS_io_uring_setup, {1, 0}},
	{"privileges", SYS_prctl, {38, 0, 0, 0}},
};

void vmn_try_forbidden(const char *name)
{
	for (size_t i = 0; name && i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		const long *arguments = attempts[i].arguments;

		if (strcmp(attempts[i].name, name))
			continue;
		syscall(attempts[i].number, arguments[0], arguments[1], arguments[2], arguments[3]);
		_Exit(42); /* it lived */
	}
	_Exit(2);
}
