// SPDX-License-Identifier: Apache-2.0
/* memory.c - a program whose profiles take much memory, or that gets none
 *
 * stacks SECONDS MIB  no two stacks are the same, on two threads; the library
 *                     never has more than MIB mapped
 * children SECONDS    a child's child's child, and so on: each has had memory for its
 *                     own profiles, which its children do not pay for
 * squeeze SECONDS     the limit of address space is set a few KiB above what is in
 *                     use, again and again, while objects come and go, profiles
 *                     are made and threads burn; then samples come as before */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

#define DEPTH 480
#define THREADS 2

static double seconds;
static _Atomic int stop;

static volatile unsigned sink;

static NOINLINE unsigned left(uint64_t path, int depth);
static NOINLINE unsigned right(uint64_t path, int depth);

/* Which of the two calls which is told by the path's bits. */
static unsigned next(uint64_t path, int depth)
{
	if (depth == 0) {
		for (unsigned i = 0; i < 100000; i++)
			sink += i;
		return sink;
	}
	path = path << 1 | path >> 63;
	return path & 1 ? left(path, depth - 1) : right(path, depth - 1);
}

static unsigned left(uint64_t path, int depth)
{
	unsigned got = next(path, depth);

	__asm__ volatile("" : "+r"(got)); /* no tail call, no loop */
	return got;
}

static unsigned right(uint64_t path, int depth)
{
	unsigned got = next(path, depth);

	__asm__ volatile("" : "+r"(got));
	return got + 1;
}

static void *burn(void *arg)
{
	uint64_t path = (uintptr_t)arg;

	while (!atomic_load(&stop)) {
		path = path * UINT64_C(6364136223846793005) +
		       1442695040888963407;
		next(path, DEPTH);
	}
	return NULL;
}

static struct pyroscope_stats read_stats(void)
{
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	if (pyroscope_stats(&stats) != 0)
		PROBLEM("stats");
	return stats;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

static void stacks(uint64_t limit)
{
	uint64_t most = 0;

	for (double end = now() + seconds; now() < end; pause_ms(5)) {
		uint64_t bytes = read_stats().memory_bytes;

		most = bytes > most ? bytes : most;
	}
	if (most > limit)
		PROBLEM("%llu bytes are mapped", (unsigned long long)most);
}

/* In bytes; without memory of its own. */
static size_t address_space(void)
{
	static char buf[256];
	static FILE *f;
	size_t pages = 0;

	if (!f)
		f = fopen("/proc/self/statm", "r");
	if (!f)
		return 0;
	rewind(f);
	fflush(f);
	if (!fgets(buf, sizeof(buf), f) || sscanf(buf, "%zu", &pages) != 1)
		PROBLEM("statm");
	return pages * 4096;
}

static void limit_space(rlim_t bytes)
{
	struct rlimit rl;

	getrlimit(RLIMIT_AS, &rl);
	rl.rlim_cur = bytes;
	if (setrlimit(RLIMIT_AS, &rl) != 0)
		PROBLEM("setrlimit: %s", strerror(errno));
}

static void squeeze(void)
{
	uint64_t before;

	for (double end = now() + seconds; now() < end;) {
		size_t room = (size_t)(rand() % 400) * 4096;
		void *object;

		pause_ms(3);
		limit_space(address_space() + room);
		object = dlopen("libresolv.so.2", RTLD_NOW);
		pyroscope_flush(0);
		limit_space(RLIM_INFINITY);
		if (object)
			dlclose(object);
	}
	before = read_stats().samples;
	pause_ms(300);
	pyroscope_flush(0);
	if (read_stats().samples == before)
		PROBLEM("no samples any more");
	if (read_stats().memory_refused == 0)
		PROBLEM("memory was never short");
}

#define GENERATIONS 6

static void children(void)
{
	struct pyroscope_stats stats = read_stats();
	int status;

	for (int i = 0; i < GENERATIONS; i++) {
		pid_t child = fork();

		if (child > 0) {
			if (waitpid(child, &status, 0) != child || status != 0)
				PROBLEM("generation %d", i);
			exit(atomic_load(&problems) ? 1 : 0);
		}
		for (double end = now() + seconds; now() < end; pause_ms(1))
			for (int k = 0; k < 50; k++)
				next(0, 5);
		if (pyroscope_flush(0) != 0)
			PROBLEM("flush of generation %d", i);
		stats = read_stats();
		if (stats.memory_refused || stats.overflow || !stats.samples)
			PROBLEM("generation %d: %llu samples, no memory for "
				"%llu, refused %llu",
				i, (unsigned long long)stats.samples,
				(unsigned long long)stats.overflow,
				(unsigned long long)stats.memory_refused);
	}
	exit(atomic_load(&problems) ? 1 : 0);
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];

	if (argc < 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	seconds = atof(argv[2]);
	pyroscope_load("");
	if (strcmp(argv[1], "children") == 0)
		children();
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, burn, (void *)(i + 1)))
			return 1;
	if (strcmp(argv[1], "stacks") == 0 && argc > 3)
		stacks((uint64_t)atoi(argv[3]) << 20);
	else
		squeeze();
	atomic_store(&stop, 1);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	if (pyroscope_stop(2000) != 0)
		PROBLEM("stop");
	printf("samples=%llu\noverflow=%llu\n",
	       (unsigned long long)read_stats().samples,
	       (unsigned long long)read_stats().overflow);
	return atomic_load(&problems) ? 1 : 0;
}
