// SPDX-License-Identifier: Apache-2.0
/* bench_calls.c - single numbers, one a process, that costs.py takes medians of
 *
 *     bench_calls load LIBRARY   microseconds that pyroscope_load() takes
 *     bench_calls read           nanoseconds of a read() of one byte
 *     bench_calls thread         microseconds of a thread's start and end */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"

static int load(const char *library)
{
	void *handle = dlopen(library, RTLD_NOW);
	void (*start)(const char *);
	double begin;

	if (!handle)
		return 1;
	*(void **)&start = dlsym(handle, "pyroscope_load");
	if (!start)
		return 1;
	begin = now_ns();
	start("http://127.0.0.1:9");
	printf("%.1f\n", (now_ns() - begin) / 1e3);
	fflush(stdout);
	_exit(0);
}

static int reads(void)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	double begin = now_ns();
	char byte;

	for (int i = 0; i < 1000000; i++)
		if (read(fd, &byte, 1) != 1)
			return 1;
	printf("%.1f\n", (now_ns() - begin) / 1e6);
	return 0;
}

static void *nothing(void *arg)
{
	return arg;
}

static int threads(void)
{
	double begin = now_ns();

	for (int i = 0; i < 5000; i++) {
		pthread_t id;

		if (pthread_create(&id, NULL, nothing, NULL) != 0)
			return 1;
		pthread_join(id, NULL);
	}
	printf("%.2f\n", (now_ns() - begin) / 5000e3);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "load") == 0 && argc > 2)
		return load(argv[2]);
	if (strcmp(what, "read") == 0)
		return reads();
	if (strcmp(what, "thread") == 0)
		return threads();
	return 2;
}
