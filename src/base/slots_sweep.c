// SPDX-License-Identifier: Apache-2.0
/* slots_sweep.c - the collector's half of the pool */
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "base/slots.h"
#include "base/slots_pool.h"
#include "base/sync.h"

int pyro_slots_init(size_t count, uint16_t depth)
{
	struct pyro_slot_pool *pool;

	if (atomic_load(&pyro_slot_pool))
		return 0;
	pool = pyro_pages_alloc(sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->room = depth;
	pool->stride = offsetof(struct pyro_record, pc) +
		       depth * sizeof(((struct pyro_record *)NULL)->pc[0]);
	pool->bytes = count * pool->stride;
	pool->mask = count - 1;
	pool->record = pyro_pages_alloc(pool->bytes);
	if (!pool->record) {
		pyro_pages_free(pool, sizeof(*pool));
		return -ENOMEM;
	}
	atomic_store(&pool->depth, depth);
	madvise(pool->record, pyro_align_up(pool->bytes, 4096),
		MADV_WIPEONFORK);
	atomic_store_explicit(&pyro_slot_pool, pool, memory_order_release);
	return 0;
}

void pyro_slots_set_depth(uint16_t depth)
{
	struct pyro_slot_pool *pool = atomic_load(&pyro_slot_pool);

	atomic_store(&pool->depth, depth < pool->room ? depth : pool->room);
}

void pyro_slots_free(void)
{
	struct pyro_slot_pool *pool = atomic_exchange(&pyro_slot_pool, NULL);

	if (!pool)
		return;
	pyro_pages_free(pool->record, pool->bytes);
	pyro_pages_free(pool, sizeof(*pool));
}

void pyro_slots_forked(void)
{
	struct pyro_slot_pool *pool = atomic_load(&pyro_slot_pool);

	if (!pool)
		return;
	for (int kind = 0; kind < PYRO_KIND_COUNT; kind++)
		pyro_slots_lost(kind);
	atomic_store(&pool->ready, 0);
	atomic_store(&pool->idle, false);
}

size_t pyro_slots_sweep(pyro_record_fn *fn, void *arg)
{
	struct pyro_slot_pool *pool = atomic_load(&pyro_slot_pool);
	size_t swept = 0;

	/* Before the scan: what is committed behind it counts for the next. */
	atomic_store(&pool->ready, 0);
	for (size_t i = 0; i <= pool->mask; i++) {
		struct pyro_record *r = pyro_slot_at(pool, i);

		if (atomic_load_explicit(&r->state, memory_order_acquire) !=
		    PYRO_SLOT_READY)
			continue;
		fn(arg, r);
		atomic_store_explicit(&r->tid, 0, memory_order_relaxed);
		atomic_store_explicit(&r->state, PYRO_SLOT_FREE,
				      memory_order_release);
		swept++;
	}
	/* The same slots again: memory for the most records between two
	 * sweeps, not for all. */
	atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
	return swept;
}

static bool is_busy_for(const struct pyro_record *r, pid_t tid)
{
	return atomic_load_explicit(&r->state, memory_order_acquire) ==
		       PYRO_SLOT_BUSY &&
	       atomic_load_explicit(&r->tid, memory_order_relaxed) == tid;
}

size_t pyro_slots_reclaim(pyro_alive_fn *alive, void *arg)
{
	struct pyro_slot_pool *pool = atomic_load(&pyro_slot_pool);
	size_t freed = 0;

	for (size_t i = 0; i <= pool->mask; i++) {
		struct pyro_record *r = pyro_slot_at(pool, i);
		pid_t tid = atomic_load_explicit(&r->tid, memory_order_relaxed);

		/* A writer sets tid right after BUSY: 0 is "just taken". */
		if (tid == 0 || !is_busy_for(r, tid) || alive(arg, tid))
			continue;
		/* It may have committed this or given it back before it ended,
		 * and another writer may have it. What is still its own then
		 * nobody touches any more. */
		atomic_thread_fence(memory_order_acquire);
		if (!is_busy_for(r, tid))
			continue;
		atomic_fetch_add(&pool->lost[r->kind].count, r->weight.count);
		atomic_fetch_add(&pool->lost[r->kind].value, r->weight.value);
		atomic_store_explicit(&r->tid, 0, memory_order_relaxed);
		atomic_store_explicit(&r->state, PYRO_SLOT_FREE,
				      memory_order_release);
		freed++;
	}
	return freed;
}

void pyro_slots_allow_urgent(void)
{
	atomic_store(&atomic_load(&pyro_slot_pool)->urgent_allowed, true);
}

struct pyro_weight pyro_slots_lost(enum pyro_kind kind)
{
	struct pyro_lost *lost = &atomic_load(&pyro_slot_pool)->lost[kind];

	return (struct pyro_weight){
		.count = atomic_exchange(&lost->count, 0),
		.value = atomic_exchange(&lost->value, 0),
	};
}

uint32_t pyro_slots_wakes(void)
{
	return atomic_load(&atomic_load(&pyro_slot_pool)->wake);
}

void pyro_slots_wait(uint32_t seen, uint64_t timeout_ns, bool idle)
{
	struct pyro_slot_pool *pool = atomic_load(&pyro_slot_pool);

	/* Idle is set before ready is looked at, and a writer counts ready
	 * before it looks at idle: one of the two sees the other. */
	atomic_store(&pool->idle, idle);

	uint32_t ready = atomic_load(&pool->ready);

	if (idle ? ready == 0 : ready < pool->mask / 2)
		pyro_wait(&pool->wake, seen, timeout_ns);
	atomic_store(&pool->idle, false);
}
