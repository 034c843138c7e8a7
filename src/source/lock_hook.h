// SPDX-License-Identifier: Apache-2.0
/* lock_hook.h - the calls that lock and unlock */
#ifndef PYRO_SOURCE_LOCK_HOOK_H
#define PYRO_SOURCE_LOCK_HOOK_H

/* Find the next definitions, and register the hooks to be bound. From the
 * constructor, of libpyroscope.so alone. */
void pyro_lock_hook_resolve(void);

#endif
