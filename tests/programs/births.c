// SPDX-License-Identifier: Apache-2.0
/* births.c - threads that stay, by three creators, and two hundred that end
 *
 * The library, if there is one, looks at those that stay when all are there. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <threads.h>
#include <unistd.h>

#include "program.h"

static void *stay(void *arg)
{
	pthread_setname_np(pthread_self(), "stays");
	pause();
	return arg;
}

static void *end(void *arg)
{
	return arg;
}

NOINLINE static int create_few(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, stay, &problems) + 1;
}

static int stay_c11(void *arg)
{
	stay(arg);
	return 0;
}

NOINLINE static int create_c11(void)
{
	thrd_t thread;

	return thrd_create(&thread, stay_c11, NULL) == thrd_success;
}

static int seven(void *arg)
{
	return *(int *)arg;
}

/* What it returns comes through. */
static void create_and_join_c11(void)
{
	int number = 7, result = 0;
	thrd_t thread;

	if (thrd_create(&thread, seven, &number) != thrd_success ||
	    thrd_join(thread, &result) != thrd_success || result != 7)
		PROBLEM("thrd");
}

NOINLINE static int create_many(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, stay, NULL) + 1;
}

NOINLINE static int create_and_join(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, end, NULL) +
	       pthread_join(thread, NULL) + 1;
}

int main(void)
{
	int (*flush)(uint32_t) =
		(int (*)(uint32_t))dlsym(RTLD_DEFAULT, "pyroscope_flush");

	for (int i = 0; i < 100; i++) {
		if (create_and_join() != 1)
			PROBLEM("join");
		create_and_join_c11();
		if (i % 50 == 0 && create_c11() != 1)
			PROBLEM("c11");
		if (i % 10 == 0 && create_many() != 1)
			PROBLEM("many");
		if (i % 30 == 0 && create_few() != 1)
			PROBLEM("few");
	}
	usleep(200000);
	if (flush && flush(10000) != 0)
		PROBLEM("flush");
	return problems != 0;
}
