// SPDX-License-Identifier: Apache-2.0
/* lock_waiters.c - the table of who waits for which lock */
#include "source/lock_waiters.h"

#include "base/os.h"

#define FREE 0
#define BUSY 1 /* no lock's address */
/* In the place of a time: what is waited from now on does not count. It lies after
 * every time, and counts as charged. */
#define CUT UINT64_MAX

/* In static memory, which costs nothing before it is used. */
static struct pyro_lock_waiter {
	_Atomic uintptr_t lock; /* or FREE, BUSY */
	/* Nanoseconds since which nobody was charged, times 2, + 1: it is counted.
	 * 0: nobody waits. Who takes it to 0 frees the slot. */
	_Atomic uint64_t since;
	_Atomic pid_t tid;
	uint32_t home;
} waiters[PYRO_LOCK_SLOTS];

_Atomic uint32_t pyro_lock_waiting[PYRO_LOCK_SLOTS];

/* Has anybody ever waited? There is nothing to look through before. */
static _Atomic bool used;

/* A thread waits for one lock at a time. */
static _Thread_local struct pyro_lock_waiter *current;

static struct pyro_lock_waiter *waiter_at(uint32_t home, uint32_t distance)
{
	return &waiters[(home + distance) % PYRO_LOCK_SLOTS];
}

static struct pyro_lock_waiter *claim(uint32_t home)
{
	for (uint32_t i = 0; i < PYRO_LOCK_WINDOW; i++) {
		struct pyro_lock_waiter *w = waiter_at(home, i);
		uintptr_t free = FREE;

		if (atomic_load_explicit(&w->lock, memory_order_relaxed) ==
			    FREE &&
		    atomic_compare_exchange_strong(&w->lock, &free, BUSY))
			return w;
	}
	return NULL;
}

/* The slot's, if it was still taken. */
static struct pyro_weight release(struct pyro_lock_waiter *w, uint64_t now)
{
	uint64_t since = atomic_exchange(&w->since, 0);

	if (since == 0)
		return (struct pyro_weight){0, 0};
	atomic_fetch_sub(&pyro_lock_waiting[w->home], 1);
	atomic_store(&w->tid, 0);
	atomic_store(&w->lock, FREE);
	/* An unlock may have looked at the clock after us. */
	return (struct pyro_weight){
		.count = !(since & 1),
		.value = now > since / 2 ? now - since / 2 : 0,
	};
}

struct pyro_lock_waiter *pyro_lock_wait_begin(const void *lock, uint64_t now,
					      struct pyro_weight *left)
{
	uint32_t home = pyro_lock_home((uintptr_t)lock);
	struct pyro_lock_waiter *w = current;

	current = NULL;
	*left = w ? release(w, now) : (struct pyro_weight){0, 0};
	w = claim(home);
	if (!w)
		return NULL;
	atomic_store_explicit(&used, true, memory_order_relaxed);
	w->home = home;
	atomic_store(&w->tid, pyro_gettid());
	atomic_fetch_add(&pyro_lock_waiting[home], 1);
	atomic_store(&w->since, 2 * now);
	atomic_store(&w->lock, (uintptr_t)lock);
	current = w;
	return w;
}

struct pyro_weight pyro_lock_wait_end(struct pyro_lock_waiter *waiter,
				      uint64_t now)
{
	if (!waiter || current != waiter)
		return (struct pyro_weight){0, 0};
	current = NULL;
	return release(waiter, now);
}

/* since was read before the lock: if the slot is another wait's meanwhile, its time
 * differs. */
static void charge(struct pyro_lock_waiter *w, uintptr_t lock, uint64_t now,
		   struct pyro_weight *sum)
{
	uint64_t since = atomic_load(&w->since);

	while (since != 0 && since / 2 < now && atomic_load(&w->lock) == lock)
		if (atomic_compare_exchange_strong(&w->since, &since,
						   2 * now + 1)) {
			sum->count += !(since & 1);
			sum->value += now - since / 2;
			return;
		}
}

struct pyro_weight pyro_lock_charge(const void *lock, uint64_t now)
{
	uint32_t home = pyro_lock_home((uintptr_t)lock);
	uint32_t ahead = atomic_load(&pyro_lock_waiting[home]);
	struct pyro_weight sum = {0, 0};

	for (uint32_t i = 0; i < PYRO_LOCK_WINDOW && ahead > 0; i++) {
		struct pyro_lock_waiter *w = waiter_at(home, i);
		uintptr_t key =
			atomic_load_explicit(&w->lock, memory_order_relaxed);

		if (key == FREE || key == BUSY || pyro_lock_home(key) != home)
			continue;
		ahead--;
		if (key == (uintptr_t)lock)
			charge(w, key, now, &sum);
	}
	return sum;
}

static void cut(struct pyro_lock_waiter *w, uint64_t now,
		struct pyro_weight *sum)
{
	uint64_t since = atomic_load(&w->since);

	while (since != 0 && since != CUT)
		if (atomic_compare_exchange_strong(&w->since, &since, CUT)) {
			sum->count += !(since & 1);
			sum->value += now > since / 2 ? now - since / 2 : 0;
			return;
		}
}

struct pyro_weight pyro_lock_cut(uint64_t now)
{
	struct pyro_weight sum = {0, 0};

	if (!atomic_load(&used))
		return sum;
	for (uint32_t i = 0; i < PYRO_LOCK_SLOTS; i++)
		cut(&waiters[i], now, &sum);
	return sum;
}

void pyro_lock_reclaim(pyro_alive_fn *alive, void *arg)
{
	if (!atomic_load(&used))
		return;
	for (uint32_t i = 0; i < PYRO_LOCK_SLOTS; i++) {
		struct pyro_lock_waiter *w = &waiters[i];
		pid_t tid = atomic_load(&w->tid);

		if (tid != 0 && !alive(arg, tid) && atomic_load(&w->tid) == tid)
			release(w, 0);
	}
}

void pyro_lock_forked(void)
{
	if (!atomic_load(&used))
		return;
	for (uint32_t i = 0; i < PYRO_LOCK_SLOTS; i++)
		if (atomic_load(&waiters[i].lock) != FREE) {
			atomic_store(&waiters[i].since, 0);
			atomic_store(&waiters[i].tid, 0);
			atomic_store(&waiters[i].lock, FREE);
		}
	for (uint32_t i = 0; i < PYRO_LOCK_SLOTS; i++)
		if (atomic_load(&pyro_lock_waiting[i]) != 0)
			atomic_store(&pyro_lock_waiting[i], 0);
	current = NULL;
}
