// SPDX-License-Identifier: Apache-2.0
/* pauses.c - types of profiles that are paused and resumed around known work
 *
 * Of each kind there is something in x_before(), while it is paused in x_within(),
 * and in x_after(). Prints, for e2e/pauses.py:
 *
 *     paused KIND FROM TO     no window of it may overlap (CLOCK_REALTIME, ns)
 *     cpu NS                  CPU time while it was not paused
 *     child PID NS            the same of a forked child
 *     waited NS               for the lock, while that was not paused */
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define BLOCKS 512
#define BLOCK_BYTES 16384
#define BURN_S 0.8

static void call(int result, const char *what)
{
	if (result != 0)
		PROBLEM("%s: %s", what, pyroscope_strerror(result));
}
#define PAUSE(types) call(pyroscope_pause(types), "pause " types)
#define RESUME(types) call(pyroscope_resume(types), "resume " types)

/* ---- CPU time, in two threads ---- */

static void burn(double seconds)
{
	for (double end = cpu() + seconds; cpu() < end;)
		for (int i = 0; i < 100000; i++)
			__asm__ volatile("");
}

#define BURNERS(XX) XX(burn_before) XX(burn_within) XX(burn_after)
#define DEFINE_BURN(name)                          \
	NOINLINE static void *name(void *arg)      \
	{                                          \
		burn(BURN_S);                      \
		__asm__ volatile("" ::: "memory"); \
		return arg;                        \
	}
BURNERS(DEFINE_BURN)

static void burn_in_two(void *(*fn)(void *))
{
	pthread_t thread;

	pthread_create(&thread, NULL, fn, NULL);
	fn(NULL);
	pthread_join(thread, NULL);
}

/* began: process_cpu() then. */
static void burn_all(double began)
{
	double on;
	long long from;

	burn_in_two(burn_before);
	PAUSE("cpu");
	on = process_cpu() - began;
	from = realtime();
	burn_in_two(burn_within);
	/* Nothing is sent of it, nor does it come later. */
	call(pyroscope_flush(0), "flush");
	printf("paused process_cpu %lld %lld\n", from, realtime());
	began = process_cpu();
	RESUME("cpu");
	burn_in_two(burn_after);
	PAUSE("cpu");
	printf("cpu %.0f\n", (on + process_cpu() - began) * 1e9);
	RESUME("cpu");
}

/* ---- The heap: half of what is there before is freed while it is paused ---- */

static void *blocks[4][BLOCKS];

#define ALLOCATORS(XX)      \
	XX(allocate_before) \
	XX(allocate_within) XX(allocate_after) XX(allocate_apart)
/* Functions that are equal but for a comment would become one. */
#define KEEP(name) __asm__ volatile("# " #name ::: "memory")
#define DEFINE_ALLOCATE(name)                                                \
	NOINLINE static void name(void **to)                                 \
	{                                                                    \
		for (int i = 0; i < BLOCKS; i++)                             \
			to[i] = memset(malloc(BLOCK_BYTES), 1, BLOCK_BYTES); \
		KEEP(name);                                                  \
	}
ALLOCATORS(DEFINE_ALLOCATE)

static void use_heap(void)
{
	long long from;

	allocate_before(blocks[0]);
	PAUSE("heap");
	from = realtime();
	allocate_within(blocks[1]);
	for (int i = 0; i < BLOCKS; i += 2)
		free(blocks[0][i]);
	call(pyroscope_flush(0), "flush");
	printf("paused memory %lld %lld\n", from, realtime());
	RESUME("alloc_objects, inuse_space ,heap");
	allocate_after(blocks[2]);
	/* Of one type the others go on. */
	PAUSE("alloc_space");
	allocate_apart(blocks[3]);
	RESUME("alloc_space");
}

/* ---- Locks, and other waits ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_int step;
static int fds[2];

static void wait_for(int which)
{
	while (atomic_load(&step) < which)
		usleep(1000);
}

static double lock_timed(void)
{
	double began = now();

	pthread_mutex_lock(&lock);
	pthread_mutex_unlock(&lock);
	return now() - began;
}

#define WAITERS(XX) XX(before) XX(within) XX(across) XX(after)
#define DEFINE_WAIT(name)                        \
	NOINLINE static double lock_##name(void) \
	{                                        \
		double s = lock_timed();         \
                                                 \
		KEEP(name);                      \
		return s;                        \
	}                                        \
	NOINLINE static void read_##name(void)   \
	{                                        \
		char byte;                       \
                                                 \
		if (read(fds[0], &byte, 1) != 1) \
			PROBLEM("read");         \
		KEEP(name);                      \
	}
WAITERS(DEFINE_WAIT)

/* What it waited while it was not paused; across, until it was. */
static double waited;
static double across_began;

static void *wait_in_each(void *arg)
{
	(void)arg;
	wait_for(1);
	waited += lock_before();
	read_before();
	wait_for(3);
	lock_within();
	read_within();
	wait_for(5);
	across_began = now();
	lock_across();
	read_across();
	wait_for(7);
	waited += lock_after();
	read_after();
	return NULL;
}

static void hold_for(int which, void (*in_between)(void))
{
	pthread_mutex_lock(&lock);
	atomic_store(&step, which);
	usleep(50000);
	if (in_between)
		in_between();
	usleep(50000);
	pthread_mutex_unlock(&lock);
	usleep(50000);
	if (in_between)
		in_between();
	usleep(50000);
	if (write(fds[1], "x", 1) != 1)
		PROBLEM("write");
	usleep(10000);
}

/* Two waits into which it falls. */
static void pause_in_between(void)
{
	static int which;

	PAUSE("mutex,block");
	if (which++ == 0)
		waited += now() - across_began;
	usleep(20000);
	RESUME("mutex,block");
}

static void wait_all(void)
{
	pthread_t thread;
	long long from;

	if (pipe(fds) != 0)
		PROBLEM("pipe");
	pthread_create(&thread, NULL, wait_in_each, NULL);
	hold_for(1, NULL);
	PAUSE("mutex,block");
	from = realtime();
	hold_for(3, NULL);
	call(pyroscope_flush(0), "flush");
	printf("paused mutex %lld %lld\n", from, realtime());
	printf("paused block %lld %lld\n", from, realtime());
	RESUME("mutex,block");
	hold_for(5, pause_in_between);
	hold_for(7, NULL);
	pthread_join(thread, NULL);
	printf("waited %.0f\n", waited * 1e9);
}

/* ---- Threads ---- */

static void *sleep_on(void *arg)
{
	wait_for(9);
	return arg;
}

NOINLINE static pthread_t create_before(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, sleep_on, NULL);
	return thread;
}

NOINLINE static pthread_t create_within(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, sleep_on, NULL);
	KEEP(within);
	return thread;
}

static void count_threads(void)
{
	pthread_t thread[2];
	long long from;

	thread[0] = create_before();
	PAUSE("threads,thread_creation");
	from = realtime();
	thread[1] = create_within();
	call(pyroscope_flush(0), "flush");
	printf("paused threads %lld %lld\n", from, realtime());
	RESUME("threads,thread_creation");
	call(pyroscope_flush(0), "flush");
	atomic_store(&step, 9);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}

/* ---- A forked child has paused what its parent has ---- */

static int run_child(void)
{
	double began;

	burn_within(NULL);
	began = process_cpu();
	RESUME("cpu");
	burn_after(NULL);
	call(pyroscope_pause(NULL), "pause all");
	printf("child %d %.0f\n", getpid(), (process_cpu() - began) * 1e9);
	fflush(stdout);
	return problems != 0;
}

static void fork_paused(void)
{
	int status = -1;
	pid_t pid;

	PAUSE("cpu");
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(run_child());
	waitpid(pid, &status, 0);
	if (status != 0)
		PROBLEM("child: %x", (unsigned)status);
	RESUME("cpu");
}

int main(void)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
	double began = process_cpu();

	setvbuf(stdout, NULL, _IOLBF, 0);
	config.profile_types = "cpu,heap,mutex,block,threads,thread_creation";
	config.heap_interval = BLOCK_BYTES;
	call(pyroscope_start(&config), "start");
	call(pyroscope_flush(0), "flush");
	burn_all(began);
	use_heap();
	wait_all();
	count_threads();
	fork_paused();
	call(pyroscope_stop(5000), "stop");
	return problems != 0;
}
