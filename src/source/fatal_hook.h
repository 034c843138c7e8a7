// SPDX-License-Identifier: Apache-2.0
/* fatal_hook.h - a handler for signals that kill, which the program does not see
 *
 * CPython makes Ctrl-C a KeyboardInterrupt, and Ruby runs its ensure blocks, only
 * where they find SIG_DFL. So that is what sigaction() and signal() tell where our
 * handler is, and who sets SIG_DFL has our handler. */
#ifndef PYRO_SOURCE_FATAL_HOOK_H
#define PYRO_SOURCE_FATAL_HOOK_H

/* As pyro_hook_resolve(). */
void pyro_fatal_hook_resolve(void);

/* From now on handler is called, with all signals blocked, where sig would kill. If
 * it would not now, nothing happens. One handler for all; one thread at a time. */
void pyro_fatal_catch(int sig, void (*handler)(int));

/* sig kills this process where our handler would have run, until the program sets
 * SIG_DFL. Context: signal, vfork child. */
void pyro_fatal_release(int sig);

#endif
