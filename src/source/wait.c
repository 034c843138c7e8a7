// SPDX-License-Identifier: Apache-2.0
/* wait.c - one wait becomes one record: signal safe
 *
 * No system call but gettid() and the clock, no libc, so errno stays as it is. */
#include "source/wait.h"

#include "base/cost.h"
#include "base/on.h"
#include "base/os.h"
#include "base/xorshift.h"
#include "capture/lock_names.h"
#include "source/here.h"

/* So long a calm, at a quarter of the rate that is allowed, halves the rate's
 * interval again. */
#define CALM_NS PYRO_NS_PER_SEC
/* Above, one sample more would not be seen in a day. */
#define RATE_NS_MAX ((uint64_t)1 << 46)

struct pyro_wait_state pyro_wait_state;

struct sum {
	_Atomic uint64_t count, value;
};

static struct sum not_captured[PYRO_KIND_COUNT], left_over;

/* Samples in excess of what is allowed, of the block profile; and those that the
 * mutex profile may still take. */
static _Atomic uint32_t debt, budget;
static _Atomic uint64_t samples;

/* Collector only. */
static struct {
	uint64_t asked;      /* the rate that was asked for */
	uint64_t base;       /* and the least that is allowed now */
	uint32_t caused_max; /* stacks a second of the mutex profile, */
	uint64_t unused_ns;  /* time that has not brought one yet */
	uint64_t adapted_ns; /* last adaptation; 0: none yet */
	uint64_t calm_ns, calm_samples;
} control;

static _Thread_local uint64_t random_state;

static void add(struct sum *sum, uint64_t count, uint64_t ns)
{
	atomic_fetch_add_explicit(&sum->count, count, memory_order_relaxed);
	atomic_fetch_add_explicit(&sum->value, ns, memory_order_relaxed);
}

static struct pyro_weight take(struct sum *sum)
{
	return (struct pyro_weight){
		.count = atomic_exchange(&sum->count, 0),
		.value = atomic_exchange(&sum->value, 0),
	};
}

bool pyro_wait_reports(void)
{
	return pyro_on_get() != PYRO_ON_NO && !pyro_in_library_thread;
}

/* Unless another thread was first. */
static void raise_rate(uint64_t rate)
{
	if (rate && rate < RATE_NS_MAX)
		atomic_compare_exchange_strong(&pyro_wait_state.rate, &rate,
					       2 * rate);
}

static void limit_rate(uint64_t rate)
{
	if (atomic_fetch_add(&debt, 1) < PYRO_WAIT_RATE_MAX)
		return;
	/* Half: what comes of the doubling must be seen first. */
	atomic_fetch_sub(&debt, PYRO_WAIT_RATE_MAX / 2);
	raise_rate(rate);
}

/* Go's rule. False: not sampled. */
static bool draw(uint64_t ns, uint64_t rate, struct pyro_weight *weight)
{
	if (!random_state)
		random_state = pyro_xorshift_seed(&random_state);
	if (ns >= rate) {
		*weight = (struct pyro_weight){1, ns};
		return true;
	}
	if (pyro_xorshift_unit(&random_state) * (double)rate > (double)ns)
		return false;
	*weight = (struct pyro_weight){
		.count = pyro_xorshift_round((double)rate / (double)ns,
					     &random_state),
		.value = rate,
	};
	return true;
}

static bool record_here(enum pyro_kind kind, enum pyro_wait_class wait_class,
			struct pyro_weight weight, const void *lock,
			void *caller)
{
	uint64_t began = pyro_cost_begin(PYRO_COST_HOOKS);
	uint64_t mask = pyro_here_block(UINT64_MAX);
	struct pyro_record *record =
		pyro_slots_take(kind, pyro_gettid(), weight);

	if (record) {
		record->wait_class = wait_class;
		record->lock = pyro_lock_name(lock);
		pyro_here_commit(record, caller);
	}
	pyro_here_block(mask);
	pyro_cost_end(PYRO_COST_HOOKS, began);
	return record != NULL;
}

void pyro_wait_blocked(enum pyro_wait_class wait_class, uint64_t ns,
		       const void *lock, void *caller)
{
	uint64_t rate = atomic_load_explicit(&pyro_wait_state.rate,
					     memory_order_relaxed);
	struct pyro_weight weight;

	if (ns == 0 || rate == 0 || !draw(ns, rate, &weight))
		return;
	limit_rate(rate);
	atomic_fetch_add_explicit(&samples, 1, memory_order_relaxed);
	if (!record_here(PYRO_KIND_BLOCK, wait_class, weight, lock, caller) ||
	    pyro_slots_are_crowded())
		raise_rate(rate);
}

/* One stack of those that may still be taken. */
static bool spend(void)
{
	uint32_t left = atomic_load_explicit(&budget, memory_order_relaxed);

	while (left > 0)
		if (atomic_compare_exchange_weak(&budget, &left, left - 1))
			return !pyro_slots_are_crowded();
	return false;
}

void pyro_wait_caused(struct pyro_weight caused, const void *lock, void *caller)
{
	if (spend()) /* what is not recorded is counted as lost */
		record_here(PYRO_KIND_MUTEX, PYRO_WAIT_SYNC, caused, lock,
			    caller);
	else
		add(&not_captured[PYRO_KIND_MUTEX], caused.count, caused.value);
}

void pyro_wait_not_captured(enum pyro_kind kind, uint64_t count, uint64_t ns)
{
	add(&not_captured[kind], count, ns);
}

void pyro_wait_left_over(uint64_t count, uint64_t ns)
{
	add(&left_over, count, ns);
}

struct pyro_weight pyro_wait_take_not_captured(enum pyro_kind kind)
{
	return take(&not_captured[kind]);
}

struct pyro_weight pyro_wait_take_left_over(void)
{
	return take(&left_over);
}

static void forget(void)
{
	for (int kind = 0; kind < PYRO_KIND_COUNT; kind++)
		take(&not_captured[kind]);
	take(&left_over);
	atomic_store(&debt, 0);
	atomic_store(&budget, PYRO_CAUSED_RATE_MAX);
}

/* In a forked child it is on, and has summed up. */
void pyro_wait_start(uint64_t block_rate, uint32_t classes, bool mutex)
{
	bool was_block = atomic_load(&pyro_wait_state.rate) != 0;
	bool was_mutex = atomic_load(&pyro_wait_state.caused);
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	if (!was_block && !was_mutex)
		forget();
	if (!was_block)
		atomic_store(&pyro_wait_state.block_since, now);
	if (!was_mutex)
		atomic_store(&pyro_wait_state.caused_since, now);
	control.asked = block_rate;
	pyro_wait_set_halvings(0);
	control.adapted_ns = 0;
	atomic_store(&pyro_wait_state.rate, block_rate);
	atomic_store(&pyro_wait_state.classes, block_rate ? classes : 0);
	atomic_store(&pyro_wait_state.caused, mutex);
}

void pyro_wait_forked(void)
{
	forget();
}

void pyro_wait_set_halvings(unsigned halvings)
{
	uint64_t rate;

	control.base = control.asked << halvings;
	control.caused_max = PYRO_CAUSED_RATE_MAX >> halvings;
	while ((rate = atomic_load(&pyro_wait_state.rate)) != 0 &&
	       rate < control.base)
		raise_rate(rate);
}

static void pay_debt(uint64_t elapsed_ns)
{
	uint64_t paid = elapsed_ns * PYRO_WAIT_RATE_MAX / PYRO_NS_PER_SEC;
	uint32_t owed = atomic_load(&debt);

	while (!atomic_compare_exchange_weak(
		&debt, &owed, owed - (uint32_t)pyro_min(paid, owed)))
		;
}

static void refill(uint64_t elapsed_ns)
{
	uint64_t each = PYRO_NS_PER_SEC / control.caused_max;
	uint64_t more = (control.unused_ns + elapsed_ns) / each;
	uint32_t left = atomic_load(&budget);

	control.unused_ns = (control.unused_ns + elapsed_ns) % each;
	while (!atomic_compare_exchange_weak(
		&budget, &left,
		(uint32_t)pyro_min(left + more, control.caused_max)))
		;
}

static void begin_calm(uint64_t now)
{
	control.calm_ns = now;
	control.calm_samples = atomic_load(&samples);
}

static void lower_when_calm(uint64_t now)
{
	uint64_t rate = atomic_load(&pyro_wait_state.rate);

	if (atomic_load(&samples) - control.calm_samples >
	    CALM_NS / PYRO_NS_PER_SEC * PYRO_WAIT_RATE_MAX / 4) {
		begin_calm(now);
	} else if (now - control.calm_ns >= CALM_NS) {
		begin_calm(now);
		if (rate > control.base)
			atomic_compare_exchange_strong(&pyro_wait_state.rate,
						       &rate, rate / 2);
	}
}

void pyro_wait_adapt(uint64_t now)
{
	uint64_t elapsed = pyro_min(now - control.adapted_ns, PYRO_NS_PER_SEC);

	if (control.adapted_ns == 0) {
		begin_calm(now);
	} else if (elapsed < 10 * PYRO_NS_PER_MS) {
		return;
	} else {
		pay_debt(elapsed);
		refill(elapsed);
	}
	control.adapted_ns = now;
	lower_when_calm(now);
}
