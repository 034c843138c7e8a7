// SPDX-License-Identifier: Apache-2.0
/* heap_next.c - find the allocator's own functions
 *
 * Hooks are called before our constructor, by the dynamic linker and by other
 * libraries' constructors: the first call of each looks for all. The search
 * itself allocates nothing. */
#include "source/heap_next.h"

#include <dlfcn.h>
#include <string.h>

#ifdef PYRO_STATIC

extern __typeof__(__real_malloc) __libc_malloc PYRO_WEAK;

/* glibc's own; of another nothing is known. */
bool pyro_heap_ignores_sizes(void)
{
	return __libc_malloc && __real_malloc == __libc_malloc;
}

#else

#define FIRST(result, name, parameters, arguments)     \
	static result first_##name parameters          \
	{                                              \
		pyro_heap_next_find();                 \
		return PYRO_HEAP_NEXT(name) arguments; \
	}
#define FIRST_FREE(name, parameters, arguments) \
	static void first_##name parameters     \
	{                                       \
		pyro_heap_next_find();          \
		PYRO_HEAP_NEXT(name) arguments; \
	}
PYRO_HEAP_CALLS(FIRST)
PYRO_HEAP_FREES(FIRST_FREE)

#define INITIAL(result, name, parameters, arguments) \
	.name = (uintptr_t)first_##name,
#define INITIAL_FREE(name, parameters, arguments) \
	.name = (uintptr_t)first_##name,
struct pyro_heap_next pyro_heap_next = {PYRO_HEAP_CALLS(INITIAL)
						PYRO_HEAP_FREES(INITIAL_FREE)};

/* For what the allocator does not have: pvalloc is glibc's, and the frees with a
 * size are new in C23. */
static void *missing_pvalloc(size_t size)
{
	size_t pages = pyro_align_up(size, 4096);

	return pages < size ? NULL : PYRO_HEAP_NEXT(memalign)(4096, pages);
}

static void missing_free_sized(void *p, size_t size)
{
	(void)size;
	PYRO_HEAP_NEXT(free)(p);
}

static void missing_free_aligned_sized(void *p, size_t align, size_t size)
{
	(void)align;
	(void)size;
	PYRO_HEAP_NEXT(free)(p);
}

static void find(_Atomic uintptr_t *slot, const char *name, uintptr_t missing)
{
	uintptr_t found = pyro_next_find(name);

	if (found || missing)
		atomic_store(slot, found ? found : missing);
}

#define FIND(name, missing) find(&pyro_heap_next.name, #name, missing)

/* Two threads may both look, and find the same. */
void pyro_heap_next_find(void)
{
	FIND(malloc, 0);
	FIND(calloc, 0);
	FIND(realloc, 0);
	FIND(free, 0);
	FIND(reallocarray, 0);
	FIND(posix_memalign, 0);
	FIND(aligned_alloc, 0);
	FIND(memalign, 0);
	FIND(valloc, 0);
	FIND(pvalloc, (uintptr_t)missing_pvalloc);
	FIND(free_sized, (uintptr_t)missing_free_sized);
	FIND(free_aligned_sized, (uintptr_t)missing_free_aligned_sized);
}

/* glibc's and musl's own, and mimalloc, whose mi_free_size() ignores it. Those of
 * jemalloc and tcmalloc put a block into the list of the size that they are
 * told. */
bool pyro_heap_ignores_sizes(void)
{
	static const char *const known[] = {"libc.so", "libc-2.", "libc.musl-",
					    "ld-musl-", "libmimalloc"};
	Dl_info info;
	const char *name;

	if (!dladdr((void *)atomic_load(&pyro_heap_next.malloc), &info) ||
	    !info.dli_fname)
		return false;
	name = strrchr(info.dli_fname, '/');
	name = name ? name + 1 : info.dli_fname;
	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++)
		if (strncmp(name, known[i], strlen(known[i])) == 0)
			return true;
	return false;
}

#endif
