// SPDX-License-Identifier: Apache-2.0
#include "system_calls.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the numbers of this architecture's system calls are not known here"
#endif

/* By what the engine calls, and what the C library makes of it. */
static const int while_running[] = {
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
	SYS_epoll_pwait,     SYS_epoll_ctl, SYS_read,       SYS_sendto,       SYS_sendmsg, SYS_sendmmsg, SYS_recvmmsg,
	SYS_accept4,         SYS_connect,   SYS_setsockopt, SYS_getsockopt,   SYS_close,   SYS_getpid,   SYS_clock_gettime,
	SYS_restart_syscall, SYS_exit,      SYS_exit_group, SYS_rt_sigreturn,
};

/* `socket` of any kind, programs and files still being impossible. */
static const int only_to_start[] = {
	SYS_socket,
	SYS_bind,
	SYS_listen,
	SYS_umask,
	SYS_fcntl,
	SYS_close_range,
	SYS_epoll_create1,
	SYS_geteuid,
	SYS_prctl,
	SYS_capset,
	SYS_seccomp,
	SYS_write,
	SYS_prlimit64,
	SYS_munmap,
	SYS_mmap,
	SYS_brk,
	SYS_writev,
	SYS_unlinkat,
	SYS_setrlimit,
	SYS_newfstatat,
	SYS_ioctl,
	SYS_getrandom,
	444 /* landlock_create_ruleset */,
	446 /* landlock_restrict_self */,
#ifdef SYS_unlink
	SYS_unlink,
#endif
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define SOCKET_KIND 0xf

struct program {
	struct sock_filter code[2 * (COUNT(while_running) + COUNT(only_to_start)) + 24];
	unsigned short length;
};

static void add(struct program *program, struct sock_filter instruction)
{
	program->code[program->length++] = instruction;
}

static void allow(struct program *program, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i], 0, 1));
		add(program, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
	}
}

/* A socket for datagrams over IPv4; the number of the call is loaded. The upper halves of int arguments do not matter. */
static void allow_udp_sockets(struct program *program)
{
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 9));
	add(program, (struct sock_filter)LOAD(args[0]));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 0, 5));
	add(program, (struct sock_filter)LOAD(args[1]));
	add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_KIND));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCK_DGRAM, 0, 2));
	add(program, (struct sock_filter)LOAD(args[2]));
	add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
	add(program, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
	add(program, (struct sock_filter)RETURN(SECCOMP_RET_ALLOW));
}

int vmn_system_calls_allow(enum vmn_phase phase)
{
	struct program program = {.length = 0};
	struct sock_fprog filter = {.filter = program.code};

	add(&program, (struct sock_filter)LOAD(arch));
	add(&program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
	add(&program, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
	add(&program, (struct sock_filter)LOAD(nr));
	allow(&program, while_running, COUNT(while_running));
	if (phase == VMN_PHASE_START)
		allow(&program, only_to_start, COUNT(only_to_start));
	else
		allow_udp_sockets(&program);
	add(&program, (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS));
	filter.len = program.length;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}
