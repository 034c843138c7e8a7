// SPDX-License-Identifier: Apache-2.0
/* lock.c - waits for locks, into the block profile and the mutex profile */
#include "source/lock.h"

struct pyro_lock_wait pyro_lock_begin(const void *lock, bool blocks)
{
	struct pyro_lock_wait wait = {.blocks = blocks};
	struct pyro_weight left;

	wait.began = pyro_timed_now(CLOCK_MONOTONIC);
	if (wait.began == 0 || !pyro_wait_wants_caused())
		return wait;
	wait.waiter = pyro_lock_wait_begin(lock, wait.began, &left);
	if (left.value)
		pyro_wait_left_over(left.count, left.value);
	return wait;
}

/* What no room was for has no unlock that was charged. */
static void leave(struct pyro_lock_wait wait, uint64_t now, bool waited)
{
	struct pyro_weight left = {1, now - wait.began};

	if (wait.waiter)
		left = pyro_lock_wait_end(wait.waiter, now);
	if (!pyro_wait_wants_caused() ||
	    wait.began < atomic_load(&pyro_wait_state.caused_since))
		return;
	/* Nobody was charged, and it has not slept: it did not wait. */
	if (left.count && left.value < PYRO_WAIT_MIN_NS)
		return;
	if (waited && left.value)
		pyro_wait_left_over(left.count, left.value);
}

void pyro_lock_end(struct pyro_lock_wait wait, const void *lock, bool waited,
		   void *caller)
{
	uint64_t now;

	if (wait.began == 0)
		return;
	now = pyro_timed_now(CLOCK_MONOTONIC);
	leave(wait, now, waited);
	if (waited && wait.blocks && pyro_wait_wants(PYRO_WAIT_SYNC) &&
	    now >= wait.began + PYRO_WAIT_MIN_NS &&
	    pyro_wait_was_on(wait.began))
		pyro_wait_blocked(PYRO_WAIT_SYNC, now - wait.began, lock,
				  caller);
}

struct pyro_weight pyro_lock_unlocking(const void *lock)
{
	return pyro_lock_charge(lock, pyro_timed_now(CLOCK_MONOTONIC));
}

void pyro_lock_unlocked(struct pyro_weight caused, const void *lock, bool done,
			void *caller)
{
	if (caused.value == 0)
		return;
	if (done)
		pyro_wait_caused(caused, lock, caller);
	else
		pyro_wait_left_over(caused.count, caused.value);
}

/* With the lock held for a walk longer: what is told after the wait may be told
 * much too late, or never. */
void pyro_lock_leaving(const void *lock, void *caller)
{
	pyro_lock_unlocked(pyro_lock_unlocking(lock), lock, true, caller);
}
