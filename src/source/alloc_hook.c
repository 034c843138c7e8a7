// SPDX-License-Identifier: Apache-2.0
/* alloc_hook.c - operator new, and what allocators have beside malloc
 *
 * The standard libraries' operator new calls malloc, where it is counted. That of
 * jemalloc, tcmalloc and mimalloc does not: it is hooked if it is of the same
 * object as malloc. The other functions have names of their own.
 *
 * The real function is called first, and the block counted when it is there: it
 * may throw, and nothing of ours may be under way then. (So blocks are not put
 * where free() looks, heap_live.h.) */
#include "source/alloc_hook.h"

#include "source/heap_sample.h"
#include "source/next.h"

#define CALLER __builtin_return_address(0)

/* XX(name, (parameters), (arguments), bytes): returns a block. */
#define NEWS(XX)                                                        \
	XX(_Znwm, (size_t n), (n), n)                                   \
	XX(_Znam, (size_t n), (n), n)                                   \
	XX(_ZnwmRKSt9nothrow_t, (size_t n, const void *no), (n, no), n) \
	XX(_ZnamRKSt9nothrow_t, (size_t n, const void *no), (n, no), n)
/* XX(name, the same that does not throw) */
#define ALIGNED_NEWS(XX)                                             \
	XX(_ZnwmSt11align_val_t, _ZnwmSt11align_val_tRKSt9nothrow_t) \
	XX(_ZnamSt11align_val_t, _ZnamSt11align_val_tRKSt9nothrow_t)
#define ALLOCS(XX)                                                             \
	XX(mallocx, (size_t n, int flags), (n, flags), n)                      \
	XX(tc_malloc, (size_t n), (n), n)                                      \
	XX(tc_malloc_skip_new_handler, (size_t n), (n), n)                     \
	XX(tc_calloc, (size_t count, size_t n), (count, n), product(count, n)) \
	XX(tc_memalign, (size_t align, size_t n), (align, n), n)               \
	XX(tc_valloc, (size_t n), (n), n)                                      \
	XX(tc_pvalloc, (size_t n), (n), n)                                     \
	XX(tc_new, (size_t n), (n), n)                                         \
	XX(tc_newarray, (size_t n), (n), n)                                    \
	XX(tc_new_nothrow, (size_t n, const void *no), (n, no), n)             \
	XX(tc_newarray_nothrow, (size_t n, const void *no), (n, no), n)        \
	XX(mi_malloc, (size_t n), (n), n)                                      \
	XX(mi_malloc_small, (size_t n), (n), n)                                \
	XX(mi_zalloc, (size_t n), (n), n)                                      \
	XX(mi_zalloc_small, (size_t n), (n), n)                                \
	XX(mi_calloc, (size_t count, size_t n), (count, n), product(count, n)) \
	XX(mi_mallocn, (size_t count, size_t n), (count, n),                   \
	   product(count, n))                                                  \
	XX(mi_malloc_aligned, (size_t n, size_t align), (n, align), n)         \
	XX(mi_zalloc_aligned, (size_t n, size_t align), (n, align), n)         \
	XX(mi_calloc_aligned, (size_t count, size_t n, size_t align),          \
	   (count, n, align), product(count, n))                               \
	XX(mi_memalign, (size_t align, size_t n), (align, n), n)               \
	XX(mi_aligned_alloc, (size_t align, size_t n), (align, n), n)          \
	XX(mi_valloc, (size_t n), (n), n)                                      \
	XX(mi_pvalloc, (size_t n), (n), n)                                     \
	XX(mi_new, (size_t n), (n), n)                                         \
	XX(mi_new_n, (size_t count, size_t n), (count, n), product(count, n))  \
	XX(mi_new_aligned, (size_t n, size_t align), (n, align), n)            \
	XX(mi_new_nothrow, (size_t n), (n), n)                                 \
	XX(mi_new_aligned_nothrow, (size_t n, size_t align), (n, align), n)
/* XX(name, (parameters), (arguments), bytes): of block p. */
#define REALLOCS(XX)                                                          \
	XX(rallocx, (void *p, size_t n, int flags), (p, n, flags), n)         \
	XX(tc_realloc, (void *p, size_t n), (p, n), n)                        \
	XX(mi_realloc, (void *p, size_t n), (p, n), n)                        \
	XX(mi_rezalloc, (void *p, size_t n), (p, n), n)                       \
	XX(mi_reallocn, (void *p, size_t count, size_t n), (p, count, n),     \
	   product(count, n))                                                 \
	XX(mi_reallocarray, (void *p, size_t count, size_t n), (p, count, n), \
	   product(count, n))                                                 \
	XX(mi_recalloc, (void *p, size_t count, size_t n), (p, count, n),     \
	   product(count, n))                                                 \
	XX(mi_realloc_aligned, (void *p, size_t n, size_t align),             \
	   (p, n, align), n)
/* XX(name, (parameters), (arguments)): of block p. */
#define DELETES(XX)                                                    \
	XX(_ZdlPv, (void *p), (p))                                     \
	XX(_ZdaPv, (void *p), (p))                                     \
	XX(_ZdlPvm, (void *p, size_t n), (p, n))                       \
	XX(_ZdaPvm, (void *p, size_t n), (p, n))                       \
	XX(_ZdlPvRKSt9nothrow_t, (void *p, const void *no), (p, no))   \
	XX(_ZdaPvRKSt9nothrow_t, (void *p, const void *no), (p, no))   \
	XX(_ZdlPvSt11align_val_t, (void *p, size_t align), (p, align)) \
	XX(_ZdaPvSt11align_val_t, (void *p, size_t align), (p, align)) \
	XX(_ZdlPvmSt11align_val_t, (void *p, size_t n, size_t align),  \
	   (p, n, align))                                              \
	XX(_ZdaPvmSt11align_val_t, (void *p, size_t n, size_t align),  \
	   (p, n, align))                                              \
	XX(_ZdlPvSt11align_val_tRKSt9nothrow_t,                        \
	   (void *p, size_t align, const void *no), (p, align, no))    \
	XX(_ZdaPvSt11align_val_tRKSt9nothrow_t,                        \
	   (void *p, size_t align, const void *no), (p, align, no))
#define FREES(XX)                                                      \
	XX(dallocx, (void *p, int flags), (p, flags))                  \
	XX(sdallocx, (void *p, size_t n, int flags), (p, n, flags))    \
	XX(tc_free, (void *p), (p))                                    \
	XX(tc_free_sized, (void *p, size_t n), (p, n))                 \
	XX(tc_cfree, (void *p), (p))                                   \
	XX(tc_delete, (void *p), (p))                                  \
	XX(tc_deletearray, (void *p), (p))                             \
	XX(tc_delete_sized, (void *p, size_t n), (p, n))               \
	XX(tc_deletearray_sized, (void *p, size_t n), (p, n))          \
	XX(tc_delete_nothrow, (void *p, const void *no), (p, no))      \
	XX(tc_deletearray_nothrow, (void *p, const void *no), (p, no)) \
	XX(mi_free, (void *p), (p))                                    \
	XX(mi_cfree, (void *p), (p))                                   \
	XX(mi_free_size, (void *p, size_t n), (p, n))                  \
	XX(mi_free_aligned, (void *p, size_t align), (p, align))       \
	XX(mi_free_size_aligned, (void *p, size_t n, size_t align),    \
	   (p, n, align))

/* XX(name): as posix_memalign. */
#define MEMALIGNS(XX) XX(tc_posix_memalign) XX(mi_posix_memalign)

#define REAL(name)                                                        \
	((__typeof__(hook_##name) *)(void (*)(void))atomic_load_explicit( \
		&pyro_next_##name, memory_order_relaxed))

/* SIZE_MAX, of which no allocator has a block, if that is too large. */
static inline size_t product(size_t count, size_t size)
{
	size_t bytes;

	return __builtin_mul_overflow(count, size, &bytes) ? SIZE_MAX : bytes;
}

static __attribute__((noinline)) void *sampled(void *p, size_t bytes,
					       void *caller)
{
	struct pyro_heap_call call;

	pyro_heap_begin(&call, bytes);
	return pyro_heap_end(&call, p, caller);
}

/* Out of the table before the real call, or another thread could get the address,
 * and its entry be taken for this one. */
static inline struct pyro_live_entry *hold(void *p)
{
	return __builtin_expect(pyro_live_may_have((uintptr_t)p), 0)
		       ? pyro_live_hold((uintptr_t)p)
		       : NULL;
}

static inline void unhold(struct pyro_live_entry *held, void *p, bool is_gone)
{
	if (__builtin_expect(!held, 1))
		return;
	if (is_gone)
		pyro_live_drop(held, (uintptr_t)p);
	else
		pyro_live_restore(held, (uintptr_t)p);
}

#define DEFINE_ALLOC(name, parameters, arguments, bytes)               \
	PYRO_NEXT_SLOT(name);                                          \
	static void *hook_##name parameters                            \
	{                                                              \
		if (__builtin_expect(pyro_heap_passes(bytes), 1))      \
			return REAL(name) arguments;                   \
		return sampled(REAL(name) arguments, (bytes), CALLER); \
	}
NEWS(DEFINE_ALLOC)
ALLOCS(DEFINE_ALLOC)

/* jemalloc's calls aligned_alloc(), by its exported name: part of it. */
#define DEFINE_ALIGNED(name, nothrow)                                       \
	PYRO_NEXT_SLOT(name);                                               \
	PYRO_NEXT_SLOT(nothrow);                                            \
	static void *hook_##nothrow(size_t n, size_t align, const void *no) \
	{                                                                   \
		struct pyro_heap_call call;                                 \
                                                                            \
		pyro_heap_begin(&call, n);                                  \
		return pyro_heap_end(&call, REAL(nothrow)(n, align, no),    \
				     CALLER);                               \
	}                                                                   \
	static void *hook_##name(size_t n, size_t align)                    \
	{                                                                   \
		struct pyro_heap_call call;                                 \
		void *p;                                                    \
                                                                            \
		pyro_heap_begin(&call, n);                                  \
		p = pyro_heap_end(&call, REAL(nothrow)(n, align, &call),    \
				  CALLER);                                  \
		return p ? p : REAL(name)(n, align); /* which throws */     \
	}
ALIGNED_NEWS(DEFINE_ALIGNED)

#define DEFINE_REALLOC(name, parameters, arguments, bytes) \
	PYRO_NEXT_SLOT(name);                              \
	static void *hook_##name parameters                \
	{                                                  \
		struct pyro_live_entry *held = hold(p);    \
		void *q = REAL(name) arguments;            \
                                                           \
		unhold(held, p, q || (bytes) == 0);        \
		return sampled(q, (bytes), CALLER);        \
	}
REALLOCS(DEFINE_REALLOC)

#define DEFINE_FREE(name, parameters, arguments)                           \
	PYRO_NEXT_SLOT(name);                                              \
	static void hook_##name parameters                                 \
	{                                                                  \
		if (__builtin_expect(pyro_live_may_have((uintptr_t)p), 0)) \
			pyro_live_remove((uintptr_t)p);                    \
		REAL(name) arguments;                                      \
	}
DELETES(DEFINE_FREE)
FREES(DEFINE_FREE)

#define DEFINE_MEMALIGN(name)                                    \
	PYRO_NEXT_SLOT(name);                                    \
	static int hook_##name(void **p, size_t align, size_t n) \
	{                                                        \
		int err = REAL(name)(p, align, n);               \
                                                                 \
		sampled(err ? NULL : *p, n, CALLER);             \
		return err;                                      \
	}
MEMALIGNS(DEFINE_MEMALIGN)

/* Where it is, to another size, which it returns; too small: it has failed. */
PYRO_NEXT_SLOT(xallocx);
static size_t hook_xallocx(void *p, size_t n, size_t extra, int flags)
{
	struct pyro_live_entry *held = hold(p);
	size_t size = REAL(xallocx)(p, n, extra, flags);

	unhold(held, p, size >= n);
	if (size >= n)
		sampled(p, n, CALLER);
	return size;
}

#define HOOKED(name) {#name, (void (*)(void))hook_##name, &pyro_next_##name},
#define HOOKED_BLOCK(name, parameters, arguments, bytes) HOOKED(name)
#define HOOKED_ALIGNED(name, nothrow) HOOKED(name) HOOKED(nothrow)
#define HOOKED_FREE(name, parameters, arguments) HOOKED(name)

static const struct pyro_hooked news[] = {NEWS(HOOKED_BLOCK)
						  ALIGNED_NEWS(HOOKED_ALIGNED)};
static const struct pyro_hooked deletes[] = {DELETES(HOOKED_FREE)};
static const struct pyro_hooked others[] = {ALLOCS(HOOKED_BLOCK) REALLOCS(
	HOOKED_BLOCK) FREES(HOOKED_FREE) MEMALIGNS(HOOKED) HOOKED(xallocx)};

static uintptr_t of_provider(const char *name)
{
	struct pyro_bind_definition malloc_ = pyro_bind_definition("malloc");
	struct pyro_bind_definition d = pyro_bind_definition(name);

	return malloc_.function && d.object == malloc_.object ? d.function : 0;
}

/* All of them or none. */
static void use_news(void)
{
	for (size_t i = 0; i < PYRO_COUNT_OF(news); i++)
		if (!of_provider(news[i].name))
			return;
	for (size_t i = 0; i < PYRO_COUNT_OF(news); i++)
		atomic_store(news[i].next, of_provider(news[i].name));
}

/* mimalloc does not have all. */
static void use_deletes(void)
{
	for (size_t i = 0; i < PYRO_COUNT_OF(deletes); i++)
		if (of_provider(deletes[i].name))
			atomic_store(deletes[i].next,
				     of_provider(deletes[i].name));
}

void pyro_alloc_hook_resolve(void)
{
	pyro_bind_add(news, PYRO_COUNT_OF(news), use_news);
	pyro_bind_add(deletes, PYRO_COUNT_OF(deletes), use_deletes);
	pyro_bind_add(others, PYRO_COUNT_OF(others), NULL);
}
