// SPDX-License-Identifier: Apache-2.0
/* work.c - CPU work whose shares are known by construction
 *
 * Four functions run the same loop, with iteration counts in the ratio
 * 50 : 25 : 15 : 10. The loop is one chain of dependent operations, so its
 * speed does not depend on where a compiler puts it. A round takes some 80 ms
 * and threads end only between rounds. */
#include "work.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define DEPTH_MIN 10
#define DEPTH_MAX 60
#define PERCENT_ITERATIONS 400000ul
#define THREADS_MAX 64

static volatile uint64_t sink;

static inline __attribute__((always_inline)) uint64_t spin(uint64_t x,
							   unsigned long n)
{
	while (n-- > 0) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* Else a compiler may vectorise or shorten the loop. */
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

/* The empty statement uses the result after the call: no tail call. */
#define WORK(name)                                             \
	WORK_VISIBLE uint64_t name(unsigned depth, uint64_t x, \
				   unsigned long n)            \
	{                                                      \
		if (depth > 0)                                 \
			x = name(depth - 1, x, n);             \
		else                                           \
			x = spin(x, n);                        \
		__asm__ volatile("" : "+r"(x));                \
		return x;                                      \
	}

WORK(work_50)
WORK(work_25)
WORK(work_15)
WORK(work_10)

static double thread_cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static WORK_VISIBLE void *work_thread(void *arg)
{
	double end_s = thread_cpu_s() + *(const double *)arg;
	uint64_t x = 88172645463325252u;
	unsigned depth = DEPTH_MIN;

	while (thread_cpu_s() < end_s) {
		x = work_50(depth, x, 50 * PERCENT_ITERATIONS);
		x = work_25(depth, x, 25 * PERCENT_ITERATIONS);
		x = work_15(depth, x, 15 * PERCENT_ITERATIONS);
		x = work_10(depth, x, 10 * PERCENT_ITERATIONS);
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
