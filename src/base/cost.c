// SPDX-License-Identifier: Apache-2.0
/* cost.c - CPU time of samples, added up: signal safe */
#include "base/cost.h"

#include <stdatomic.h>

#include "base/os.h"

#define EVERY 16

/* From the timer's expiry to the handler and back: an empty handler's signal less
 * the call that sends it (docs/benchmarks.md). The clock of a handler cannot see
 * it. */
#define DELIVERY_NS 2300

#define CALIBRATIONS 32

static struct {
	_Atomic uint64_t begun, ns;
} costs[PYRO_COST_COUNT];

static _Atomic uint64_t clock_ns;

static uint64_t now_ns(void)
{
	return pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* Multiples of the golden ratio: evenly spread over all that come, and over those of
 * threads whose samples take turns. */
static bool is_measured(uint64_t n)
{
	return (uint32_t)(n * UINT32_C(0x9e3779b1) + UINT32_C(0x80000000)) <
	       UINT32_MAX / EVERY;
}

uint64_t pyro_cost_begin(enum pyro_cost cost)
{
	uint64_t n = atomic_fetch_add_explicit(&costs[cost].begun, 1,
					       memory_order_relaxed);

	return is_measured(n) ? now_ns() : 0;
}

void pyro_cost_end(enum pyro_cost cost, uint64_t began)
{
	uint64_t clock, took;

	if (!began)
		return;
	clock = atomic_load_explicit(&clock_ns, memory_order_relaxed);
	took = now_ns() - began;
	took = took > clock ? took - clock : 0;
	pyro_cost_add(cost, EVERY * took + 2 * clock);
}

void pyro_cost_add(enum pyro_cost cost, uint64_t ns)
{
	atomic_fetch_add_explicit(&costs[cost].ns, ns, memory_order_relaxed);
}

uint64_t pyro_cost_ns(enum pyro_cost cost)
{
	uint64_t ns =
		atomic_load_explicit(&costs[cost].ns, memory_order_relaxed);

	if (cost == PYRO_COST_HANDLERS)
		ns += DELIVERY_NS * atomic_load_explicit(&costs[cost].begun,
							 memory_order_relaxed);
	return ns;
}

/* On average: the thread's clock stands still while others run. */
void pyro_cost_calibrate(void)
{
	uint64_t began = now_ns();

	for (int i = 1; i < CALIBRATIONS; i++)
		now_ns();
	atomic_store(&clock_ns, (now_ns() - began) / CALIBRATIONS);
}

void pyro_cost_forked(void)
{
	for (int i = 0; i < PYRO_COST_COUNT; i++) {
		atomic_store(&costs[i].begun, 0);
		atomic_store(&costs[i].ns, 0);
	}
}
