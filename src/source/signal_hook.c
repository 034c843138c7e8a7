// SPDX-License-Identifier: Apache-2.0
/* signal_hook.c - sigwait and its like, sigsuspend, signalfd */
#include "source/signal_hook.h"

#include <errno.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "base/os.h"
#include "base/syscall.h"
#include "source/cpu.h"
#include "source/cpu_handler.h"
#include "source/next.h"

PYRO_NEXT_SLOT(sigwait);
PYRO_NEXT_SLOT(sigwaitinfo);
PYRO_NEXT_SLOT(sigtimedwait);
PYRO_NEXT_SLOT(sigsuspend);
PYRO_NEXT_SLOT(signalfd);

static uint64_t bit_of(int sig)
{
	return UINT64_C(1) << (sig - 1);
}

/* As the kernel has them, which libc's begin with. */
static uint64_t bits_of(const sigset_t *set)
{
	uint64_t bits;

	memcpy(&bits, set, sizeof(bits));
	return bits;
}

static bool holds_ours(const sigset_t *set)
{
	int sig = pyro_cpu_signal();

	return sig && set && (bits_of(set) & bit_of(sig));
}

/* Who waits for ours and not for others that are as rare means it: it goes, as one
 * that the program sends to a thread is lost where one of a timer's is pending. */
static bool is_waited_for(const sigset_t *set)
{
	if (!holds_ours(set))
		return false;
	if (!(bits_of(set) & bit_of(SIGURG)) ||
	    !(bits_of(set) & bit_of(SIGPROF)) ||
	    !(bits_of(set) & bit_of(SIGVTALRM)))
		pyro_cpu_leave_signals(set);
	return true;
}

/* Is it blocked in this thread, and nobody's but ours? The program may have given it
 * a handler since, and wait for just that. */
static bool may_be_pending(int sig)
{
	uint64_t blocked = 0;
	struct sigaction action;

	pyro_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&blocked, 8);
	return (blocked & bit_of(sig)) && sigaction(sig, NULL, &action) == 0 &&
	       (action.sa_flags & SA_SIGINFO) &&
	       action.sa_sigaction == pyro_cpu_on_tick;
}

const sigset_t *pyro_signal_undisturbed(const sigset_t *mask, sigset_t *room)
{
	int sig = pyro_cpu_signal();
	uint64_t bits;

	if (!sig || !mask || holds_ours(mask) || !may_be_pending(sig))
		return mask;
	*room = *mask;
	bits = bits_of(mask) | bit_of(sig);
	memcpy(room, &bits, sizeof(bits));
	return room;
}

static int wait_for(const sigset_t *set, siginfo_t *info)
{
	siginfo_t own;
	int sig;

	if (!info)
		info = &own;
	do {
		sig = PYRO_NEXT(sigwaitinfo)(set, info);
	} while (sig > 0 && pyro_cpu_sent(info));
	return sig;
}

PYRO_HOOK int PYRO_HOOK_NAME(sigwaitinfo)(const sigset_t *set, siginfo_t *info)
{
	return is_waited_for(set) ? wait_for(set, info)
				  : PYRO_NEXT(sigwaitinfo)(set, info);
}

/* Which no handler interrupts. */
PYRO_HOOK int PYRO_HOOK_NAME(sigwait)(const sigset_t *set, int *sig)
{
	int saved = errno, got, err;
	siginfo_t info;

	if (!is_waited_for(set))
		return PYRO_NEXT(sigwait)(set, sig);
	do {
		got = wait_for(set, &info);
	} while (got < 0 && errno == EINTR);
	err = got < 0 ? errno : 0;
	errno = saved;
	if (got > 0)
		*sig = got;
	return err;
}

/* What is left of a time that ends then. */
static struct timespec left_until(uint64_t end)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
	uint64_t left = end > now ? end - now : 0;

	return (struct timespec){(time_t)(left / PYRO_NS_PER_SEC),
				 (long)(left % PYRO_NS_PER_SEC)};
}

static int wait_until(const sigset_t *set, siginfo_t *info,
		      const struct timespec *timeout)
{
	uint64_t end = pyro_clock_ns(CLOCK_MONOTONIC) +
		       (uint64_t)timeout->tv_sec * PYRO_NS_PER_SEC +
		       (uint64_t)timeout->tv_nsec;
	int sig = PYRO_NEXT(sigtimedwait)(set, info, timeout);

	while (sig > 0 && pyro_cpu_sent(info)) {
		struct timespec left = left_until(end);

		sig = PYRO_NEXT(sigtimedwait)(set, info, &left);
	}
	return sig;
}

PYRO_HOOK int PYRO_HOOK_NAME(sigtimedwait)(const sigset_t *set, siginfo_t *info,
					   const struct timespec *timeout)
{
	siginfo_t own;

	/* A time may be wrong, or too long to count. */
	if (!is_waited_for(set) ||
	    (timeout && (timeout->tv_sec < 0 || timeout->tv_sec > INT32_MAX)))
		return PYRO_NEXT(sigtimedwait)(set, info, timeout);
	return timeout ? wait_until(set, info ? info : &own, timeout)
		       : wait_for(set, info);
}

PYRO_HOOK int PYRO_HOOK_NAME(sigsuspend)(const sigset_t *mask)
{
	sigset_t room;

	return PYRO_NEXT(sigsuspend)(pyro_signal_undisturbed(mask, &room));
}

/* Who reads a signal has blocked it. PostgreSQL's processes do so with the one that
 * we like best. */
PYRO_HOOK int PYRO_HOOK_NAME(signalfd)(int fd, const sigset_t *mask, int flags)
{
	int result = PYRO_NEXT(signalfd)(fd, mask, flags);

	if (result >= 0) {
		int saved = errno;

		pyro_cpu_leave_signals(mask);
		errno = saved;
	}
	return result;
}

#ifndef PYRO_STATIC

PYRO_OWN(sigwait);
PYRO_OWN(sigwaitinfo);
PYRO_OWN(sigtimedwait);
PYRO_OWN(sigsuspend);
PYRO_OWN(signalfd);

void pyro_signal_hook_resolve(void)
{
	static const struct pyro_hooked hooked[] = {
		PYRO_HOOKED(sigwait),      PYRO_HOOKED(sigwaitinfo),
		PYRO_HOOKED(sigtimedwait), PYRO_HOOKED(sigsuspend),
		PYRO_HOOKED(signalfd),
	};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}

#endif
