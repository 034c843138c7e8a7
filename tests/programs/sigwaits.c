// SPDX-License-Identifier: Apache-2.0
/* sigwaits.c - a thread that has blocked all signals burns CPU time and waits for
 * signals in each way there is: it gets those that were sent to it, and no other
 *
 * Exit code 0 if so. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

#define WAIT_S 0.1

static sigset_t all, none;
static pthread_barrier_t barrier;

/* More than a tick of the scheduler, so that signals are pending. */
static NOINLINE void burn_blocked(void)
{
	for (double end = cpu() + 0.05; cpu() < end;)
		;
}

static struct timespec wait_time(void)
{
	return (struct timespec){0, (long)(WAIT_S * 1e9)};
}

/* A call that nothing ended but its time. */
static void check_time(const char *what, double began, int result)
{
	if (result != 0)
		PROBLEM("%s: %s", what, strerror(errno));
	if (now() - began < WAIT_S)
		PROBLEM("%s: ended early", what);
}

static void wait_with_masks(void)
{
	struct timespec t = wait_time();
	struct epoll_event event;
	int fd = epoll_create1(0);
	double began;

	burn_blocked();
	began = now();
	check_time("ppoll", began, ppoll(NULL, 0, &t, &none));
	burn_blocked();
	began = now();
	check_time("pselect", began, pselect(0, NULL, NULL, NULL, &t, &none));
	burn_blocked();
	began = now();
	check_time("epoll_pwait", began,
		   epoll_pwait(fd, &event, 1, (int)(WAIT_S * 1e3), &none));
	close(fd);
}

static void wait_for_nothing(void)
{
	struct timespec t = wait_time();
	double began;

	burn_blocked();
	began = now();
	if (sigtimedwait(&all, NULL, &t) != -1 || errno != EAGAIN)
		PROBLEM("sigtimedwait got a signal");
	check_time("sigtimedwait", began, 0);
	t.tv_nsec = -1;
	if (sigtimedwait(&all, NULL, &t) != -1 || errno != EINVAL)
		PROBLEM("sigtimedwait: a wrong time");
	t.tv_nsec = 0;
	if (sigtimedwait(&all, NULL, &t) != -1 || errno != EAGAIN)
		PROBLEM("sigtimedwait: no time");
}

static void alarm_soon(void)
{
	ualarm((useconds_t)(WAIT_S * 1e6), 0);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void wait_for_alarm(void)
{
	siginfo_t info;
	double began;
	int sig = 0;

	burn_blocked();
	alarm_soon();
	errno = 77;
	if (sigwait(&all, &sig) != 0 || sig != SIGALRM || errno != 77)
		PROBLEM("sigwait: %d, errno %d", sig, errno);
	burn_blocked();
	alarm_soon();
	if (sigwaitinfo(&all, &info) != SIGALRM || info.si_signo != SIGALRM)
		PROBLEM("sigwaitinfo: %d", info.si_signo);
	burn_blocked();
	began = now();
	alarm_soon();
	if (sigsuspend(&none) != -1 || errno != EINTR ||
	    now() - began < WAIT_S / 2)
		PROBLEM("sigsuspend ended early");
}

/* The one that the library uses, sent by the program to the process, where it is
 * not one with what is pending in the thread. */
static void wait_for_own(void)
{
	siginfo_t info;
	int sig = 0;

	burn_blocked();
	kill(getpid(), SIGURG);
	if (sigwait(&all, &sig) != 0 || sig != SIGURG)
		PROBLEM("sigwait: %d, not the program's", sig);
	burn_blocked();
	kill(getpid(), SIGURG);
	if (sigwaitinfo(&all, &info) != SIGURG || info.si_code == SI_TIMER)
		PROBLEM("sigwaitinfo: not the program's");
}

/* After another thread has taken it. What was pending here is gone, too. */
static void *take_late(void *arg)
{
	struct timespec none_left = {0, 0};
	siginfo_t info;

	burn_blocked();
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	if (sigtimedwait(arg, &info, &none_left) > 0)
		PROBLEM("sigtimedwait got what was pending");
	return NULL;
}

/* Who waits for that one alone may have it. Once: from then on the library uses
 * another. */
static void wait_for_that(void)
{
	struct timespec none_left = {0, 0};
	pthread_t late;
	sigset_t set;
	int sig = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&late, NULL, take_late, &set) != 0)
		PROBLEM("pthread_create");
	burn_blocked();
	pthread_barrier_wait(&barrier);
	if (sigtimedwait(&set, NULL, &none_left) > 0)
		PROBLEM("sigtimedwait got one of a timer");
	pthread_barrier_wait(&barrier);
	pthread_join(late, NULL);
	for (int i = 0; i < 3; i++) {
		burn_blocked();
		raise(SIGURG);
		if (sigwait(&set, &sig) != 0 || sig != SIGURG)
			PROBLEM("sigwait: %d, not the thread's", sig);
	}
}

static void *run(void *arg)
{
	(void)arg;
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	for (int i = 0; i < 2; i++) {
		wait_with_masks();
		wait_for_nothing();
		wait_for_alarm();
		wait_for_own();
	}
	return NULL;
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_alarm};
	pthread_t thread;

	sigfillset(&all);
	sigemptyset(&none);
	sigaction(SIGALRM, &action, NULL);
	pyroscope_load("");
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	if (pthread_create(&thread, NULL, run, NULL) != 0)
		return 1;
	pthread_join(thread, NULL);
	run(NULL);
	wait_for_that();
	if (atomic_load(&problems) == 0)
		puts("ok");
	return atomic_load(&problems) ? 1 : 0;
}
