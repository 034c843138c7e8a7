// SPDX-License-Identifier: Apache-2.0
/* bench_waits.c - what waiting for each other costs, one number a process, for
 * waits.py
 *
 *     bench_waits lock         ns of a lock and unlock that nobody waits for
 *     bench_waits lock2        the same in a program with a second thread
 *     bench_waits contend N    ns of one in each of N threads that want it
 *     bench_waits cond         us of a round trip by condition variables
 *     bench_waits pipe         us of a round trip by pipes */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

#define PAIRS 20000000
#define CONTENDED 4000000
#define TRIPS 50000
#define WORDS 16

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turned = PTHREAD_COND_INITIALIZER;
static volatile unsigned shared[WORDS];

static double lock(void)
{
	double begin = now_ns();

	for (int i = 0; i < PAIRS; i++) {
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
	}
	return (now_ns() - begin) / PAIRS;
}

static void *sleep_on(void *arg)
{
	for (;;)
		poll(NULL, 0, -1);
	return arg;
}

static void park(int count)
{
	pthread_attr_t attr;
	pthread_t id;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (int i = 0; i < count; i++)
		if (pthread_create(&id, &attr, sleep_on, NULL) != 0)
			exit(1);
}

/* As a counter or a short list does. */
static void *want(void *arg)
{
	long pairs = *(const long *)arg;

	for (long i = 0; i < pairs; i++) {
		pthread_mutex_lock(&mutex);
		for (int j = 0; j < WORDS; j++)
			shared[j]++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static double contend(int count)
{
	long pairs = CONTENDED / count;
	double begin = now_ns();
	pthread_t id[64];

	for (int i = 0; i < count; i++)
		pthread_create(&id[i], NULL, want, &pairs);
	for (int i = 0; i < count; i++)
		pthread_join(id[i], NULL);
	return (now_ns() - begin) / CONTENDED;
}

static bool others_turn;

static void take_turns(bool mine)
{
	for (int i = 0; i < TRIPS; i++) {
		pthread_mutex_lock(&mutex);
		while (others_turn != mine)
			pthread_cond_wait(&turned, &mutex);
		others_turn = !mine;
		pthread_cond_signal(&turned);
		pthread_mutex_unlock(&mutex);
	}
}

static int there[2], back[2];

static void *answer(void *pipes)
{
	char byte;

	if (!pipes)
		take_turns(true);
	for (int i = 0; pipes && i < TRIPS; i++)
		if (read(there[0], &byte, 1) != 1 ||
		    write(back[1], &byte, 1) != 1)
			exit(1);
	return NULL;
}

static double trips(bool pipes)
{
	double begin;
	pthread_t id;
	char byte = 0;

	if (pipe(there) != 0 || pipe(back) != 0)
		exit(1);
	pthread_create(&id, NULL, answer, pipes ? there : NULL);
	begin = now_ns();
	if (!pipes)
		take_turns(false);
	for (int i = 0; pipes && i < TRIPS; i++)
		if (write(there[1], &byte, 1) != 1 ||
		    read(back[0], &byte, 1) != 1)
			exit(1);
	pthread_join(id, NULL);
	return (now_ns() - begin) / TRIPS / 1e3;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int count = argc > 2 ? atoi(argv[2]) : 1;
	double took = 0;

	if (!strcmp(what, "lock"))
		took = lock();
	else if (!strcmp(what, "lock2"))
		park(1), took = lock();
	else if (!strcmp(what, "contend") && count > 0 && count <= 64)
		took = contend(count);
	else if (!strcmp(what, "cond") || !strcmp(what, "pipe"))
		took = trips(what[0] == 'p');
	else
		return 2;
	printf("%.3f\n", took);
	return 0;
}
