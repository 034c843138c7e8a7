// SPDX-License-Identifier: Apache-2.0
/* sync.c - futex locks with ranks, and waiting on a word */
#include "base/sync.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

struct pyro_mutex pyro_loader_lock = PYRO_MUTEX_INIT(PYRO_RANK_LOADER);

#ifndef NDEBUG
static _Thread_local unsigned held; /* a bit for each rank */
#endif

static void note_locked(const struct pyro_mutex *mutex)
{
#ifndef NDEBUG
	assert((held >> mutex->rank) == 0);
	held |= 1u << mutex->rank;
#else
	(void)mutex;
#endif
}

static void note_unlocked(const struct pyro_mutex *mutex)
{
#ifndef NDEBUG
	held &= ~(1u << mutex->rank);
#else
	(void)mutex;
#endif
}

bool pyro_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
	uint64_t end =
		timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
	int saved = errno;

	while (atomic_load_explicit(word, memory_order_acquire) == seen) {
		now = pyro_clock_ns(CLOCK_MONOTONIC);
		if (now >= end)
			break;

		uint64_t left = pyro_min(end - now, 3600 * PYRO_NS_PER_SEC);
		struct timespec ts = {
			.tv_sec = (time_t)(left / PYRO_NS_PER_SEC),
			.tv_nsec = (long)(left % PYRO_NS_PER_SEC),
		};
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, &ts, NULL,
			0);
	}
	errno = saved;
	return atomic_load_explicit(word, memory_order_acquire) != seen;
}

bool pyro_mutex_lock_for(struct pyro_mutex *mutex, uint64_t timeout_ns)
{
	uint32_t free = 0;

	if (atomic_compare_exchange_strong_explicit(&mutex->word, &free, 1,
						    memory_order_acquire,
						    memory_order_relaxed)) {
		note_locked(mutex);
		return true;
	}
	if (timeout_ns == 0)
		return false;

	uint64_t end = timeout_ns == UINT64_MAX
			       ? UINT64_MAX
			       : pyro_clock_ns(CLOCK_MONOTONIC) + timeout_ns;

	while (atomic_exchange_explicit(&mutex->word, 2,
					memory_order_acquire) != 0) {
		uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

		if (now >= end)
			return false;
		pyro_wait(&mutex->word, 2, end - now);
	}
	note_locked(mutex);
	return true;
}

void pyro_mutex_lock(struct pyro_mutex *mutex)
{
	pyro_mutex_lock_for(mutex, UINT64_MAX);
}

void pyro_mutex_unlock(struct pyro_mutex *mutex)
{
	note_unlocked(mutex);
	if (atomic_exchange_explicit(&mutex->word, 0, memory_order_release) ==
	    2) {
		int saved = errno;

		syscall(SYS_futex, &mutex->word, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
		errno = saved;
	}
}

void pyro_mutex_reset(struct pyro_mutex *mutex)
{
	note_unlocked(mutex);
	atomic_store(&mutex->word, 0);
}
