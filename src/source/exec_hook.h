// SPDX-License-Identifier: Apache-2.0
/* exec_hook.h - exec and spawn: keep the library out of programs that cannot
 * load it */
#ifndef PYRO_SOURCE_EXEC_HOOK_H
#define PYRO_SOURCE_EXEC_HOOK_H

#include "base/util.h"

/* Our own entry in a value of LD_PRELOAD: its start, and its length in *len.
 * NULL when there is none. Context: signal, vfork child. */
const char *pyro_preload_entry(const char *list, size_t *len) PYRO_SIGNAL_SAFE;

/* As pyro_hook_resolve(). */
void pyro_exec_hook_resolve(void);

#endif
