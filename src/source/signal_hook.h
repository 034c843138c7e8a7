// SPDX-License-Identifier: Apache-2.0
/* signal_hook.h - calls that wait for signals: those of our timers do not end them
 *
 * A thread that has blocked everything gets no samples, but its timer's signal is
 * pending: it would be the answer of sigwait(), and end a wait with another mask.
 * ppoll() and its like ask the kernel for that where they are given a mask: some
 * 100 ns a call. */
#ifndef PYRO_SOURCE_SIGNAL_HOOK_H
#define PYRO_SOURCE_SIGNAL_HOOK_H

#include <signal.h>

/* As pyro_hook_resolve(). */
void pyro_signal_hook_resolve(void);

/* mask (NULL is fine), or a copy of it in room with our signal: for a wait of a
 * thread in which that is blocked now. Keeps errno. */
const sigset_t *pyro_signal_undisturbed(const sigset_t *mask, sigset_t *room);

#endif
