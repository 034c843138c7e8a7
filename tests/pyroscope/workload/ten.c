// SPDX-License-Identifier: Apache-2.0
/* ten.c - something for each of the types of profiles that are on by default */
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

#define BLOCKS 1000
#define BLOCK 65536

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *volatile kept[BLOCKS];

static void *wait_for_it(void *arg)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	return arg;
}

int main(void)
{
	pthread_t thread;

	pyroscope_load("");
	/* What is from before the hooks are in place does not count. */
	if (pyroscope_flush(5000) != 0)
		return 1;
	for (int i = 0; i < BLOCKS; i++)
		kept[i] = malloc(BLOCK);
	pthread_mutex_lock(&mutex);
	pthread_create(&thread, NULL, wait_for_it, NULL);
	usleep(200000);
	pthread_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	while (clock() < CLOCKS_PER_SEC)
		;
	return pyroscope_flush(10000) != 0;
}
