// SPDX-License-Identifier: Apache-2.0
/* sync_hook.h - the calls in which threads wait for each other, but for locks */
#ifndef PYRO_SOURCE_SYNC_HOOK_H
#define PYRO_SOURCE_SYNC_HOOK_H

/* Find the next definitions, and register the hooks to be bound. From the
 * constructor, of libpyroscope.so alone. */
void pyro_sync_hook_resolve(void);

#endif
