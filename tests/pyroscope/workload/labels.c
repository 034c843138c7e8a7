// SPDX-License-Identifier: Apache-2.0
/* labels.c - work under labels: CPU time 1 : 2 for two routes, in two threads, one
 * part of it for a tenant as well, and blocks that the routes allocate; then spans
 * of a trace
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

/* Two spans of 1 : 2, the second with one inside that does not count. */
static void trace(void)
{
	static const uint8_t id[16] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd,
				       0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21,
				       0x1c, 0x80, 0x31, 0x9c};
	static const uint8_t span[3][8] = {
		{0xb7, 1}, {0xb7, 2}, {0xff, 0xff, 0xff, 0xff}};

	pyroscope_span_begin(id, span[0], "GET /cart");
	work_run(seconds, 1);
	pyroscope_span_end();
	pyroscope_span_begin(id, span[1], NULL);
	work_run(seconds, 1);
	pyroscope_span_begin(id, span[2], "inner");
	work_run(seconds, 1);
	pyroscope_span_end();
	pyroscope_span_end();
	pyroscope_span_end(); /* one too many */
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
	trace();
	work_report();
	return 0;
}
