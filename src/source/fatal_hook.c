// SPDX-License-Identifier: Apache-2.0
/* fatal_hook.c - sigaction and signal */
#include "source/fatal_hook.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "source/next.h"

PYRO_NEXT_SLOT(sigaction);
PYRO_NEXT_SLOT(signal);

static void (*_Atomic ours)(int);
static _Atomic uint64_t caught; /* signals, by bit */

static uint64_t bit_of(int sig)
{
	return sig > 0 && sig <= 64 ? UINT64_C(1) << (sig - 1) : 0;
}

static bool is_caught(int sig)
{
	return atomic_load_explicit(&caught, memory_order_acquire) &
	       bit_of(sig);
}

static bool is_ours(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) &&
	       action->sa_handler == atomic_load(&ours);
}

static bool is_default(const struct sigaction *action)
{
	return !(action->sa_flags & SA_SIGINFO) &&
	       action->sa_handler == SIG_DFL;
}

static struct sigaction with(void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	if (handler == SIG_DFL)
		return action;
	action.sa_flags = SA_RESTART | SA_ONSTACK;
	sigfillset(&action.sa_mask);
	return action;
}

PYRO_HOOK int PYRO_HOOK_NAME(sigaction)(int sig,
					const struct sigaction *restrict action,
					struct sigaction *restrict old)
{
	struct sigaction catching;
	int result;

	if (!is_caught(sig))
		return PYRO_NEXT(sigaction)(sig, action, old);
	if (action && is_default(action)) {
		catching = with(atomic_load(&ours));
		action = &catching;
	}
	result = PYRO_NEXT(sigaction)(sig, action, old);
	if (result == 0 && old && is_ours(old))
		*old = with(SIG_DFL);
	return result;
}

PYRO_HOOK sighandler_t PYRO_HOOK_NAME(signal)(int sig, sighandler_t handler)
{
	struct sigaction catching, old;

	if (!is_caught(sig))
		return PYRO_NEXT(signal)(sig, handler);
	if (handler == SIG_DFL) {
		catching = with(atomic_load(&ours));
		if (PYRO_NEXT(sigaction)(sig, &catching, &old) != 0)
			return SIG_ERR;
		handler = old.sa_handler;
	} else {
		handler = PYRO_NEXT(signal)(sig, handler);
	}
	return handler == atomic_load(&ours) ? SIG_DFL : handler;
}

void pyro_fatal_catch(int sig, void (*handler)(int))
{
	struct sigaction action = with(handler), old;

	if (PYRO_NEXT(sigaction)(sig, NULL, &old) != 0 || !is_default(&old))
		return;
	atomic_store(&ours, handler);
	if (PYRO_NEXT(sigaction)(sig, &action, NULL) == 0)
		atomic_fetch_or(&caught, bit_of(sig));
}

/* A vfork child's memory is its parent's: it stays caught. */
void pyro_fatal_release(int sig)
{
	struct sigaction action = with(SIG_DFL), old;

	if (PYRO_NEXT(sigaction)(sig, NULL, &old) == 0 && is_ours(&old))
		PYRO_NEXT(sigaction)(sig, &action, NULL);
}

PYRO_OWN(sigaction);
PYRO_OWN(signal);

void pyro_fatal_hook_resolve(void)
{
	static const struct pyro_hooked hooked[] = {PYRO_HOOKED(sigaction),
						    PYRO_HOOKED(signal)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}
