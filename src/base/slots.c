// SPDX-License-Identifier: Apache-2.0
/* slots.c - the writers' half of the pool: signal safe
 *
 * The pool's state lives in its own pages with MADV_WIPEONFORK, so a forked
 * child finds it empty whatever the parent's threads were doing. */
#include "base/slots.h"

#include "base/slots_pool.h"
#include "base/sync.h"

#define PROBES 8

struct pyro_slot_pool *_Atomic pyro_slot_pool;

static void lose(struct pyro_slot_pool *pool, enum pyro_kind kind,
		 struct pyro_weight weight)
{
	atomic_fetch_add_explicit(&pool->lost[kind].count, weight.count,
				  memory_order_relaxed);
	atomic_fetch_add_explicit(&pool->lost[kind].value, weight.value,
				  memory_order_relaxed);
}

struct pyro_record *pyro_slots_take(enum pyro_kind kind, pid_t tid,
				    struct pyro_weight weight)
{
	struct pyro_slot_pool *pool =
		atomic_load_explicit(&pyro_slot_pool, memory_order_acquire);

	if (!pool)
		return NULL;

	/* A shared counter spreads the starts evenly; threads that tick at
	 * once get neighbours, not the same slot. */
	size_t start =
		atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
	for (size_t i = 0; i < PROBES; i++) {
		struct pyro_record *r =
			pyro_slot_at(pool, (start + i * 17) & pool->mask);
		uint32_t state = PYRO_SLOT_FREE;

		if (atomic_compare_exchange_strong_explicit(
			    &r->state, &state, PYRO_SLOT_BUSY,
			    memory_order_acquire, memory_order_relaxed)) {
			atomic_store_explicit(&r->tid, tid,
					      memory_order_relaxed);
			r->kind = kind;
			r->weight = weight;
			r->depth = 0;
			r->room = atomic_load_explicit(&pool->depth,
						       memory_order_relaxed);
			return r;
		}
	}
	lose(pool, kind, weight);
	return NULL;
}

bool pyro_slots_are_crowded(void)
{
	struct pyro_slot_pool *pool =
		atomic_load_explicit(&pyro_slot_pool, memory_order_acquire);

	return pool &&
	       atomic_load_explicit(&pool->ready, memory_order_relaxed) >
		       pool->mask / 2;
}

void pyro_slots_lose(struct pyro_record *record)
{
	lose(atomic_load_explicit(&pyro_slot_pool, memory_order_acquire),
	     record->kind, record->weight);
	atomic_store_explicit(&record->tid, 0, memory_order_relaxed);
	atomic_store_explicit(&record->state, PYRO_SLOT_FREE,
			      memory_order_release);
}

void pyro_slots_wake(void)
{
	struct pyro_slot_pool *pool =
		atomic_load_explicit(&pyro_slot_pool, memory_order_acquire);

	if (!pool)
		return;
	atomic_fetch_add_explicit(&pool->wake, 1, memory_order_release);
	pyro_wake(&pool->wake);
}

void pyro_slots_commit(struct pyro_record *record, bool urgent)
{
	struct pyro_slot_pool *pool =
		atomic_load_explicit(&pyro_slot_pool, memory_order_acquire);

	atomic_store_explicit(&record->state, PYRO_SLOT_READY,
			      memory_order_release);

	uint32_t ready = atomic_fetch_add_explicit(&pool->ready, 1,
						   memory_order_seq_cst) +
			 1;

	if (ready == pool->mask / 2 ||
	    (urgent && atomic_exchange(&pool->urgent_allowed, false)) ||
	    (atomic_load_explicit(&pool->idle, memory_order_seq_cst) &&
	     atomic_exchange_explicit(&pool->idle, false,
				      memory_order_seq_cst)))
		pyro_slots_wake();
}
