// SPDX-License-Identifier: Apache-2.0
/* fatal.c - under `pyro`, SIGTERM, SIGINT and SIGHUP that would kill flush first */
#include <pthread.h>
#include <signal.h>

#include "api/session.h"
#include "base/os.h"
#include "source/fatal_hook.h"

static _Atomic pid_t dying; /* the process that is */

/* Returns only where the kernel lets it pass. */
static void die(int sig)
{
	sigset_t set;

	pyro_fatal_release(sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
}

/* The thread that got the signal waits here, others that get one wait for it: to the
 * program it is as if the signal had killed it, a little later. */
static void on_fatal(int sig)
{
	pid_t self = pyro_getpid();

	while (atomic_exchange(&dying, self) == self)
		pyro_sleep_ns(PYRO_NS_PER_MS);
	pyro_lifecycle_dying();
	die(sig);
	atomic_store(&dying, 0);
}

/* What has no handler does not kill the first process of a PID namespace, so that
 * is to have none. */
void pyro_fatal_start(void)
{
	static const int fatal[] = {SIGTERM, SIGINT, SIGHUP};

	for (size_t i = 0; i < PYRO_COUNT_OF(fatal) && pyro_getpid() != 1; i++)
		pyro_fatal_catch(fatal[i], on_fatal);
}
