// SPDX-License-Identifier: Apache-2.0
/* try.c - what profilers of locks do by a preloaded library: try each lock first,
 * and time who has to wait */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static int (*next_lock)(pthread_mutex_t *);
static int (*next_try)(pthread_mutex_t *);
static _Atomic uint64_t waited;

__attribute__((constructor)) static void find(void)
{
	*(void **)&next_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
	*(void **)&next_try = dlsym(RTLD_NEXT, "pthread_mutex_trylock");
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

__attribute__((visibility("default"))) int
pthread_mutex_lock(pthread_mutex_t *mutex)
{
	uint64_t began;
	int rc;

	if (!next_try)
		find();
	rc = next_try(mutex);
	if (rc != EBUSY)
		return rc;
	began = now();
	rc = next_lock(mutex);
	atomic_fetch_add(&waited, now() - began);
	return rc;
}
