// SPDX-License-Identifier: Apache-2.0
/* block.c - ten waits of 50 ms for a condition variable, ten for a pipe */
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <time.h>
#include <unistd.h>

#include "work.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int fd[2];

WORK_VISIBLE static int wait_cond(void)
{
	struct timespec until;
	int rc;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 50000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&mutex);
	rc = pthread_cond_timedwait(&cond, &mutex, &until);
	pthread_mutex_unlock(&mutex);
	return rc;
}

WORK_VISIBLE static int wait_read(void)
{
	char byte;

	return (int)read(fd[0], &byte, 1);
}

static void *feed(void *arg)
{
	for (int i = 0; i < 10; i++) {
		usleep(50000);
		if (write(fd[1], "x", 1) != 1)
			return NULL;
	}
	return arg;
}

int main(void)
{
	pthread_t thread;

	if (pipe(fd))
		return 1;
	pyroscope_load("");
	if (pyroscope_flush(5000) != 0)
		return 1;
	for (int i = 0; i < 10; i++)
		wait_cond();
	pthread_create(&thread, NULL, feed, NULL);
	for (int i = 0; i < 10; i++)
		if (wait_read() != 1)
			return 1;
	pthread_join(thread, NULL);
	return 0;
}
