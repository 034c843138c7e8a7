// SPDX-License-Identifier: Apache-2.0
/* cpu_handler.h - the signal handler of CPU sampling */
#ifndef PYRO_SOURCE_CPU_HANDLER_H
#define PYRO_SOURCE_CPU_HANDLER_H

#include <signal.h>

#include "capture/registry.h"

/* Set before the handler is installed, then constant until the next start. */
struct pyro_cpu_handler {
	_Atomic uint64_t period_ns;
	_Atomic bool shots; /* are asked for now: changes at any time */
};

/* What comes with a signal in the place of a thread's entry, when the thread is
 * asked for its stack once (cpu.h). */
#define PYRO_CPU_SHOT ((void *)1)

/* The lowest bits of an entry's address, which are 0: how many times the period of
 * the timer was doubled, whose signal it is. */
#define PYRO_CPU_HALVINGS ((uintptr_t)7)
_Static_assert(_Alignof(struct pyro_thread) > PYRO_CPU_HALVINGS, "bits");

extern struct pyro_cpu_handler pyro_cpu_handler;

/* Comes a signal from a timer of ours? */
bool pyro_cpu_sent(const siginfo_t *info);

void pyro_cpu_on_tick(int sig, siginfo_t *info, void *context) PYRO_SIGNAL_SAFE;

#endif
