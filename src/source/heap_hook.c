// SPDX-License-Identifier: Apache-2.0
/* heap_hook.c - the C allocator's functions, as the library exports them */
#include "source/heap_next.h"

#define HOOK PYRO_HOOK
#define HOOK_NAME(name) PYRO_HOOK_NAME(name)
#define NEXT(name) PYRO_HEAP_NEXT(name)
#define MARKS true

#include "source/heap_hooks.h"

#ifndef PYRO_STATIC

#define OWN(result, name, parameters, arguments) PYRO_OWN(name);
#define OWN_FREE(name, parameters, arguments) PYRO_OWN(name);
PYRO_HEAP_CALLS(OWN)
PYRO_HEAP_FREES(OWN_FREE)

#define HOOKED(result, name, parameters, arguments) \
	{#name, (void (*)(void))pyro_own_##name, &pyro_heap_next.name},
#define HOOKED_FREE(name, parameters, arguments) \
	{#name, (void (*)(void))pyro_own_##name, &pyro_heap_next.name},

const struct pyro_hooked pyro_heap_hooked[PYRO_HEAP_COUNT] = {
	PYRO_HEAP_CALLS(HOOKED) PYRO_HEAP_FREES(HOOKED_FREE)};

#endif
