// SPDX-License-Identifier: Apache-2.0
/* lock_hook.c - the calls that lock and unlock
 *
 * A mutex that is free, or that nobody waits for, is told by its own word: then
 * the hook is a load and a jump. Else a lock is tried first, and only who would
 * have to wait goes on to the table. A lock that is unlocked may be freed by
 * another thread at once: it is a key then, and never looked at. */
#include "source/lock_hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <threads.h>

#include "source/lock.h"
#include "source/next.h"

/* What is tried is not hooked itself. */
#ifdef PYRO_STATIC
#define TRY_SLOT(name) _Static_assert(1, "")
#define TRY(name) name
#else
#define TRY_SLOT(name) PYRO_NEXT_SLOT(name)
#define TRY(name) PYRO_NEXT(name)
#endif

TRY_SLOT(pthread_mutex_trylock);
TRY_SLOT(mtx_trylock);
TRY_SLOT(pthread_rwlock_tryrdlock);
TRY_SLOT(pthread_rwlock_trywrlock);
TRY_SLOT(pthread_spin_trylock);

/* Tries of a spinlock before it is a wait that is worth the clock. */
#define SPINS 100

/* glibc's mutex has its word first: 0 is free, 1 is locked and nobody sleeps. Other
 * values have the owner, a ceiling, or a waiter in them. (With mtx_t it is the
 * same.) Of another libc nothing is known. */
#ifdef __GLIBC__
static inline int word_of(const void *mutex)
{
	return atomic_load_explicit((const _Atomic int *)mutex,
				    memory_order_relaxed);
}
#define IS_FREE(mutex) (word_of(mutex) == 0)
#define HAS_NO_SLEEPER(mutex) (word_of(mutex) == 1)
#else
#define IS_FREE(mutex) false
#define HAS_NO_SLEEPER(mutex) false
#endif

/* Of a recursive mutex, one level of several: it stays locked. */
static bool stays_locked(const void *mutex)
{
#ifdef __GLIBC__
	const pthread_mutex_t *m = mutex;

	return (m->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP &&
	       m->__data.__count > 1;
#else
	(void)mutex;
	return false;
#endif
}

/* EOWNERDEAD: it is locked, too. ETIMEDOUT: it has waited in vain. All else has
 * not waited. */
static bool has_waited(int rc)
{
	return rc == 0 || rc == EOWNERDEAD || rc == ETIMEDOUT;
}

static bool mtx_has_waited(int rc)
{
	return rc == thrd_success || rc == thrd_timedout;
}

/* What libc locks inside a wait is part of it. */
static inline struct pyro_lock_wait begin(const void *lock, bool blocks)
{
	return pyro_timed_enter() ? pyro_lock_begin(lock, blocks)
				  : (struct pyro_lock_wait){0};
}

static inline void end(struct pyro_lock_wait wait, const void *lock,
		       bool waited, void *caller)
{
	if (wait.began == 0)
		return;
	pyro_timed_leave();
	pyro_lock_end(wait, lock, waited, caller);
}

/* XX(name, type, is it free?, try, what a try says of a lock that is taken, has it
 * waited?) */
#define LOCKS(XX)                                                            \
	XX(pthread_mutex_lock, pthread_mutex_t, IS_FREE,                     \
	   pthread_mutex_trylock, EBUSY, has_waited)                         \
	XX(mtx_lock, mtx_t, IS_FREE, mtx_trylock, thrd_busy, mtx_has_waited) \
	XX(pthread_rwlock_rdlock, pthread_rwlock_t, NEVER,                   \
	   pthread_rwlock_tryrdlock, EBUSY, has_waited)                      \
	XX(pthread_rwlock_wrlock, pthread_rwlock_t, NEVER,                   \
	   pthread_rwlock_trywrlock, EBUSY, has_waited)
#define NEVER(lock) false

#define DEFINE_LOCK(name, type, is_free, try, busy, waited)                    \
	PYRO_NEXT_SLOT(name);                                                  \
	static __attribute__((noinline)) int slow_##name(type *lock,           \
							 void *caller)         \
	{                                                                      \
		struct pyro_lock_wait wait;                                    \
		int rc = TRY(try)(lock);                                       \
                                                                               \
		if (rc != (busy))                                              \
			return rc;                                             \
		wait = begin(lock, true);                                      \
		rc = PYRO_NEXT(name)(lock);                                    \
		end(wait, lock, waited(rc), caller);                           \
		return rc;                                                     \
	}                                                                      \
	PYRO_HOOK int PYRO_HOOK_NAME(name)(type * lock)                        \
	{                                                                      \
		if (__builtin_expect(is_free(lock) || !pyro_lock_wants_wait(), \
				     1))                                       \
			return PYRO_NEXT(name)(lock);                          \
		return slow_##name(lock, PYRO_CALLER);                         \
	}
LOCKS(DEFINE_LOCK)

/* Those with a time are not tried first: with a wrong time or clock they fail where
 * a try would not. XX(name, is it free?, (parameters), (arguments), has it
 * waited?) */
#ifdef __GLIBC__
#define CLOCK_LOCKS(XX)                               \
	XX(pthread_mutex_clocklock, IS_FREE,          \
	   (pthread_mutex_t * lock, clockid_t clock,  \
	    const struct timespec *until),            \
	   (lock, clock, until), has_waited)          \
	XX(pthread_rwlock_clockrdlock, NEVER,         \
	   (pthread_rwlock_t * lock, clockid_t clock, \
	    const struct timespec *until),            \
	   (lock, clock, until), has_waited)          \
	XX(pthread_rwlock_clockwrlock, NEVER,         \
	   (pthread_rwlock_t * lock, clockid_t clock, \
	    const struct timespec *until),            \
	   (lock, clock, until), has_waited)
#else
#define CLOCK_LOCKS(XX)
#endif
#define TIMED_LOCKS(XX)                                                 \
	XX(pthread_mutex_timedlock, IS_FREE,                            \
	   (pthread_mutex_t * lock, const struct timespec *until),      \
	   (lock, until), has_waited)                                   \
	XX(mtx_timedlock, IS_FREE,                                      \
	   (mtx_t * lock, const struct timespec *until), (lock, until), \
	   mtx_has_waited)                                              \
	XX(pthread_rwlock_timedrdlock, NEVER,                           \
	   (pthread_rwlock_t * lock, const struct timespec *until),     \
	   (lock, until), has_waited)                                   \
	XX(pthread_rwlock_timedwrlock, NEVER,                           \
	   (pthread_rwlock_t * lock, const struct timespec *until),     \
	   (lock, until), has_waited)                                   \
	CLOCK_LOCKS(XX)

#define DEFINE_TIMED(name, is_free, parameters, arguments, waited) \
	PYRO_NEXT_SLOT(name);                                      \
	PYRO_HOOK int PYRO_HOOK_NAME(name) parameters              \
	{                                                          \
		struct pyro_lock_wait wait = {0};                  \
		int rc;                                            \
                                                                   \
		if (!is_free(lock) && pyro_lock_wants_wait())      \
			wait = begin(lock, true);                  \
		rc = PYRO_NEXT(name) arguments;                    \
		end(wait, lock, waited(rc), PYRO_CALLER);          \
		return rc;                                         \
	}
TIMED_LOCKS(DEFINE_TIMED)

PYRO_NEXT_SLOT(pthread_spin_lock);
static __attribute__((noinline)) int slow_spin_lock(pthread_spinlock_t *lock,
						    void *caller)
{
	struct pyro_lock_wait wait;
	int rc = EBUSY;

	for (int i = 0; i < SPINS && rc == EBUSY; i++)
		rc = TRY(pthread_spin_trylock)(lock);
	if (rc != EBUSY)
		return rc;
	wait = begin((const void *)lock, false);
	rc = PYRO_NEXT(pthread_spin_lock)(lock);
	end(wait, (const void *)lock, has_waited(rc), caller);
	return rc;
}

PYRO_HOOK int PYRO_HOOK_NAME(pthread_spin_lock)(pthread_spinlock_t *lock)
{
	if (__builtin_expect(!pyro_wait_wants_caused(), 1))
		return PYRO_NEXT(pthread_spin_lock)(lock);
	return slow_spin_lock(lock, PYRO_CALLER);
}

/* XX(name, type, does nobody sleep?, does it stay locked?, what it says when it
 * has unlocked) */
#define UNLOCKS(XX)                                                       \
	XX(pthread_mutex_unlock, pthread_mutex_t, HAS_NO_SLEEPER,         \
	   stays_locked, 0)                                               \
	XX(mtx_unlock, mtx_t, HAS_NO_SLEEPER, stays_locked, thrd_success) \
	XX(pthread_rwlock_unlock, pthread_rwlock_t, NEVER, NEVER, 0)      \
	XX(pthread_spin_unlock, pthread_spinlock_t, NEVER, NEVER, 0)

#define DEFINE_UNLOCK(name, type, no_sleeper, stays, success)             \
	PYRO_NEXT_SLOT(name);                                             \
	static __attribute__((noinline)) int slow_##name(type *lock,      \
							 void *caller)    \
	{                                                                 \
		struct pyro_weight caused = {0, 0};                       \
		int rc;                                                   \
                                                                          \
		if (!stays((const void *)lock))                           \
			caused = pyro_lock_unlocking((const void *)lock); \
		rc = PYRO_NEXT(name)(lock);                               \
		pyro_lock_unlocked(caused, (const void *)lock,            \
				   rc == (success), caller);              \
		return rc;                                                \
	}                                                                 \
	PYRO_HOOK int PYRO_HOOK_NAME(name)(type * lock)                   \
	{                                                                 \
		if (__builtin_expect(no_sleeper(lock) ||                  \
					     !pyro_lock_wants_unlock(     \
						     (const void *)lock), \
				     1))                                  \
			return PYRO_NEXT(name)(lock);                     \
		return slow_##name(lock, PYRO_CALLER);                    \
	}
UNLOCKS(DEFINE_UNLOCK)

#ifndef PYRO_STATIC

#define OWN(name, ...) PYRO_OWN(name);
LOCKS(OWN)
TIMED_LOCKS(OWN)
UNLOCKS(OWN)
PYRO_OWN(pthread_spin_lock);

/* Not later: to look waits for the loader, which may wait for who holds a lock. */
static void resolve_tries(void)
{
	(void)PYRO_NEXT(pthread_mutex_trylock);
	(void)PYRO_NEXT(mtx_trylock);
	(void)PYRO_NEXT(pthread_rwlock_tryrdlock);
	(void)PYRO_NEXT(pthread_rwlock_trywrlock);
	(void)PYRO_NEXT(pthread_spin_trylock);
}

void pyro_lock_hook_resolve(void)
{
#define HOOKED(name, ...) PYRO_HOOKED(name),
	static const struct pyro_hooked hooked[] = {LOCKS(HOOKED) TIMED_LOCKS(
		HOOKED) UNLOCKS(HOOKED) PYRO_HOOKED(pthread_spin_lock)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
	resolve_tries();
}

#endif
