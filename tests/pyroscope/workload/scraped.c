/* SPDX-License-Identifier: Apache-2.0 */
/* scraped.c - scraped ADDRESS: a known piece of work for each byte of its input
 *
 * Keeps 4096 blocks of 16 KiB from keep() and burns a processor in burn(). A piece
 * of work is 16384 blocks of 16 KiB by churn(), which are freed at once, and 200 ms
 * for which hold() has a lock that want() waits for; then it prints "done". */
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "work.h"

#define BLOCK 16384

static void *volatile kept[4096];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;
static _Atomic bool stop;

WORK_VISIBLE static void keep(void)
{
	for (int i = 0; i < 4096; i++)
		kept[i] = malloc(BLOCK);
}

WORK_VISIBLE static void churn(void)
{
	for (int i = 0; i < 16384; i++) {
		void *volatile block = malloc(BLOCK);

		free(block);
		/* At once, they would be more samples than there is room for. */
		if (i % 64 == 0)
			usleep(1000);
	}
}

WORK_VISIBLE static void *burn(void *arg)
{
	while (!stop)
		for (int i = 0; i < 100000; i++)
			__asm__ volatile("");
	return arg;
}

WORK_VISIBLE static int hold(void)
{
	pthread_mutex_lock(&mutex);
	pthread_barrier_wait(&barrier);
	usleep(200000);
	return pthread_mutex_unlock(&mutex) == 0; /* no tail call */
}

WORK_VISIBLE static void *want(void *arg)
{
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return arg;
}

int main(int argc, char **argv)
{
	pthread_t burner, waiter;
	char byte;

	if (argc < 2)
		return 2;
	pthread_barrier_init(&barrier, NULL, 2);
	pyroscope_load("");
	if (pyroscope_flush(5000) != 0 || pyroscope_listen(argv[1]) != 0)
		return 1;
	keep();
	pthread_create(&burner, NULL, burn, NULL);
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) == 1) {
		churn();
		pthread_create(&waiter, NULL, want, NULL);
		if (!hold())
			return 1;
		pthread_join(waiter, NULL);
		puts("done");
		fflush(stdout);
	}
	stop = true;
	pthread_join(burner, NULL);
	return 0;
}
