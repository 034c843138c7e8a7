// SPDX-License-Identifier: Apache-2.0
/* sync_hook.c - the calls in which threads wait for each other, but for locks */
#include "source/sync_hook.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <threads.h>

#include "source/lock.h"
#include "source/next.h"

#ifdef PYRO_STATIC
_Thread_local uintptr_t pyro_timed_outer;
#endif

/* XX(name, (parameters), (arguments)) */
#ifdef __GLIBC__
#define COND_CLOCK_CALLS(XX)                                                 \
	XX(pthread_cond_clockwait,                                           \
	   (pthread_cond_t * cond, pthread_mutex_t * mutex, clockid_t clock, \
	    const struct timespec *until),                                   \
	   (cond, mutex, clock, until))
#define CLOCK_CALLS(XX)                                                  \
	XX(sem_clockwait,                                                \
	   (sem_t * sem, clockid_t clock, const struct timespec *until), \
	   (sem, clock, until))                                          \
	XX(pthread_clockjoin_np,                                         \
	   (pthread_t thread, void **result, clockid_t clock,            \
	    const struct timespec *until),                               \
	   (thread, result, clock, until))
#else
#define COND_CLOCK_CALLS(XX)
#define CLOCK_CALLS(XX)
#endif

/* They unlock a mutex for the time that they wait, and return with it. */
#define COND_CALLS(XX)                                                      \
	XX(pthread_cond_wait,                                               \
	   (pthread_cond_t * cond, pthread_mutex_t * mutex), (cond, mutex)) \
	XX(pthread_cond_timedwait,                                          \
	   (pthread_cond_t * cond, pthread_mutex_t * mutex,                 \
	    const struct timespec *until),                                  \
	   (cond, mutex, until))                                            \
	XX(cnd_wait, (cnd_t * cond, mtx_t * mutex), (cond, mutex))          \
	XX(cnd_timedwait,                                                   \
	   (cnd_t * cond, mtx_t * mutex, const struct timespec *until),     \
	   (cond, mutex, until))                                            \
	COND_CLOCK_CALLS(XX)

/* Those that come back at once have not waited: timed.h. */
#define TIMED_CALLS(XX)                                                       \
	XX(sem_wait, (sem_t * sem), (sem))                                    \
	XX(sem_timedwait, (sem_t * sem, const struct timespec *until),        \
	   (sem, until))                                                      \
	XX(pthread_barrier_wait, (pthread_barrier_t * barrier), (barrier))    \
	XX(pthread_join, (pthread_t thread, void **result), (thread, result)) \
	XX(pthread_timedjoin_np,                                              \
	   (pthread_t thread, void **result, const struct timespec *until),   \
	   (thread, result, until))                                           \
	XX(thrd_join, (thrd_t thread, int *result), (thread, result))         \
	CLOCK_CALLS(XX)

#define DEFINE_TIMED(name, parameters, arguments)                   \
	PYRO_NEXT_SLOT(name);                                       \
	PYRO_HOOK int PYRO_HOOK_NAME(name) parameters               \
	{                                                           \
		uint64_t began = pyro_timed_begin(PYRO_WAIT_SYNC);  \
		int rc = PYRO_NEXT(name) arguments;                 \
                                                                    \
		pyro_timed_end(PYRO_WAIT_SYNC, began, PYRO_CALLER); \
		return rc;                                          \
	}
TIMED_CALLS(DEFINE_TIMED)

/* That the mutex is locked again is part of it, to the mutex profile, too. */
static inline uint64_t cond_begin(void)
{
	return pyro_lock_wants_wait() && pyro_timed_enter()
		       ? pyro_timed_now(CLOCK_MONOTONIC)
		       : 0;
}

static inline void cond_end(uint64_t began, void *caller)
{
	if (pyro_wait_wants(PYRO_WAIT_SYNC))
		pyro_timed_end(PYRO_WAIT_SYNC, began, caller);
	else if (began)
		pyro_timed_leave();
}

/* Who waits for the mutex is told of before the call: it may never come back. */
#define DEFINE_COND(name, parameters, arguments)               \
	PYRO_NEXT_SLOT(name);                                  \
	PYRO_HOOK int PYRO_HOOK_NAME(name) parameters          \
	{                                                      \
		uint64_t began;                                \
		int rc;                                        \
                                                               \
		if (pyro_lock_wants_unlock(mutex))             \
			pyro_lock_leaving(mutex, PYRO_CALLER); \
		began = cond_begin();                          \
		rc = PYRO_NEXT(name) arguments;                \
		cond_end(began, PYRO_CALLER);                  \
		return rc;                                     \
	}
COND_CALLS(DEFINE_COND)

/* Does another thread run the function? In glibc and musl bit 0 says so. Who runs
 * it itself does not wait. */
static bool is_running(const void *once)
{
	return atomic_load_explicit((const _Atomic int *)once,
				    memory_order_relaxed) &
	       1;
}

PYRO_NEXT_SLOT(pthread_once);
PYRO_HOOK int PYRO_HOOK_NAME(pthread_once)(pthread_once_t *once,
					   void (*fn)(void))
{
	uint64_t began =
		is_running(once) ? pyro_timed_begin(PYRO_WAIT_SYNC) : 0;
	int result = PYRO_NEXT(pthread_once)(once, fn);

	pyro_timed_end(PYRO_WAIT_SYNC, began, PYRO_CALLER);
	return result;
}

PYRO_NEXT_SLOT(call_once);
PYRO_HOOK void PYRO_HOOK_NAME(call_once)(once_flag *once, void (*fn)(void))
{
	uint64_t began =
		is_running(once) ? pyro_timed_begin(PYRO_WAIT_SYNC) : 0;

	PYRO_NEXT(call_once)(once, fn);
	pyro_timed_end(PYRO_WAIT_SYNC, began, PYRO_CALLER);
}

#ifndef PYRO_STATIC

#define OWN(name, parameters, arguments) PYRO_OWN(name);
#define OTHERS(XX) XX(pthread_once) XX(call_once)
#define OWN_OTHER(name) PYRO_OWN(name);
COND_CALLS(OWN)
TIMED_CALLS(OWN)
OTHERS(OWN_OTHER)

void pyro_sync_hook_resolve(void)
{
#define HOOKED(name, parameters, arguments) PYRO_HOOKED(name),
#define HOOKED_OTHER(name) PYRO_HOOKED(name),
	static const struct pyro_hooked hooked[] = {
		COND_CALLS(HOOKED) TIMED_CALLS(HOOKED) OTHERS(HOOKED_OTHER)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}

#endif
