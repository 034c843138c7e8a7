// SPDX-License-Identifier: Apache-2.0
/* os_signal.c - the part of os.h and sync.h that handlers and hooks may call */
#include <linux/futex.h>
#include <limits.h>

#include "base/os.h"
#include "base/sync.h"
#include "base/syscall.h"

_Thread_local bool pyro_in_library_thread;

pid_t pyro_gettid(void)
{
	return (pid_t)pyro_syscall4(SYS_gettid, 0, 0, 0, 0);
}

pid_t pyro_getpid(void)
{
	return (pid_t)pyro_syscall4(SYS_getpid, 0, 0, 0, 0);
}

uint64_t pyro_clock_ns(clockid_t clock)
{
	struct timespec ts = {0, 0};

	if (pyro_syscall4(SYS_clock_gettime, clock, (long)&ts, 0, 0) < 0)
		return 0;
	return (uint64_t)ts.tv_sec * PYRO_NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* The kernel's encoding: the inverted number above three bits, of which 4 says
 * "one thread" and 2 "scheduler's CPU time" (linux/posix-timers.h). */
clockid_t pyro_thread_clock(pid_t tid)
{
	return (clockid_t)((~(unsigned)tid << 3) | 6);
}

void pyro_wake(_Atomic uint32_t *word)
{
	pyro_syscall4(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, INT_MAX, 0);
}
