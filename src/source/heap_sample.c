// SPDX-License-Identifier: Apache-2.0
/* heap_sample.c - one allocation becomes one record: signal safe
 *
 * No system call but gettid() and the clock, no libc, so errno stays as it is. */
#include "source/heap_sample.h"

#include "base/on.h"
#include "base/os.h"
#include "base/poisson.h"
#include "capture/registry.h"
#include "image/modules.h"
#include "source/heap.h"

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

/* xorshift64* (Vigna 2016). */
static uint64_t random_bits(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

double pyro_heap_random(uint64_t *state)
{
	return (double)((random_bits(state) >> 11) + 1) * 0x1p-53;
}

static void seed(struct pyro_heap_thread *t)
{
	uint64_t x = pyro_clock_ns(CLOCK_MONOTONIC) ^ (uintptr_t)t ^
		     (uint64_t)pyro_gettid() << 40;

	/* splitmix64: neighbours become strangers. */
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	t->random = (x ^ x >> 31) | 1;
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
		seed(t);
	t->interval = interval;
	return pyro_poisson_draw(interval, random_bits(&t->random));
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

/* To one of its two neighbours, so that the mean is x. */
static uint64_t round_at_random(double x, uint64_t *random)
{
	return (uint64_t)(x + 1 - pyro_heap_random(random));
}

/* NULL: it is lost, and counted so. */
static struct pyro_record *take(struct pyro_heap_thread *t, size_t size)
{
	double objects = pyro_poisson_weight(size, t->interval);
	struct pyro_weight weight = {
		.count = round_at_random(objects, &t->random),
		.value = round_at_random(objects * (double)size, &t->random),
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

static struct pyro_stack stack_of(const struct pyro_heap_thread *t, pid_t tid)
{
	return t->stack.hi == 0 && tid == pyro_getpid() ? pyro_heap.main_stack
							: t->stack;
}

/* The frames before caller are the library's own. */
static void drop_own_frames(struct pyro_record *record, void *caller)
{
	uint64_t pc = pyro_strip_return_address((uintptr_t)caller) - 1;
	uint16_t own = 0;

	while (own < record->depth && own < 8 && record->pc[own] != pc)
		own++;
	if (own == 8 || own >= record->depth)
		return;
	record->depth = (uint16_t)(record->depth - own);
	for (size_t i = 0; i < record->depth; i++)
		record->pc[i] = record->pc[i + own];
}

static void walk_stack(struct pyro_record *record,
		       const struct pyro_snapshot *snapshot, void *caller)
{
	struct pyro_regs regs = {0};
	struct pyro_walk walk;

	PYRO_REGS_HERE(&regs);
	record->depth = (uint16_t)pyro_unwind_regs(
		snapshot, &regs, stack_of(&pyro_heap_thread, record->tid),
		record->pc, PYRO_DEPTH_MAX, &walk);
	record->stop = (uint16_t)walk.stop;
	record->generation = snapshot->generation;
	drop_own_frames(record, caller);
}

/* While the first tables are being built. */
static void only_caller(struct pyro_record *record, void *caller)
{
	record->pc[0] = pyro_strip_return_address((uintptr_t)caller) - 1;
	record->depth = 1;
	record->stop = PYRO_STOP_PENDING;
	record->generation = 0;
}

static void fill_and_commit(struct pyro_record *record, void *caller)
{
	unsigned entered = pyro_readers_enter();
	const struct pyro_snapshot *snapshot = pyro_modules_current();

	if (snapshot)
		walk_stack(record, snapshot, caller);
	else
		only_caller(record, caller);
	pyro_slots_commit(record, record->stop == PYRO_STOP_UNMAPPED);
	pyro_readers_leave(entered);
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

	if (key == 0) { /* there was no memory */
		t->left = call->left;
		return;
	}
	record = take(t, call->size);
	if (record && add_live(record, key))
		fill_and_commit(record, caller);
	else
		record = NULL;
	if (!record || pyro_slots_are_crowded())
		pyro_heap_raise(t->interval);
	t->left = draw(t);
}
