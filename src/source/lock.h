// SPDX-License-Identifier: Apache-2.0
/* lock.h - what the hooks of locks do around the real calls
 *
 * Off, or where nobody waits, they do nothing but look. */
#ifndef PYRO_SOURCE_LOCK_H
#define PYRO_SOURCE_LOCK_H

#include "source/lock_waiters.h"
#include "source/timed.h"

struct pyro_lock_wait {
	uint64_t began; /* 0: nobody wants to know */
	struct pyro_lock_waiter *waiter;
	bool blocks; /* no spinlock */
};

/* Is a wait for a lock to be reported, to either profile? Two loads if not. */
static inline bool pyro_lock_wants_wait(void)
{
	return pyro_wait_wants_caused() || pyro_wait_wants(PYRO_WAIT_SYNC);
}

/* Does somebody wait for a lock that is about to be unlocked? */
static inline bool pyro_lock_wants_unlock(const void *lock)
{
	return pyro_wait_wants_caused() && pyro_lock_is_awaited(lock);
}

/* Before the real call that may wait. */
struct pyro_lock_wait pyro_lock_begin(const void *lock, bool blocks);
/* After it. Of waited false, it came back at once. */
void pyro_lock_end(struct pyro_lock_wait wait, const void *lock, bool waited,
		   void *caller);

/* Before a lock is unlocked: after that the time until it is locked again would be
 * ours. */
struct pyro_weight pyro_lock_unlocking(const void *lock);
/* After it, without a look at the lock. */
void pyro_lock_unlocked(struct pyro_weight caused, const void *lock, bool done,
			void *caller);
/* Before a call that unlocks it and waits for something else. */
void pyro_lock_leaving(const void *lock, void *caller);

#endif
