// SPDX-License-Identifier: Apache-2.0
/* lock_waiters.h - who waits for which lock, so that who unlocks is charged
 *
 * A table of slots, one for each thread that waits now. Of a wait, the time since
 * which nobody was charged stands in one word: an unlock moves it on to its own
 * time, and the end of the wait takes what is left. Each nanosecond is so handed
 * out once: what was charged and what was left over is what was waited, exactly.
 * A wait is counted by who is charged first.
 *
 * Locks are keys only, never looked at: their memory may be gone. No lock, no
 * allocation; in signal handlers, too. */
#ifndef PYRO_SOURCE_LOCK_WAITERS_H
#define PYRO_SOURCE_LOCK_WAITERS_H

#include <stdatomic.h>

#include "base/slots.h"

#define PYRO_LOCK_SLOTS 4096
/* A lock's waiters stand within so many slots; who finds none free is not in the
 * table. */
#define PYRO_LOCK_WINDOW 256

struct pyro_lock_waiter;

/* Of each home, how many wait. */
extern _Atomic uint32_t pyro_lock_waiting[PYRO_LOCK_SLOTS];

static inline uint32_t pyro_lock_home(uintptr_t lock)
{
	return (uint32_t)((lock >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 52);
}

/* May anybody wait for it? One load. */
static inline bool pyro_lock_is_awaited(const void *lock)
{
	return atomic_load_explicit(
		       &pyro_lock_waiting[pyro_lock_home((uintptr_t)lock)],
		       memory_order_relaxed) != 0;
}

/* The calling thread begins to wait, at now > 0. NULL: there is no room. A wait
 * that this thread had begun before, and which longjmp() or a signal handler left,
 * ends here for the table: *left is what nobody was charged with. */
struct pyro_lock_waiter *
pyro_lock_wait_begin(const void *lock, uint64_t now,
		     struct pyro_weight *left) PYRO_SIGNAL_SAFE;
/* It waits no longer: what nobody was charged with. Of count 1, nobody was charged
 * with anything. Zeros: the wait has ended for the table before. */
struct pyro_weight pyro_lock_wait_end(struct pyro_lock_waiter *waiter,
				      uint64_t now) PYRO_SIGNAL_SAFE;
/* The lock is about to be unlocked: what all who wait for it have waited since the
 * last time, and how many were never counted before. */
struct pyro_weight pyro_lock_charge(const void *lock,
				    uint64_t now) PYRO_SIGNAL_SAFE;

/* Of all who wait now: what nobody was charged with yet. Nobody will be charged for
 * the rest of these waits, nor is any of it left over. Collector. */
struct pyro_weight pyro_lock_cut(uint64_t now);
/* Threads that died while they waited: what nobody was charged with is lost.
 * Collector. */
void pyro_lock_reclaim(pyro_alive_fn *alive, void *arg);
/* In a forked child: the parent's threads do not wait here. Stores only. */
void pyro_lock_forked(void);

#endif
