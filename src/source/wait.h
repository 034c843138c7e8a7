// SPDX-License-Identifier: Apache-2.0
/* wait.h - what hooks report of waiting, and how the collector drives them
 *
 * The block profile charges who waited, the mutex profile who made others wait.
 * Waits are sampled by Go's rule: with a rate of R ns, one of R or more always,
 * as it is; a shorter one of d ns with probability d/R, and then it stands for
 * R/d waits of R ns in all. The rate doubles when samples come faster than
 * PYRO_WAIT_RATE_MAX; a sample is weighed by the rate that it was drawn with.
 * Of the mutex profile every delay counts: what comes faster than
 * PYRO_CAUSED_RATE_MAX is summed up without stacks. */
#ifndef PYRO_SOURCE_WAIT_H
#define PYRO_SOURCE_WAIT_H

#include <stdatomic.h>

#include "base/slots.h"

/* Stacks a second, on average. */
#define PYRO_WAIT_RATE_MAX 500
#define PYRO_CAUSED_RATE_MAX 1000

/* For all hooks; written by wait.c. */
struct pyro_wait_state {
	/* Of the block profile: bits 1 << enum pyro_wait_class; 0: off. */
	_Atomic uint32_t classes;
	_Atomic uint64_t rate; /* nanoseconds; 0: off */
	_Atomic bool caused;   /* the mutex profile is on */
	/* Since when the one and the other are on (CLOCK_MONOTONIC). */
	_Atomic uint64_t block_since, caused_since;
};
extern struct pyro_wait_state pyro_wait_state;

/* ---- For hooks: signal safe, errno is kept. ---- */

/* Does this thread report now? */
bool pyro_wait_reports(void) PYRO_SIGNAL_SAFE;

/* Are waits of this class to be reported? A load, where the profile is off. */
static inline bool pyro_wait_wants(enum pyro_wait_class wait_class)
{
	uint32_t classes = atomic_load_explicit(&pyro_wait_state.classes,
						memory_order_relaxed);

	return __builtin_expect((classes & 1u << wait_class) != 0, 0) &&
	       pyro_wait_reports();
}

/* Are delays that this thread has caused? */
static inline bool pyro_wait_wants_caused(void)
{
	return __builtin_expect(atomic_load_explicit(&pyro_wait_state.caused,
						     memory_order_relaxed),
				0) &&
	       pyro_wait_reports();
}

/* Was the block profile on during all of a wait that has begun then? One into which
 * a time falls when it was off is not reported. */
static inline bool pyro_wait_was_on(uint64_t began)
{
	return began >= atomic_load_explicit(&pyro_wait_state.block_since,
					     memory_order_relaxed);
}

/* The calling thread has waited for ns. caller, the hook's return address, is
 * where its stack begins; lock is what it waited for, or NULL if that can have no
 * name. Not while it holds a lock of ours. */
void pyro_wait_blocked(enum pyro_wait_class wait_class, uint64_t ns,
		       const void *lock, void *caller) PYRO_SIGNAL_SAFE;
/* It has ended waits of others for a lock: how many, and for how long in all. */
void pyro_wait_caused(struct pyro_weight caused, const void *lock,
		      void *caller) PYRO_SIGNAL_SAFE;
/* The same of a kind, where no stack can be had: exact sums. */
void pyro_wait_not_captured(enum pyro_kind kind, uint64_t count,
			    uint64_t ns) PYRO_SIGNAL_SAFE;
/* Waits for locks that no unlock was charged with. */
void pyro_wait_left_over(uint64_t count, uint64_t ns) PYRO_SIGNAL_SAFE;

/* ---- For the collector. ---- */

/* From now on; also to turn one of them on or off later. block_rate of 0: no block
 * profile. */
void pyro_wait_start(uint64_t block_rate, uint32_t classes, bool mutex);
/* In a forked child: what the parent has not shown yet is the parent's. Stores
 * only. */
void pyro_wait_forked(void);
/* Halve the rates so many times: of the block profile from what was asked for, of
 * the mutex profile from PYRO_CAUSED_RATE_MAX. */
void pyro_wait_set_halvings(unsigned halvings);
/* Keep rates in bounds. now: CLOCK_MONOTONIC. Often while there are samples. */
void pyro_wait_adapt(uint64_t now);

/* The sums since the last call. */
struct pyro_weight pyro_wait_take_not_captured(enum pyro_kind kind);
struct pyro_weight pyro_wait_take_left_over(void);

#endif
