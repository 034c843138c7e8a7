// SPDX-License-Identifier: Apache-2.0
/* work.c - CPU work whose shares are known by construction
 *
 * Four functions run the same loop, in turns of 50 : 25 : 15 : 10. A turn lasts
 * until the thread's own CPU clock says that its share is used, and what it took
 * too much is taken off the next one: the shares hold whatever the processor does
 * meanwhile. A round takes 40 to 120 ms, at random, or it would be in step with
 * the timer that samples it. */
#include "work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define DEPTH_MIN 10
#define DEPTH_MAX 60
/* Of the loop between two looks at the clock: about a millisecond, so that the
 * looks take none of the functions' shares. */
#define ITERATIONS 400000ul
#define PERCENT_NS_MIN 400000u
#define PERCENT_NS_SPAN 800000u
#define THREADS_MAX 64

static volatile uint64_t sink;

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline __attribute__((always_inline)) uint64_t spin(uint64_t x)
{
	for (unsigned long n = ITERATIONS; n > 0; n--) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Else a compiler may vectorise or shorten the loop. */
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

/* The empty statement uses the result after the call: no tail call. */
#define WORK(name)                                                             \
	WORK_VISIBLE uint64_t name(unsigned depth, uint64_t x, uint64_t until) \
	{                                                                      \
		if (depth > 0)                                                 \
			x = name(depth - 1, x, until);                         \
		else                                                           \
			while (cpu_ns() < until)                               \
				x = spin(x);                                   \
		__asm__ volatile("" : "+r"(x));                                \
		return x;                                                      \
	}

WORK(work_50)
WORK(work_25)
WORK(work_15)
WORK(work_10)

static WORK_VISIBLE void *work_thread(void *arg)
{
	uint64_t until = cpu_ns();
	uint64_t end = until + (uint64_t)(*(const double *)arg * 1e9);
	uint64_t x = 88172645463325252u;
	unsigned depth = DEPTH_MIN;

	while (until < end) {
		uint64_t percent = PERCENT_NS_MIN + x % PERCENT_NS_SPAN;
		uint64_t left = (end - until + 99) / 100;

		percent = left < percent ? left : percent;
		x = work_50(depth, x, until += 50 * percent);
		x = work_25(depth, x, until += 25 * percent);
		x = work_15(depth, x, until += 15 * percent);
		x = work_10(depth, x, until += 10 * percent);
		if (++depth > DEPTH_MAX)
			depth = DEPTH_MIN;
	}
	sink = x;
	return NULL;
}

void work_run(double seconds, unsigned threads)
{
	pthread_t ids[THREADS_MAX];
	double each_s;

	if (threads < 1 || threads > THREADS_MAX) {
		fprintf(stderr, "threads: 1 to %d\n", THREADS_MAX);
		exit(2);
	}
	each_s = seconds / threads;
	if (threads == 1) {
		work_thread(&each_s);
		return;
	}
	for (unsigned i = 0; i < threads; i++) {
		if (pthread_create(&ids[i], NULL, work_thread, &each_s)) {
			fprintf(stderr, "no thread\n");
			exit(2);
		}
	}
	for (unsigned i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
}

static long long ns(struct timeval time)
{
	return time.tv_sec * 1000000000ll + time.tv_usec * 1000ll;
}

void work_report(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	printf("rusage_ns %lld\n", ns(usage.ru_utime) + ns(usage.ru_stime));
	fflush(stdout);
}
