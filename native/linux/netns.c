// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "netns.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define OWN_NETNS "/proc/thread-self/ns/net"

struct errand {
	int netns;
	vmn_netns_work work;
	void *context;
	struct vmn_failure *failure;
	int result;
};

static void *run(void *argument)
{
	struct errand *errand = argument;

	if (setns(errand->netns, CLONE_NEWNET))
		errand->result = vmn_fail(errand->failure, errno, "setns", "network namespace");
	else
		errand->result = errand->work(errand->context, errand->failure);
	return NULL;
}

int vmn_netns_do(int netns, vmn_netns_work work, void *context, struct vmn_failure *failure)
{
	struct errand errand = {netns, work, context, failure, -1};
	sigset_t all, before;
	pthread_t thread;
	int error;

	/* The thread inherits the mask: signals stay the business of the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, run, &errand);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error)
		return vmn_fail(failure, error, "pthread_create", "network namespace");
	pthread_join(thread, NULL);
	return errand.result;
}

int vmn_netns_visit(int netns, struct vmn_failure *failure)
{
	/* The way home comes first: without one nobody leaves. */
	int home = open(OWN_NETNS, O_RDONLY | O_CLOEXEC);

	if (home < 0)
		return vmn_fail(failure, errno, "open", OWN_NETNS);
	if (!setns(netns, CLONE_NEWNET))
		return home;
	vmn_fail(failure, errno, "setns", "network namespace");
	close(home);
	return -1;
}

int vmn_netns_go_home(int home, struct vmn_failure *failure)
{
	int result = setns(home, CLONE_NEWNET) ? vmn_fail(failure, errno, "setns", "own network namespace") : 0;

	close(home);
	return result;
}
