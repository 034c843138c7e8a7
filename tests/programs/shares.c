// SPDX-License-Identifier: Apache-2.0
/* shares.c - a program whose profile is known before it is taken
 *
 *     shares SECONDS THREADS
 *
 * Each thread spends SECONDS of CPU time and ends the round that it is in: 50,
 * 25, 15 and 10 % of it in f50, f25, f15 and f10, each at the end of a recursion
 * that is 10 to 60 calls deep. A turn lasts until the thread's own CPU clock says
 * that its share is used, and what it took too much is taken off the next one:
 * the shares hold whatever the processor's speed does. Prints what getrusage says
 * in the end, in seconds. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define NOINLINE __attribute__((noinline))
/* The result of a call is used after it: no tail call, so a frame each. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

struct thread {
	pthread_t id;
	uint64_t state; /* of the random numbers */
	uint64_t until_ns;
	uint64_t sink;
};

static uint64_t limit_ns;

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

NOINLINE static uint64_t spin(uint64_t x)
{
	for (int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
	}
	return x;
}

NOINLINE static uint64_t burn(struct thread *t)
{
	uint64_t x = t->until_ns | 1;

	while (cpu_ns() < t->until_ns)
		x = spin(x);
	return x;
}

NOINLINE static uint64_t recurse(struct thread *t, unsigned depth)
{
	uint64_t x = depth > 1 ? recurse(t, depth - 1) : burn(t);

	KEEP_FRAME();
	return x + depth;
}

#define DEFINE_SHARE(percent)                                               \
	NOINLINE static void f##percent(struct thread *t, uint64_t unit_ns) \
	{                                                                   \
		t->until_ns += percent * unit_ns;                           \
		t->sink += recurse(t, 10 + next_random(&t->state) % 51);    \
		KEEP_FRAME();                                               \
	}

DEFINE_SHARE(50)
DEFINE_SHARE(25)
DEFINE_SHARE(15)
DEFINE_SHARE(10)

/* A round takes 50 to 150 ms, at random: in step with neither the tick nor the
 * timer. */
NOINLINE static void *run(void *arg)
{
	struct thread *t = arg;

	t->until_ns = cpu_ns();
	while (t->until_ns < limit_ns) {
		uint64_t unit_ns = 500000 + next_random(&t->state) % 1000000;

		f50(t, unit_ns);
		f10(t, unit_ns);
		f25(t, unit_ns);
		f15(t, unit_ns);
	}
	return NULL;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	static struct thread thread[64];
	int count = argc > 2 ? atoi(argv[2]) : 1;
	struct rusage usage;

	if (argc != 3 || count < 1 || count > 64)
		return 2;
	limit_ns = (uint64_t)(atof(argv[1]) * 1e9);
	for (int i = 0; i < count; i++)
		thread[i].state = (uint64_t)i + 1;
	if (count == 1)
		run(&thread[0]);
	for (int i = 0; count > 1 && i < count; i++)
		if (pthread_create(&thread[i].id, NULL, run, &thread[i]) != 0)
			return 1;
	for (int i = 0; count > 1 && i < count; i++)
		pthread_join(thread[i].id, NULL);
	getrusage(RUSAGE_SELF, &usage);
	printf("%.6f\n", seconds(usage.ru_utime) + seconds(usage.ru_stime));
	return 0;
}
