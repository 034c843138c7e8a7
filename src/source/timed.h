// SPDX-License-Identifier: Apache-2.0
/* timed.h - around a real call that may wait: how long did it?
 *
 * A call that is cancelled never comes back, and is no wait. There is nothing to
 * undo then: all is in local variables. */
#ifndef PYRO_SOURCE_TIMED_H
#define PYRO_SOURCE_TIMED_H

#include <time.h>

#include "source/wait.h"

#define PYRO_CALLER __builtin_return_address(0)

/* No call that went to the kernel and slept is shorter. */
#define PYRO_WAIT_MIN_NS 1000

/* libc's clock does not enter the kernel. */
static inline uint64_t pyro_timed_now(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t) != 0)
		return 0;
	return (uint64_t)t.tv_sec * PYRO_NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* In a static program what libc calls of its own is wrapped, too: musl's sem_wait()
 * is a sem_timedwait(). That is one wait, and the program's call tells of it, as a
 * shared libc's does. A call from so close below one that is being timed is libc's:
 * a signal's frame is larger, so a handler's waits are its own. Who leaves a wait by
 * longjmp() is not seen to wait just below until it has waited elsewhere. */
#ifdef PYRO_STATIC
#define PYRO_TIMED_WITHIN 1024

/* Where on the stack the call is that is being timed. */
extern _Thread_local uintptr_t pyro_timed_outer;

/* False: it is libc's call, inside one that is timed. */
static inline bool pyro_timed_enter(void)
{
	char here;
	uintptr_t at = (uintptr_t)&here;

	if (pyro_timed_outer - at - 1 < PYRO_TIMED_WITHIN)
		return false;
	pyro_timed_outer = at;
	/* NOLINTNEXTLINE(clang-analyzer-core.StackAddressEscape): never followed */
	return true;
}

static inline void pyro_timed_leave(void)
{
	pyro_timed_outer = 0;
}
#else
static inline bool pyro_timed_enter(void)
{
	return true;
}

static inline void pyro_timed_leave(void)
{
}
#endif

/* 0: it is not to be reported. */
static inline uint64_t pyro_timed_begin(enum pyro_wait_class wait_class)
{
	return __builtin_expect(pyro_wait_wants(wait_class), 0) &&
			       pyro_timed_enter()
		       ? pyro_timed_now(CLOCK_MONOTONIC)
		       : 0;
}

/* Keeps errno. */
static inline void pyro_timed_end(enum pyro_wait_class wait_class,
				  uint64_t began, void *caller)
{
	uint64_t now;

	if (__builtin_expect(began == 0, 1))
		return;
	pyro_timed_leave();
	now = pyro_timed_now(CLOCK_MONOTONIC);
	if (now >= began + PYRO_WAIT_MIN_NS && pyro_wait_was_on(began))
		pyro_wait_blocked(wait_class, now - began, NULL, caller);
}

/* By the clock that ticks: a call that takes d of a tick's length of T has a tick
 * in it with probability d/T, so that the difference is right on average, and most
 * calls are over after two loads. How many were shorter than a tick is not known:
 * those count that had one. */
static inline uint64_t pyro_coarse_begin(enum pyro_wait_class wait_class)
{
	return __builtin_expect(pyro_wait_wants(wait_class), 0) &&
			       pyro_timed_enter()
		       ? pyro_timed_now(CLOCK_MONOTONIC_COARSE)
		       : 0;
}

/* Keeps errno. */
static inline void pyro_coarse_end(enum pyro_wait_class wait_class,
				   uint64_t began, void *caller)
{
	uint64_t now;

	if (__builtin_expect(began == 0, 1))
		return;
	pyro_timed_leave();
	now = pyro_timed_now(CLOCK_MONOTONIC_COARSE);
	if (__builtin_expect(now > began, 0) && pyro_wait_was_on(began))
		pyro_wait_blocked(wait_class, now - began, NULL, caller);
}

#endif
