// SPDX-License-Identifier: Apache-2.0
/* alloc_hook.h - operator new, and what jemalloc, tcmalloc and mimalloc have
 * beside malloc
 *
 * By changed slots alone (bind.h): the library does not export these names. */
#ifndef PYRO_SOURCE_ALLOC_HOOK_H
#define PYRO_SOURCE_ALLOC_HOOK_H

/* From the constructor. */
void pyro_alloc_hook_resolve(void);

#endif
