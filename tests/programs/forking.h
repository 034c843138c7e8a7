// SPDX-License-Identifier: Apache-2.0
/* forking.h - what programs that fork do in their children, and beside it */
#ifndef PYRO_TESTS_FORKING_H
#define PYRO_TESTS_FORKING_H

#include <pthread.h>
#include <stdlib.h>

#include "program.h"

NOINLINE static void burn(double for_s)
{
	double end = cpu() + for_s;

	while (cpu() < end)
		for (int i = 0; i < 3000; i++)
			__asm__ volatile("");
}

/* Found by name in the profiles; unlike, so that they are not folded. */
__attribute__((unused)) NOINLINE static void in_parent(double for_s)
{
	burn(for_s);
	__asm__ volatile("" ::"i"(1));
}

__attribute__((unused)) NOINLINE static void in_child(double for_s)
{
	burn(for_s);
	__asm__ volatile("" ::"i"(2));
}

__attribute__((unused)) static void allocate(size_t size)
{
	void *volatile block = malloc(size);

	free(block);
}

/* A thread of a child's. */
__attribute__((unused)) static void *little_thread(void *arg)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	(void)arg;
	pthread_mutex_lock(&lock);
	allocate(5000);
	pthread_mutex_unlock(&lock);
	return NULL;
}

#endif
