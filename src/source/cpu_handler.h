// SPDX-License-Identifier: Apache-2.0
/* cpu_handler.h - the signal handler of CPU sampling */
#ifndef PYRO_SOURCE_CPU_HANDLER_H
#define PYRO_SOURCE_CPU_HANDLER_H

#include <signal.h>

#include "capture/registry.h"

/* Set before the handler is installed, then constant until the next start. */
struct pyro_cpu_handler {
	_Atomic uint64_t period_ns;
	/* Time spent in the handler itself, by the thread's CPU clock, is not
	 * measured per sample: bench/ does that. Samples taken: */
	_Atomic uint64_t samples;
};

extern struct pyro_cpu_handler pyro_cpu_handler;

void pyro_cpu_on_tick(int sig, siginfo_t *info, void *context) PYRO_SIGNAL_SAFE;

#endif
