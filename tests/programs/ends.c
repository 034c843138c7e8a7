// SPDX-License-Identifier: Apache-2.0
/* ends.c - works for half a second and ends
 *
 *     ends exit|return|quick_exit|thread|_exit|_Exit|abort */
#include "program.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pyroscope/pyroscope.h"

NOINLINE static void work(void)
{
	double end = cpu() + 0.5;

	while (cpu() < end)
		;
}

static void *ends(void *arg)
{
	(void)arg;
	exit(7);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pthread_t thread;

	pyroscope_load("");
	work();
	if (strcmp(how, "exit") == 0)
		exit(7);
	if (strcmp(how, "quick_exit") == 0)
		quick_exit(7);
	if (strcmp(how, "_exit") == 0)
		_exit(7);
	if (strcmp(how, "_Exit") == 0)
		_Exit(7);
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "thread") == 0 &&
	    pthread_create(&thread, NULL, ends, NULL) == 0)
		pthread_join(thread, NULL);
	return 7;
}
