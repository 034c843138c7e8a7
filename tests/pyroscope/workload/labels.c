// SPDX-License-Identifier: Apache-2.0
/* labels.c - work under labels: CPU time 1 : 2 for two routes, in two threads, one
 * part of it for a tenant as well, and blocks that the routes allocate
 *
 *     labels SECONDS
 */
#include "work.h"

#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <stdlib.h>

#define BLOCK 16384
#define BLOCKS 4096

static double seconds;
static void *volatile kept[3 * BLOCKS];

static __attribute__((noinline)) void allocate(int from, int count)
{
	for (int i = from; i < from + count; i++)
		kept[i] = malloc(BLOCK);
}

static void *serve(void *arg)
{
	int share = *(const int *)arg;

	{
		PYROSCOPE_LABELS_SCOPE("route", share == 1 ? "/cart" : "/pay");
		work_run(seconds * share, 1);
		allocate((share - 1) * BLOCKS, share * BLOCKS);
		if (share == 2) {
			PYROSCOPE_LABELS_SCOPE("tenant", "seven");
			work_run(seconds, 1);
		}
	}
	work_run(seconds, 1);
	return NULL;
}

int main(int argc, char **argv)
{
	static const int shares[] = {1, 2};
	pthread_t thread[2];

	if (argc < 2)
		return 2;
	seconds = atof(argv[1]);
	pyroscope_load("");
	/* Tables come first, or these would have no stacks. */
	while (pyroscope_flush(0) != 0)
		;
	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, serve, (void *)&shares[i]);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	work_report();
	return 0;
}
