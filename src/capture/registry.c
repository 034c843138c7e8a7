// SPDX-License-Identifier: Apache-2.0
/* registry.c - entries of threads, grace periods, stack bounds */
#include "capture/registry.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/os.h"
#include "capture/readers.h"

#define MAIN_STACK_MAX ((size_t)64 << 20)
#define REGION_BYTES (PYRO_THREADS_MAX * sizeof(struct pyro_thread))

struct pyro_mutex pyro_registry_lock = PYRO_MUTEX_INIT(PYRO_RANK_REGISTRY);

struct pyro_thread *_Atomic pyro_registry_region;

/* Written under the registry lock. */
static _Atomic size_t limit; /* entries below were used once */
static size_t free_hint;     /* none is free below */

int pyro_registry_init(void)
{
	if (atomic_load(&pyro_registry_region))
		return 0;

	struct pyro_thread *fresh = pyro_pages_alloc(REGION_BYTES);

	if (!fresh)
		return -ENOMEM;
	madvise(fresh, REGION_BYTES, MADV_WIPEONFORK);
	atomic_store_explicit(&pyro_registry_region, fresh,
			      memory_order_release);
	return 0;
}

void pyro_registry_forked(void)
{
	atomic_store(&limit, 0);
	free_hint = 0;
	atomic_store(&pyro_readers.in[0], 0);
	atomic_store(&pyro_readers.in[1], 0);
}

struct pyro_thread *pyro_registry_claim(enum pyro_thread_state state)
{
	struct pyro_thread *base = atomic_load(&pyro_registry_region);

	for (size_t i = free_hint; base && i < PYRO_THREADS_MAX; i++) {
		struct pyro_thread *t = &base[i];

		if (atomic_load(&t->state) != PYRO_THREAD_FREE)
			continue;
		free_hint = i + 1;
		atomic_store(&limit, pyro_max(atomic_load(&limit), i + 1));
		t->armed = t->scanned = false;
		t->seen = true;
		t->serial++;
		t->stack = (struct pyro_stack){0, 0};
		atomic_store(&t->tid, 0);
		atomic_store(&t->state, state);
		return t;
	}
	return NULL;
}

void pyro_registry_release(struct pyro_thread *thread)
{
	size_t index = (size_t)(thread - atomic_load(&pyro_registry_region));

	atomic_store(&thread->tid, 0);
	atomic_store(&thread->state, PYRO_THREAD_FREE);
	free_hint = pyro_min(free_hint, index);
}

size_t pyro_registry_limit(void)
{
	return atomic_load(&limit);
}

struct pyro_thread *pyro_registry_at(size_t index)
{
	return atomic_load(&pyro_registry_region) + index;
}

/* They are in for some ten microseconds. */
static bool wait_out(unsigned side)
{
	for (int i = 0; atomic_load(&pyro_readers.in[side]) > 0; i++) {
		if (i == 1000)
			return false;
		pyro_sleep_ns(PYRO_NS_PER_MS);
	}
	return true;
}

/* Who comes now is counted apart from those that are in. On the other side there
 * may be one for whom it was given up before. */
bool pyro_registry_quiesce(void)
{
	unsigned before = atomic_load(&pyro_readers.side);

	if (!wait_out(before ^ 1))
		return false;
	atomic_store(&pyro_readers.side, before ^ 1);
	return wait_out(before);
}

/* The end of the [stack] mapping; its start is not the bound, as it grows. */
static uintptr_t main_stack_end(void)
{
	struct pyro_buf maps = {0};
	unsigned long lo = 0, hi = 0;

	if (pyro_read_file("/proc/self/maps", 64u << 20, &maps) == 0)
		pyro_buf_put(&maps, "", 1);

	char *mark = maps.data && !maps.failed
			     ? strstr((char *)maps.data, "[stack]")
			     : NULL;

	if (mark) {
		while (mark > (char *)maps.data && mark[-1] != '\n')
			mark--;
		if (sscanf(mark, "%lx-%lx", &lo, &hi) != 2)
			hi = 0;
	}
	pyro_buf_free(&maps);
	return hi;
}

struct pyro_stack pyro_stack_of_main(void)
{
	struct rlimit rl;
	struct pyro_stack stack = {0, main_stack_end()};

	if (!stack.hi || getrlimit(RLIMIT_STACK, &rl) != 0 ||
	    rl.rlim_cur == RLIM_INFINITY || rl.rlim_cur >= stack.hi)
		return (struct pyro_stack){0, 0};
	/* The kernel lets it grow down to here, and keeps others out; of a limit
	 * that the program raised itself, only what was kept free at exec. */
	stack.lo = stack.hi - pyro_min(rl.rlim_cur, MAIN_STACK_MAX);
	return stack;
}

/* On x86_64 both glibc and musl put the thread's descriptor, which
 * pthread_self() points to, on top of the stack's mapping, with the guard at
 * its other end. What the descriptor itself takes (a few KiB) is subtracted
 * once more at the low end, where it errs to the safe side. */
struct pyro_stack pyro_stack_of_self(size_t size, size_t guard)
{
#if defined(__x86_64__)
	uintptr_t top = (uintptr_t)pthread_self() & ~(uintptr_t)7;
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	size_t margin = guard + 8192;

	if (size > margin && top > size && here < top && here > top - size)
		return (struct pyro_stack){top - (size - margin), top};
#endif
	(void)size;
	(void)guard;
	return (struct pyro_stack){0, 0};
}
