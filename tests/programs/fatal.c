// SPDX-License-Identifier: Apache-2.0
/* fatal.c - signals that kill
 *
 *     fatal sees      handlers are what they are without a profiler; then SIGINT
 *     fatal twice     SIGTERM, and SIGHUP while the process dies of that
 *     fatal forks     a child that is forked meanwhile dies of its own SIGTERM
 *     fatal first     as the first process of its PID namespace, of nothing */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

static const char *name(void (*handler)(int))
{
	return handler == SIG_DFL   ? "default"
	       : handler == SIG_IGN ? "ignore"
	       : handler == SIG_ERR ? "error"
				    : "own";
}

static void on_signal(int sig)
{
	(void)sig;
}

static struct sigaction set(int sig, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler}, old;

	if (sigaction(sig, &action, &old) != 0)
		PROBLEM("sigaction");
	return old;
}

/* What was there before, at each of these. */
static void see(void)
{
	struct sigaction before;

	for (int sig = SIGHUP; sig <= SIGTERM; sig++) {
		if (sig != SIGHUP && sig != SIGINT && sig != SIGTERM)
			continue;
		if (sigaction(sig, NULL, &before) != 0)
			PROBLEM("sigaction");
		printf("%d: %s %d", sig, name(before.sa_handler),
		       before.sa_flags);
		printf(" %s", name(set(sig, on_signal).sa_handler));
		printf(" %s", name(set(sig, SIG_DFL).sa_handler));
		printf(" %s", name(signal(sig, SIG_IGN)));
		printf(" %s", name(signal(sig, SIG_DFL)));
		printf(" %s", name(signal(sig, on_signal)));
		printf(" %s\n", name(set(sig, before.sa_handler).sa_handler));
	}
	printf("no signal: %s\n", name(signal(0, SIG_DFL)));
	fflush(stdout);
}

/* From another thread: who dies blocks all. */
static void *kill_again(void *arg)
{
	usleep(100000);
	kill(getpid(), SIGHUP);
	return arg;
}

static void *fork_meanwhile(void *arg)
{
	usleep(100000);
	if (fork() == 0) {
		for (int i = 0; i < 20; i++)
			usleep(100000);
		raise(SIGTERM);
		puts("the child lives on");
	}
	pause();
	return arg;
}

static void die_beside(void *(*run)(void *))
{
	sigset_t all;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	if (pthread_create(&thread, NULL, run, NULL) != 0)
		PROBLEM("thread");
	sigemptyset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	raise(SIGTERM);
}

/* The kernel does not let a child kill it where there is no handler. */
static void be_first(void)
{
	struct sigaction action;

	if (getpid() != 1)
		PROBLEM("not the first");
	sigaction(SIGTERM, NULL, &action);
	if (fork() == 0) {
		kill(getppid(), SIGTERM);
		kill(getppid(), SIGINT);
		_exit(0);
	}
	while (wait(NULL) < 0)
		PROBLEM("interrupted");
	puts("goes on");
}

int main(int argc, char **argv)
{
	const char *mode = argc > 1 ? argv[1] : "";
	double end = cpu() + 0.3;

	while (cpu() < end)
		;
	if (strcmp(mode, "sees") == 0) {
		see();
		raise(SIGINT);
	} else if (strcmp(mode, "twice") == 0) {
		die_beside(kill_again);
	} else if (strcmp(mode, "forks") == 0) {
		die_beside(fork_meanwhile);
	} else {
		be_first();
		return problems != 0;
	}
	puts("lives on");
	return 1;
}
