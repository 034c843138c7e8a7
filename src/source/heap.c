// SPDX-License-Identifier: Apache-2.0
/* heap.c - start and stop heap sampling, and keep it in bounds */
#include "source/heap.h"

#include "base/os.h"
#include "base/poisson.h"
#include "base/xorshift.h"
#include "source/heap_next.h"
#include "source/heap_sample.h"

/* Below it what marks take for every sample is too much memory. */
#define MARKED_INTERVAL_MIN ((uint64_t)64 << 10)

/* So long a calm, at a quarter of the rate that is allowed, halves the interval
 * again. */
#define CALM_NS PYRO_NS_PER_SEC

/* Collector only. */
static struct {
	uint64_t asked;        /* the interval that was asked for */
	uint64_t base;         /* and the least that is allowed now */
	uint64_t looked_ns;    /* last adaptation; 0: none yet */
	uint64_t calm_ns;      /* the calm began, */
	uint64_t calm_samples; /* at this number */
	uint64_t random;
	uint64_t last; /* the interval when it was stopped */
} control;

int pyro_heap_start(uint64_t interval)
{
	int err = pyro_live_init();

	if (err)
		return err;
	control.asked = control.base = interval;
	control.looked_ns = 0;
	control.random = pyro_random() | 1;
	atomic_store(&pyro_heap.debt, 0);
	atomic_store(&pyro_heap.marks, interval >= MARKED_INTERVAL_MIN &&
					       pyro_heap_ignores_sizes());
	atomic_store(&pyro_heap.interval, interval);
	return 0;
}

void pyro_heap_stop(void)
{
	control.last = atomic_exchange(&pyro_heap.interval, 0);
}

void pyro_heap_forget(void)
{
	pyro_live_clear();
	control.last = 0;
}

void pyro_heap_forked(void)
{
	pyro_live_forked();
	atomic_store(&pyro_heap.debt, 0);
}

/* pyro_heap_adapt() brings it down again. */
void pyro_heap_set_halvings(unsigned halvings)
{
	uint64_t interval;

	control.base = control.asked << halvings;
	while ((interval = atomic_load(&pyro_heap.interval)) != 0 &&
	       interval < control.base)
		pyro_heap_raise(interval);
}

uint64_t pyro_heap_interval(void)
{
	uint64_t interval = atomic_load(&pyro_heap.interval);

	return interval ? interval : control.last;
}

/* An entry of a smaller interval is kept with the probability that it would have
 * been sampled by this one, given that it was: p_new / p_old. */
static int keep(void *arg, const struct pyro_heap_sample *sample)
{
	uint64_t interval = *(const uint64_t *)arg;
	uint64_t larger = sample->interval;
	int doublings = 0;

	while (larger < interval) {
		larger *= 2;
		doublings++;
	}
	return pyro_xorshift_unit(&control.random) *
				       pyro_poisson_weight(sample->size,
							   larger) <=
			       pyro_poisson_weight(sample->size,
						   sample->interval)
		       ? doublings
		       : -1;
}

void pyro_heap_thin(uint64_t interval)
{
	pyro_live_thin(keep, &interval);
}

static void pay_debt(uint64_t elapsed_ns)
{
	uint32_t debt = atomic_load(&pyro_heap.debt);
	uint64_t paid = elapsed_ns * PYRO_HEAP_RATE_MAX / PYRO_NS_PER_SEC;

	while (!atomic_compare_exchange_weak(
		&pyro_heap.debt, &debt, debt - (uint32_t)pyro_min(paid, debt)))
		;
}

static void begin_calm(uint64_t now)
{
	control.calm_ns = now;
	control.calm_samples = atomic_load(&pyro_heap.samples);
}

static void lower_when_calm(uint64_t now)
{
	uint64_t interval = pyro_heap_interval();
	uint64_t samples =
		atomic_load(&pyro_heap.samples) - control.calm_samples;

	if (samples > CALM_NS / PYRO_NS_PER_SEC * PYRO_HEAP_RATE_MAX / 4 ||
	    pyro_live_count() > PYRO_LIVE_MAX / 4) {
		begin_calm(now);
	} else if (now - control.calm_ns >= CALM_NS) {
		begin_calm(now);
		if (interval > control.base)
			atomic_compare_exchange_strong(&pyro_heap.interval,
						       &interval, interval / 2);
	}
}

void pyro_heap_adapt(uint64_t now)
{
	uint64_t interval = atomic_load(&pyro_heap.interval);

	if (interval == 0 || now - control.looked_ns < PYRO_NS_PER_MS)
		return;
	if (control.looked_ns == 0)
		begin_calm(now);
	else
		pay_debt(now - control.looked_ns);
	control.looked_ns = now;
	pyro_live_grow();
	if (pyro_live_count() > PYRO_LIVE_MAX / 4 * 3) {
		pyro_heap_raise(interval);
		pyro_heap_thin(pyro_heap_interval());
	}
	lower_when_calm(now);
}
