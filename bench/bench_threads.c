// SPDX-License-Identifier: Apache-2.0
/* bench_threads.c - what it takes to look at all threads, by how many there are
 *
 * They are parked in poll, eight calls deep. CPU time of the thread that looks, the
 * median of ROUNDS, a moment and a thread; beside it the least that one could do:
 * to open, read and close each thread's two files. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/os.h"
#include "base/slots.h"
#include "bench/bench.h"
#include "image/modules.h"
#include "source/threads.h"

#define ROUNDS 7
#define THREADS_MOST 10000
#define CALLS 8

static pid_t tids[THREADS_MOST];
static _Atomic size_t there;
static size_t frames, incomplete;

__attribute__((noinline)) static int park_below(int calls)
{
	struct pollfd none = {.fd = -1};

	return (calls ? park_below(calls - 1) : poll(&none, 1, -1)) + 1;
}

static void *park(void *arg)
{
	*(pid_t *)arg = pyro_gettid();
	there++;
	park_below(CALLS);
	return NULL;
}

static void look(pid_t tid)
{
	struct pyro_thread_facts facts;
	struct pyro_walk walk;
	uint64_t pc[PYRO_DEPTH_MAX];
	size_t depth = 0;

	if (pyro_threads_describe(tid, &facts) == 0 &&
	    pyro_threads_read(tid, pyro_modules_current(), pc, PYRO_DEPTH_MAX,
			      &depth, &walk) == PYRO_THREAD_PARKED)
		incomplete += walk.stop != PYRO_STOP_END;
	frames += depth;
}

static void read_files(pid_t tid)
{
	static const char *const name[] = {"stat", "syscall"};
	char path[64], text[256];

	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid,
			 name[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd >= 0 && pread(fd, text, sizeof(text), 0) > 0)
			close(fd);
	}
}

/* Microseconds a thread. */
static double measure(void (*what)(pid_t), size_t threads)
{
	double us[ROUNDS];

	for (size_t r = 0; r < ROUNDS; r++) {
		uint64_t begin = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);

		for (size_t i = 0; i < threads; i++)
			what(tids[i]);
		us[r] = (double)(pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) -
				 begin) /
			1e3 / (double)threads;
	}
	return median(us, ROUNDS);
}

static size_t start(size_t from, size_t to)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, (size_t)64 << 10);
	while (from < to &&
	       pthread_create(&thread, &attr, park, &tids[from]) == 0)
		from++;
	while (there < from)
		pyro_sleep_ns(PYRO_NS_PER_MS);
	pyro_sleep_ns(PYRO_NS_PER_SEC); /* from there into poll */
	return from;
}

int main(void)
{
	struct pyro_modules *modules = pyro_modules_new("");
	size_t threads = 0;

	if (!modules || pyro_modules_refresh(modules) != 1)
		return 1;
	printf("%8s %14s %14s %14s %8s\n", "threads", "ms a moment",
	       "us a thread", "files alone", "frames");
	for (size_t n = 10; n <= THREADS_MOST; n *= 10) {
		threads = start(threads, n);
		if (threads < n)
			break;
		frames = incomplete = 0;
		double us = measure(look, n);

		printf("%8zu %14.2f %14.1f %14.1f %8.1f\n", n,
		       us * (double)n / 1e3, us, measure(read_files, n),
		       (double)frames / (double)(n * ROUNDS));
		if (incomplete)
			printf("%zu incomplete\n", incomplete);
	}
	return 0;
}
