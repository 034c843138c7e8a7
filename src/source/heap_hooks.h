// SPDX-License-Identifier: Apache-2.0
/* heap_hooks.h - the hooks of the C allocator's functions, for heap_hook.c and
 * heap_front.c, which say what HOOK, HOOK_NAME(name) and NEXT(name) are, and
 * whether it MARKS blocks
 *
 * malloc and free end in a jump: an allocation that is not sampled costs a
 * subtraction, and a free that cannot be of a sampled block a test of the
 * address. */
#include <errno.h>
#include <string.h>

#include "source/heap_next.h"
#include "source/heap_sample.h"

#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CALLER __builtin_return_address(0)

/* Where free() looks. Together with a small block less than 1 KiB: for more, glibc
 * first puts all small blocks that were freed in order, some 60 us in a program
 * that has freed many. */
#define MARK_ALIGN PYRO_LIVE_MARK
/* glibc gives larger blocks pages of their own: they are marked as they are. */
#define LARGE ((size_t)128 << 10)
/* A block that was reallocated is moved to be marked if it is no larger. */
#define MOVED ((size_t)16 << 10)

static bool to_mark(const struct pyro_heap_call *call)
{
	return MARKS && call->sampled &&
	       atomic_load_explicit(&pyro_heap.marks, memory_order_relaxed);
}

/* A sampled block that lies where free() looks. p is it, or NULL when it was not
 * asked for yet; if there is none to be had, p as it is. */
static void *marked(void *p, size_t size)
{
	int saved = errno;
	void *fresh = NEXT(memalign)(MARK_ALIGN, size);

	errno = saved;
	if (!fresh)
		return p;
	if (p)
		NEXT(free)(p);
	return fresh;
}

static __attribute__((noinline)) void *slow_malloc(size_t size, void *caller)
{
	struct pyro_heap_call call;
	void *p = NULL;

	pyro_heap_begin(&call, size);
	if (to_mark(&call) && size < LARGE)
		p = marked(NULL, size);
	if (!p)
		p = NEXT(malloc)(size);
	if (to_mark(&call) && p && !pyro_live_is_marked((uintptr_t)p))
		p = marked(p, size);
	return pyro_heap_end(&call, p, caller);
}

HOOK void *HOOK_NAME(malloc)(size_t size)
{
	return pyro_heap_passes(size) ? NEXT(malloc)(size)
				      : slow_malloc(size, CALLER);
}

static __attribute__((noinline)) void slow_free(void *p)
{
	pyro_live_remove((uintptr_t)p);
	NEXT(free)(p);
}

HOOK void HOOK_NAME(free)(void *p)
{
	if (UNLIKELY(pyro_live_may_have((uintptr_t)p)))
		slow_free(p);
	else
		NEXT(free)(p);
}

/* A sampled block may have been aligned more than it was asked for: the allocator
 * that is told so must not see it here. */
HOOK void HOOK_NAME(free_sized)(void *p, size_t size)
{
	if (UNLIKELY(pyro_live_may_have((uintptr_t)p)))
		slow_free(p);
	else if (NEXT(free_sized))
		NEXT(free_sized)(p, size);
	else
		NEXT(free)(p);
}

HOOK void HOOK_NAME(free_aligned_sized)(void *p, size_t align, size_t size)
{
	if (UNLIKELY(pyro_live_may_have((uintptr_t)p)))
		slow_free(p);
	else if (NEXT(free_aligned_sized))
		NEXT(free_aligned_sized)(p, align, size);
	else
		NEXT(free)(p);
}

HOOK void *HOOK_NAME(calloc)(size_t count, size_t size)
{
	struct pyro_heap_call call;
	size_t bytes;
	void *p = NULL;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NEXT(calloc)(count, size);
	pyro_heap_begin(&call, bytes);
	if (to_mark(&call) && bytes < LARGE)
		p = marked(NULL, bytes);
	if (p)
		memset(p, 0, bytes);
	else
		p = NEXT(calloc)(count, size);
	return pyro_heap_end(&call, p, CALLER);
}

/* Out of the table before the real call, or another thread could get the address,
 * and its entry be taken for this one. */
static void *reallocate(void *p, size_t size, void *caller)
{
	struct pyro_heap_call call;
	uint64_t key = (uintptr_t)p;
	struct pyro_live_entry *held =
		UNLIKELY(pyro_live_may_have(key)) ? pyro_live_hold(key) : NULL;
	void *q;

	pyro_heap_begin(&call, size);
	q = NEXT(realloc)(p, size);
	if (UNLIKELY(held)) {
		if (q || size == 0) /* of size 0 it was a free */
			pyro_live_drop(held, key);
		else
			pyro_live_restore(held, key);
	}
	if (to_mark(&call) && q && size <= MOVED &&
	    !pyro_live_is_marked((uintptr_t)q)) {
		void *fresh = marked(NULL, size);

		if (fresh) {
			memcpy(fresh, q, size);
			NEXT(free)(q);
			q = fresh;
		}
	}
	return pyro_heap_end(&call, q, caller);
}

HOOK void *HOOK_NAME(realloc)(void *p, size_t size)
{
	return reallocate(p, size, CALLER);
}

HOOK void *HOOK_NAME(reallocarray)(void *p, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NEXT(reallocarray)(p, count, size);
	return reallocate(p, bytes, CALLER);
}

static size_t alignment(const struct pyro_heap_call *call, size_t align)
{
	return to_mark(call) ? pyro_max(align, MARK_ALIGN) : align;
}

HOOK int HOOK_NAME(posix_memalign)(void **p, size_t align, size_t size)
{
	struct pyro_heap_call call;
	int err;

	if (align % sizeof(void *) != 0 || (align & (align - 1)) != 0 ||
	    align == 0)
		return NEXT(posix_memalign)(p, align, size);
	pyro_heap_begin(&call, size);
	err = NEXT(posix_memalign)(p, alignment(&call, align), size);
	pyro_heap_end(&call, err ? NULL : *p, CALLER);
	return err;
}

/* The size need not be a multiple of the alignment that marks it: memalign's must
 * not. */
HOOK void *HOOK_NAME(aligned_alloc)(size_t align, size_t size)
{
	struct pyro_heap_call call;
	void *p;

	pyro_heap_begin(&call, size);
	p = to_mark(&call) && align < MARK_ALIGN && (align & (align - 1)) == 0
		    ? NEXT(memalign)(MARK_ALIGN, size)
		    : NEXT(aligned_alloc)(align, size);
	return pyro_heap_end(&call, p, CALLER);
}

HOOK void *HOOK_NAME(memalign)(size_t align, size_t size)
{
	struct pyro_heap_call call;

	pyro_heap_begin(&call, size);
	return pyro_heap_end(
		&call, NEXT(memalign)(alignment(&call, align), size), CALLER);
}

HOOK void *HOOK_NAME(valloc)(size_t size)
{
	struct pyro_heap_call call;

	pyro_heap_begin(&call, size);
	return pyro_heap_end(&call, NEXT(valloc)(size), CALLER);
}

HOOK void *HOOK_NAME(pvalloc)(size_t size)
{
	struct pyro_heap_call call;

	pyro_heap_begin(&call, size);
	return pyro_heap_end(&call, NEXT(pvalloc)(size), CALLER);
}
