// SPDX-License-Identifier: Apache-2.0
/* heap_sample.c - one allocation becomes one record: signal safe
 *
 * No system call but gettid() and the clock, no libc, so errno stays as it is. */
#include "source/heap_sample.h"

#include "base/cost.h"
#include "base/on.h"
#include "base/os.h"
#include "base/poisson.h"
#include "base/xorshift.h"
#include "capture/registry.h"
#include "source/heap.h"
#include "source/here.h"

/* A thread whose countdown was not drawn: how far it counts between two looks
 * whether profiling is on, and what its interval says. */
#define DORMANT UINT64_MAX
#define DORMANT_BYTES 16384

_Thread_local struct pyro_heap_thread pyro_heap_thread;

struct pyro_heap pyro_heap;

static uint64_t interval_now(void)
{
	return pyro_on_get() == PYRO_ON_NO
		       ? 0
		       : atomic_load_explicit(&pyro_heap.interval,
					      memory_order_relaxed);
}

/* Bytes until the next sample. */
static uint64_t draw(struct pyro_heap_thread *t)
{
	uint64_t interval = interval_now();

	if (!interval) {
		t->interval = DORMANT;
		return DORMANT_BYTES;
	}
	if (!t->random)
		t->random = pyro_xorshift_seed(t);
	t->interval = interval;
	return pyro_poisson_draw(interval, pyro_xorshift(&t->random));
}

void pyro_heap_raise(uint64_t interval)
{
	if (interval < UINT64_C(1) << 40)
		atomic_compare_exchange_strong(&pyro_heap.interval, &interval,
					       2 * interval);
}

static void limit_rate(void)
{
	uint64_t interval = atomic_load(&pyro_heap.interval);

	if (atomic_fetch_add(&pyro_heap.debt, 1) < PYRO_HEAP_RATE_MAX ||
	    interval == 0)
		return;
	/* Half: what comes of the doubling must be seen first. */
	atomic_fetch_sub(&pyro_heap.debt, PYRO_HEAP_RATE_MAX / 2);
	pyro_heap_raise(interval);
}

/* NULL: it is lost, and counted so. */
static struct pyro_record *take(struct pyro_heap_thread *t, size_t size)
{
	double objects = pyro_poisson_weight(size, t->interval);
	struct pyro_weight weight = {
		.count = pyro_xorshift_round(objects, &t->random),
		.value =
			pyro_xorshift_round(objects * (double)size, &t->random),
	};
	struct pyro_record *record =
		pyro_slots_take(PYRO_KIND_HEAP, pyro_gettid(), weight);

	limit_rate();
	if (record)
		record->heap = (struct pyro_heap_sample){
			.id = atomic_fetch_add(&pyro_heap.samples, 1) + 1,
			.size = size,
			.interval = t->interval,
		};
	return record;
}

void pyro_heap_begin_slow(struct pyro_heap_call *call)
{
	struct pyro_heap_thread *t = &pyro_heap_thread;

	if (call->left == 0 && t->interval != 0)
		return;
	if (pyro_in_library_thread) {
		t->interval = DORMANT;
		call->left = 0;
		return;
	}
	/* The first draw comes before the first test: an allocation is not
	 * sampled for being its thread's first. */
	if (t->interval == 0 || t->interval == DORMANT || !interval_now()) {
		call->left = draw(t);
		if (t->interval == DORMANT)
			return;
		if (call->left > call->size + 1) {
			call->left -= call->size + 1;
			return;
		}
	}
	call->sampled = true;
}

/* Before the record is seen: from then on, what is not live was freed. */
static bool add_live(struct pyro_record *record, uint64_t key)
{
	if (pyro_live_add(key, &record->heap))
		return true;
	pyro_slots_lose(record);
	return false;
}

/* What is lost is lost for all sums alike. Before it comes to that the interval
 * doubles: a burst fills the pool faster than the collector wakes. */
void pyro_heap_end_slow(const struct pyro_heap_call *call, uint64_t key,
			void *caller)
{
	struct pyro_heap_thread *t = &pyro_heap_thread;
	struct pyro_record *record;
	uint64_t began;

	if (key == 0) { /* there was no memory */
		t->left = call->left;
		return;
	}
	began = pyro_cost_begin(PYRO_COST_HOOKS);
	record = take(t, call->size);
	if (record && add_live(record, key))
		pyro_here_commit(record, caller);
	else
		record = NULL;
	if (!record || pyro_slots_are_crowded())
		pyro_heap_raise(t->interval);
	t->left = draw(t);
	pyro_cost_end(PYRO_COST_HOOKS, began);
}
