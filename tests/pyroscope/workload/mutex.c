// SPDX-License-Identifier: Apache-2.0
/* mutex.c - ten times, a lock is held for 50 ms while another thread waits */
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <unistd.h>

#include "work.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;

/* The lock is taken, and the other thread on its way there. */
WORK_VISIBLE static int hold_lock(void)
{
	pthread_barrier_wait(&barrier);
	usleep(60000);
	return pthread_mutex_unlock(&mutex) == 0; /* no tail call */
}

static void *wait_for_it(void *arg)
{
	for (int i = 0; i < 10; i++) {
		pthread_barrier_wait(&barrier);
		pthread_mutex_lock(&mutex);
		pthread_mutex_unlock(&mutex);
		pthread_barrier_wait(&barrier);
	}
	return arg;
}

int main(void)
{
	pthread_t thread;

	pthread_barrier_init(&barrier, NULL, 2);
	pyroscope_load("");
	if (pyroscope_flush(5000) != 0)
		return 1;
	pthread_create(&thread, NULL, wait_for_it, NULL);
	for (int i = 0; i < 10; i++) {
		pthread_mutex_lock(&mutex);
		if (!hold_lock())
			return 1;
		pthread_barrier_wait(&barrier);
	}
	pthread_join(thread, NULL);
	return 0;
}
