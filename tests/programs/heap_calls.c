// SPDX-License-Identifier: Apache-2.0
/* heap_calls.c - every function of the C allocator, each called by a function of
 * its own, with what the profile must say of it
 *
 * Prints a line "function objects bytes in-use-objects in-use-bytes" for each.
 * Blocks of odd numbers are kept. Sizes that fail, and calls that free, count for
 * nothing. */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

/* For the compiler, which knows what these functions are for. */
static void *volatile kept[1000];
static size_t keeping;

struct want {
	const char *name;
	size_t objects, bytes, inuse_objects, inuse_bytes;
};

static void tell(const struct want *want)
{
	printf("%s %zu %zu %zu %zu\n", want->name, want->objects, want->bytes,
	       want->inuse_objects, want->inuse_bytes);
}

static void take(struct want *want, void *p, size_t size)
{
	if (!p)
		PROBLEM("%s gave nothing", want->name);
	memset(p, 1, size);
	want->objects++;
	want->bytes += size;
	if (want->objects % 2 == 0) {
		free(p);
		return;
	}
	kept[keeping++] = p;
	want->inuse_objects++;
	want->inuse_bytes += size;
}

#define CALLER(function, count, size, call)                     \
	static NOINLINE void call_##function(void)              \
	{                                                       \
		struct want want = {.name = "call_" #function}; \
                                                                \
		for (size_t i = 0; i < (count); i++)            \
			take(&want, call, size);                \
		tell(&want);                                    \
	}

static NOINLINE void *aligned(size_t align, size_t size)
{
	void *p = NULL;
	int err = posix_memalign(&p, align, size);

	return err ? NULL : p;
}

CALLER(malloc, 11, 100 + i, malloc(100 + i))
CALLER(malloc_large, 5, 300000 + i, malloc(300000 + i))
CALLER(malloc_empty, 7, 0, malloc(0))
CALLER(calloc, 9, 7 * i, calloc(7, i))
CALLER(calloc_large, 3, 400000, calloc(4, 100000))
CALLER(realloc_null, 5, 50, realloc(NULL, 50))
CALLER(reallocarray, 5, 8 * 9, reallocarray(NULL, 8, 9))
CALLER(posix_memalign, 5, 70, aligned(64, 70))
CALLER(aligned_alloc, 5, 128, aligned_alloc(64, 128))
CALLER(memalign, 5, 33, memalign(32, 33))
CALLER(valloc, 3, 200, valloc(200))
#ifdef __GLIBC__
CALLER(pvalloc, 3, 5000, pvalloc(5000))
#endif

/* What there was before is freed, and what comes is new. */
static NOINLINE void call_realloc(void)
{
	struct want want = {.name = "call_realloc"};

	for (size_t i = 0; i < 6; i++) {
		void *p = malloc(40), *q;

		if (!p)
			return;
		want.objects++;
		want.bytes += 40;
		memset(p, 7, 40);
		q = realloc(p, 1000 + i);
		if (!q || ((char *)q)[39] != 7)
			PROBLEM("realloc");
		take(&want, q, 1000 + i);
	}
	tell(&want);
}

static NOINLINE void call_realloc_fails(void)
{
	struct want want = {.name = "call_realloc_fails"};
	volatile size_t huge = SIZE_MAX / 2;
	void *volatile p = malloc(60);

	take(&want, p, 60);
	errno = 0;
	if (realloc(p, huge) || errno != ENOMEM)
		PROBLEM("realloc");
	errno = 0;
	if (reallocarray(p, huge, 4) || errno != ENOMEM)
		PROBLEM("reallocarray");
	tell(&want);
}

/* glibc frees, others give an empty block. */
static NOINLINE void call_realloc_to_nothing(void)
{
	struct want want = {.name = "call_realloc_to_nothing"};
	void *p = malloc(80);
	void *q = realloc(p, 0);

	want.objects = 1;
	want.bytes = 80;
	if (q)
		take(&want, q, 0);
	tell(&want);
}

static NOINLINE void call_fails(void)
{
	struct want want = {.name = "call_fails"};
	void *p = NULL;
	volatile size_t huge = SIZE_MAX / 2;

	errno = 0;
	if (malloc(huge) || errno != ENOMEM)
		PROBLEM("malloc");
	errno = 0;
	if (calloc(huge, 4) || errno != ENOMEM)
		PROBLEM("calloc");
	if (posix_memalign(&p, 64, huge) != ENOMEM)
		PROBLEM("posix_memalign");
	if (posix_memalign(&p, 3, 10) != EINVAL)
		PROBLEM("posix_memalign");
	tell(&want);
}

static NOINLINE void call_pool(void)
{
	static char pool[1000];
	struct want want = {.name = "call_pool"};

	for (size_t i = 0; i < 10; i++) {
		pyroscope_heap_alloc(pool + 100 * i, 90 + i);
		want.objects++;
		want.bytes += 90 + i;
		if (i % 2) {
			pyroscope_heap_free(pool + 100 * i);
			continue;
		}
		want.inuse_objects++;
		want.inuse_bytes += 90 + i;
	}
	pyroscope_heap_alloc(NULL, 5);
	pyroscope_heap_free(NULL);
	pyroscope_heap_free(pool + 1);
	tell(&want);
}

/* errno is what it was, whatever free() has to do. */
static NOINLINE void call_free(void)
{
	struct want want = {.name = "call_free"};

	for (size_t i = 0; i < 20; i++) {
		void *p = malloc(10 + 20000 * i);

		want.objects++;
		want.bytes += 10 + 20000 * i;
		if (!p)
			PROBLEM("malloc");
		errno = 77;
		free(p);
		if (errno != 77)
			PROBLEM("free changes errno");
	}
	free(NULL);
	tell(&want);
}

static void *in_thread(void *arg)
{
	static struct want want = {.name = "in_thread"};

	for (size_t i = 0; i < 9; i++)
		take(&want, malloc(500), 500);
	tell(&want);
	return arg;
}

/* What one thread allocates another frees. */
static NOINLINE void call_threads(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, in_thread, NULL))
		PROBLEM("pthread_create");
	pthread_join(thread, NULL);
}

int main(void)
{
	static char buffer[4096]; /* printf() allocates none */

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	pyroscope_load("");
	/* Until it samples. */
	for (double end = now() + 20; pyroscope_flush(0) != 0 && now() < end;)
		;
	/* A thread sees that it does after some KiB. */
	kept[keeping++] = malloc(100000);
	call_malloc();
	call_malloc_large();
	call_malloc_empty();
	call_calloc();
	call_calloc_large();
	call_realloc_null();
	call_reallocarray();
	call_posix_memalign();
	call_aligned_alloc();
	call_memalign();
	call_valloc();
#ifdef __GLIBC__
	call_pvalloc();
#endif
	call_realloc();
	call_realloc_fails();
	call_realloc_to_nothing();
	call_fails();
	call_pool();
	call_free();
	call_threads();
	return problems > 0;
}
