// SPDX-License-Identifier: Apache-2.0
/* heap_pool.c - blocks of the program's own allocators
 *
 * Their keys are their own: a pool's first block may lie where malloc() has put
 * the pool. */
#include "pyroscope/pyroscope.h"
#include "source/heap_sample.h"

void pyroscope_heap_alloc(const void *block, size_t size)
{
	struct pyro_heap_call call;

	if (!block || pyro_heap_passes(size))
		return;
	pyro_heap_begin(&call, size);
	pyro_heap_end(&call, (void *)((uintptr_t)block | PYRO_LIVE_POOL),
		      __builtin_return_address(0));
}

void pyroscope_heap_free(const void *block)
{
	uint64_t key = (uintptr_t)block | PYRO_LIVE_POOL;

	if (atomic_load_explicit(pyro_live_filter_of(key),
				 memory_order_relaxed) > 0)
		pyro_live_remove(key);
}
