// SPDX-License-Identifier: Apache-2.0
/* awkward.c - CPU time that a timer looked at by the tick does not see well
 *
 *     awkward threads MS    2 s in threads that live for MS ms of CPU time,
 *                           two at a time
 *     awkward bursts        2 s in bursts of 1 ms, each woken by a timer that
 *                           expires every 4 ms, in step with the tick
 *     awkward blocked       2 s with all signals blocked half a second at a
 *                           time, in the function hides()
 *
 * Prints what getrusage says in the end, in seconds. */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define MS 1000000u

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

NOINLINE static void burn(uint64_t ns)
{
	uint64_t end = cpu_ns() + ns;

	while (cpu_ns() < end)
		for (int i = 0; i < 5000; i++)
			__asm__ volatile("");
}

static uint64_t life_ns;

static void *short_life(void *arg)
{
	burn(life_ns);
	return arg;
}

static int threads(unsigned ms)
{
	life_ns = (uint64_t)ms * MS;
	for (uint64_t used = 0; used < 2000 * MS; used += 2 * life_ns) {
		pthread_t id[2];

		for (int i = 0; i < 2; i++)
			if (pthread_create(&id[i], NULL, short_life, NULL) != 0)
				return 1;
		for (int i = 0; i < 2; i++)
			pthread_join(id[i], NULL);
	}
	return 0;
}

static int bursts(void)
{
	struct itimerspec every = {{0, 4 * MS}, {0, 4 * MS}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t expired;

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) != 0)
		return 1;
	while (cpu_ns() < 2000 * MS) {
		if (read(fd, &expired, sizeof(expired)) < 0)
			return 1;
		burn(MS);
	}
	return 0;
}

NOINLINE static void hides(void)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	burn(500 * MS);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	struct rusage usage;
	int err = 2;

	if (strcmp(what, "threads") == 0 && argc > 2)
		err = threads((unsigned)atoi(argv[2]));
	else if (strcmp(what, "bursts") == 0)
		err = bursts();
	for (int i = 0; i < 4 && strcmp(what, "blocked") == 0; i++, err = 0)
		hides();
	if (err)
		return err;
	getrusage(RUSAGE_SELF, &usage);
	printf("%.6f\n", seconds(usage.ru_utime) + seconds(usage.ru_stime));
	return 0;
}
