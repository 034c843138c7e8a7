// SPDX-License-Identifier: Apache-2.0
/* threads.c - five threads that stand in one function, and one in another */
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <semaphore.h>
#include <unistd.h>

#include "work.h"

static sem_t never;

WORK_VISIBLE static int stand_here(void)
{
	/* No tail call. */
	return sem_wait(&never) + 1;
}

WORK_VISIBLE static int stand_there(void)
{
	return pause() + 1;
}

static void *stand(void *arg)
{
	pthread_setname_np(pthread_self(), arg ? "five" : "one");
	arg ? stand_here() : stand_there();
	return NULL;
}

int main(void)
{
	pthread_t thread;

	sem_init(&never, 0, 0);
	pyroscope_load("");
	sleep(1); /* until the first stacks can be walked */
	for (int i = 0; i < 6; i++)
		if (pthread_create(&thread, NULL, stand, i ? &never : NULL))
			return 1;
	sleep(1);
	return pyroscope_flush(5000) == 0 ? 0 : 1;
}
