// SPDX-License-Identifier: Apache-2.0
/* heap_next.h - the allocator's own functions, which the hooks forward to
 *
 * In libpyroscope.so each stands in a variable that points to a trampoline until
 * the functions are found: the hooks test nothing. In libpyroscope.a they are the
 * linker's __real_x (next.h). */
#ifndef PYRO_SOURCE_HEAP_NEXT_H
#define PYRO_SOURCE_HEAP_NEXT_H

#include <stdatomic.h>

#include "base/util.h"
#include "source/next.h"

/* XX(result, name, (parameters), (arguments)). By their own names, some of which
 * no libc has or no header declares. */
#define PYRO_HEAP_CALLS(XX)                                                   \
	XX(void *, malloc, (size_t size), (size))                             \
	XX(void *, calloc, (size_t count, size_t size), (count, size))        \
	XX(void *, realloc, (void *p, size_t size), (p, size))                \
	XX(void *, reallocarray, (void *p, size_t count, size_t size),        \
	   (p, count, size))                                                  \
	XX(int, posix_memalign, (void **p, size_t align, size_t size),        \
	   (p, align, size))                                                  \
	XX(void *, aligned_alloc, (size_t align, size_t size), (align, size)) \
	XX(void *, memalign, (size_t align, size_t size), (align, size))      \
	XX(void *, valloc, (size_t size), (size))                             \
	XX(void *, pvalloc, (size_t size), (size))
#define PYRO_HEAP_FREES(XX)                                          \
	XX(free, (void *p), (p))                                     \
	XX(free_sized, (void *p, size_t size), (p, size))            \
	XX(free_aligned_sized, (void *p, size_t align, size_t size), \
	   (p, align, size))

#ifdef PYRO_STATIC

#define PYRO_HEAP_DECLARE(result, name, parameters, arguments) \
	result __wrap_##name parameters;                       \
	result __real_##name parameters;
#define PYRO_HEAP_DECLARE_FREE(name, parameters, arguments) \
	PYRO_HEAP_DECLARE(void, name, parameters, arguments)
PYRO_HEAP_CALLS(PYRO_HEAP_DECLARE)
PYRO_HEAP_FREES(PYRO_HEAP_DECLARE_FREE)
/* Not in every libc. */
extern __typeof__(__real_pvalloc) __real_pvalloc PYRO_WEAK;
extern __typeof__(__real_free_sized) __real_free_sized PYRO_WEAK;
extern __typeof__(__real_free_aligned_sized) __real_free_aligned_sized
	PYRO_WEAK;
#define PYRO_HEAP_NEXT(name) __real_##name

#else

struct pyro_heap_next {
#define PYRO_HEAP_SLOT(result, name, parameters, arguments) \
	_Atomic uintptr_t name;
#define PYRO_HEAP_SLOT_FREE(name, parameters, arguments) _Atomic uintptr_t name;
	PYRO_HEAP_CALLS(PYRO_HEAP_SLOT)
	PYRO_HEAP_FREES(PYRO_HEAP_SLOT_FREE)
};

extern struct pyro_heap_next pyro_heap_next;

#define PYRO_HEAP_NEXT(name)                                            \
	((__typeof__(name) *)atomic_load_explicit(&pyro_heap_next.name, \
						  memory_order_relaxed))

#define PYRO_HEAP_DECLARE(result, name, parameters, arguments) \
	PYRO_HOOK result name parameters;
#define PYRO_HEAP_DECLARE_FREE(name, parameters, arguments) \
	PYRO_HOOK void name parameters;
PYRO_HEAP_CALLS(PYRO_HEAP_DECLARE)
PYRO_HEAP_FREES(PYRO_HEAP_DECLARE_FREE)

#define PYRO_HEAP_ONE(...) +1
#define PYRO_HEAP_COUNT \
	(0 PYRO_HEAP_CALLS(PYRO_HEAP_ONE) PYRO_HEAP_FREES(PYRO_HEAP_ONE))

extern const struct pyro_hooked pyro_heap_hooked[PYRO_HEAP_COUNT];

/* From the constructor; hooks that are called before do it themselves. */
void pyro_heap_next_find(void);

#endif

/* Does the allocator take blocks back without asking how large they were said to
 * be? Then it does not matter how a block was aligned. */
bool pyro_heap_ignores_sizes(void);

#endif
