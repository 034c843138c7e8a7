// SPDX-License-Identifier: Apache-2.0
/* sync.h - locks of the library's own threads and public calls
 *
 * A lock on a futex word, because pthread's may be interposed (by others, and
 * later by us). Never taken in a signal handler. Ranks go from outer to inner;
 * debug builds check that a thread takes them in rising order. */
#ifndef PYRO_BASE_SYNC_H
#define PYRO_BASE_SYNC_H

#include <stdatomic.h>

#include "base/util.h"

/* One for each lock: tests/e2e/fork_points.sh forks while each is held. */
enum pyro_rank {
	PYRO_RANK_SESSION,  /* start, stop, flush */
	PYRO_RANK_NAME,     /* the application's */
	PYRO_RANK_ROUND,    /* the collector works: fork tries it */
	PYRO_RANK_TAPS,     /* profiles that somebody asked for */
	PYRO_RANK_REGISTRY, /* threads that are sampled */
	PYRO_RANK_QUEUE,    /* uploads */
	PYRO_RANK_LOADER, /* held over dl_iterate_phdr and dlopen: fork waits */
	PYRO_RANK_LOG,    /* held over the program's function */
	PYRO_RANK_COUNT
};

struct pyro_mutex {
	_Atomic uint32_t word; /* 0 free, 1 held, 2 held and waited for */
	enum pyro_rank rank;
};

#define PYRO_MUTEX_INIT(r)             \
	{                              \
		.word = 0, .rank = (r) \
	}

void pyro_mutex_lock(struct pyro_mutex *mutex);
/* True when taken within timeout_ns nanoseconds (0: only if free). */
bool pyro_mutex_lock_for(struct pyro_mutex *mutex, uint64_t timeout_ns);
void pyro_mutex_unlock(struct pyro_mutex *mutex);
/* In a forked child, whose other threads are gone: make it free. */
void pyro_mutex_reset(struct pyro_mutex *mutex);

/* Held over dl_iterate_phdr, dlopen and whatever else takes the loader's own
 * locks, so that a fork can wait for them to be free. */
extern struct pyro_mutex pyro_loader_lock;

/* A counter that threads wait on: wait until *word != seen or the time is over
 * (UINT64_MAX: for ever). Returns false on timeout. */
bool pyro_wait(_Atomic uint32_t *word, uint32_t seen, uint64_t timeout_ns);
/* Wake all waiters of word. Signal safe. */
void pyro_wake(_Atomic uint32_t *word) PYRO_SIGNAL_SAFE;

#endif
