// SPDX-License-Identifier: Apache-2.0
/* threads.c - threads that stand in known places
 *
 *     threads EACH MOMENTS [parked]
 *
 * EACH threads wait in poll, epoll_wait, nanosleep and select each; unless all are
 * to be parked, 20 take turns of CPU time and poll, and one runs all the time. Once
 * all are there, the library, if there is one, is made to look at them MOMENTS
 * times. At the end a line for each kind: function, thread's name, state (or "any"),
 * threads; then how many calls were interrupted, how many moments there were, and,
 * where nobody else has used any, the CPU time of one. */
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "program.h"

#define STACK_BYTES ((size_t)64 << 10)
#define TURNS 20

static int wake[2];
static _Atomic int interrupted, there;
static _Atomic int ended;

NOINLINE static void stand_poll(void)
{
	struct pollfd p = {.fd = wake[0], .events = POLLIN};

	interrupted += poll(&p, 1, -1) != 1;
}

NOINLINE static void stand_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0 || epoll_ctl(fd, EPOLL_CTL_ADD, wake[0], &event) != 0)
		PROBLEM("epoll");
	interrupted += epoll_wait(fd, &event, 1, -1) != 1;
	close(fd);
}

/* Longer than the program runs. */
NOINLINE static void stand_nanosleep(void)
{
	struct timespec pause = {100000, 0};

	interrupted += nanosleep(&pause, NULL) != 0;
}

NOINLINE static void stand_select(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(wake[0], &set);
	interrupted += select(wake[0] + 1, &set, NULL, NULL, NULL) != 1;
}

NOINLINE static void take_turns(void)
{
	struct pollfd none = {.fd = -1};

	while (!ended) {
		double end = cpu() + 5e-5;

		while (cpu() < end)
			;
		interrupted += poll(&none, 1, 1) != 0;
	}
}

NOINLINE static void run_on(void)
{
	while (!ended)
		;
}

static struct kind {
	const char *function, *thread, *state;
	void (*stand)(void);
	int wanted, threads;
} kinds[] = {
	{"stand_poll", "poller", "sleeping", stand_poll, 0, 0},
	{"stand_epoll", "e)R(poll", "sleeping", stand_epoll, 0, 0},
	{"stand_nanosleep", "sleeper", "sleeping", stand_nanosleep, 0, 0},
	{"stand_select", "selecter", "sleeping", stand_select, 0, 0},
	{"take_turns", "turns", "any", take_turns, TURNS, 0},
	{"run_on", "runner", "any", run_on, 1, 0},
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static void *stand(void *arg)
{
	struct kind *kind = arg;

	pthread_setname_np(pthread_self(), kind->thread);
	there++;
	kind->stand();
	return NULL;
}

static void start(void)
{
	pthread_attr_t attr;
	pthread_t thread;
	int started = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	for (size_t k = KINDS; k-- > 0;)
		while (kinds[k].threads < kinds[k].wanted &&
		       pthread_create(&thread, &attr, stand, &kinds[k]) == 0) {
			kinds[k].threads++;
			started++;
		}
	while (there < started)
		usleep(1000);
	usleep(1000000); /* from there into their calls */
}

/* The library's, if it was preloaded. */
static int look(int moments)
{
	int (*flush)(uint32_t) =
		(int (*)(uint32_t))dlsym(RTLD_DEFAULT, "pyroscope_flush");
	int done = 0;

	while (flush && done < moments)
		done += flush(10000) == 0;
	return done;
}

static double all_cpu(void)
{
	return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

int main(int argc, char **argv)
{
	int each = argc > 1 ? atoi(argv[1]) : 250, parked = argc > 3, moments;
	double used;

	for (size_t k = 0; k < KINDS; k++) {
		if (kinds[k].wanted == 0)
			kinds[k].wanted = each;
		else if (parked)
			kinds[k].wanted = 0;
	}
	if (pipe(wake) != 0)
		return 1;
	start();
	used = all_cpu();
	moments = look(argc > 2 ? atoi(argv[2]) : 1);
	used = all_cpu() - used;
	ended = 1;
	if (write(wake[1], "x", 1) != 1)
		PROBLEM("write");
	for (size_t k = 0; k < KINDS; k++)
		printf("%s %s %s %d\n", kinds[k].function, kinds[k].thread,
		       kinds[k].state, kinds[k].threads);
	usleep(200000); /* for what they have to tell */
	printf("interrupted %d\nmoments %d\n", interrupted, moments);
	if (parked && moments)
		printf("%.2f ms CPU a moment\n", used * 1e3 / moments);
	return interrupted || problems ? 1 : 0;
}
