// SPDX-License-Identifier: Apache-2.0
/* forward.c - hooks that do nothing: what it costs to be asked at all
 *
 * Each function ends in a jump to the next library's. */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

/* The first call of each finds the next; no function of these is called by
 * dlsym(). */
#define NEXT(result, name, ...)                                   \
	static result first_##name(__VA_ARGS__);                  \
	static result (*next_##name)(__VA_ARGS__) = first_##name; \
	static void find_##name(void)                             \
	{                                                         \
		*(void **)&next_##name = dlsym(RTLD_NEXT, #name); \
	}

#define FORWARD_1(result, name, type)      \
	NEXT(result, name, type)           \
	static result first_##name(type a) \
	{                                  \
		find_##name();             \
		return next_##name(a);     \
	}                                  \
	EXPORT result name(type a)         \
	{                                  \
		return next_##name(a);     \
	}

#define FORWARD_2(result, name, type, other)        \
	NEXT(result, name, type, other)             \
	static result first_##name(type a, other b) \
	{                                           \
		find_##name();                      \
		return next_##name(a, b);           \
	}                                           \
	EXPORT result name(type a, other b)         \
	{                                           \
		return next_##name(a, b);           \
	}

FORWARD_1(void *, malloc, size_t)
FORWARD_2(void *, calloc, size_t, size_t)
FORWARD_2(void *, realloc, void *, size_t)
FORWARD_2(void *, memalign, size_t, size_t)
FORWARD_2(void *, aligned_alloc, size_t, size_t)

NEXT(void, free, void *)
static void first_free(void *p)
{
	find_free();
	next_free(p);
}
EXPORT void free(void *p)
{
	next_free(p);
}

NEXT(int, posix_memalign, void **, size_t, size_t)
static int first_posix_memalign(void **p, size_t align, size_t size)
{
	find_posix_memalign();
	return next_posix_memalign(p, align, size);
}
EXPORT int posix_memalign(void **p, size_t align, size_t size)
{
	return next_posix_memalign(p, align, size);
}
FORWARD_1(int, pthread_mutex_lock, pthread_mutex_t *)
FORWARD_1(int, pthread_mutex_unlock, pthread_mutex_t *)
