// SPDX-License-Identifier: Apache-2.0
/* next.h - the next definition of a function that the library interposes
 *
 * In libpyroscope.so a hook has the function's own name and asks the dynamic
 * linker for the next one. In libpyroscope.a it is __wrap_x, and the linker's
 * option --wrap=x makes __real_x what x would have been. */
#ifndef PYRO_SOURCE_NEXT_H
#define PYRO_SOURCE_NEXT_H

#ifdef PYRO_STATIC

#define PYRO_HOOK
#define PYRO_HOOK_NAME(name) __wrap_##name
#define PYRO_HOOK_SYMBOL(name) "__wrap_" #name
#define PYRO_NEXT_SLOT(name)                   \
	extern __typeof__(name) __wrap_##name; \
	extern __typeof__(name) __real_##name
#define PYRO_NEXT(name) __real_##name

#else

#include <stdatomic.h>

#include "source/bind.h"

#define PYRO_HOOK __attribute__((visibility("default")))
#define PYRO_HOOK_NAME(name) name
#define PYRO_HOOK_SYMBOL(name) #name
#define PYRO_NEXT_SLOT(name) static _Atomic uintptr_t pyro_next_##name

/* Our own function of that name, where its plain address may be that of another
 * object's: PYRO_OWN() behind the definition, then an item of a table of
 * bind.h. */
#if defined(__clang__)
#define PYRO_LIKE(function)
#else
#define PYRO_LIKE(function) , copy(function)
#endif
#define PYRO_OWN_LIKE(name, function)                               \
	extern __typeof__(function) pyro_own_##name __attribute__(( \
		alias(#name), visibility("hidden") PYRO_LIKE(function)))
#define PYRO_OWN(name) PYRO_OWN_LIKE(name, name)
#define PYRO_HOOKED(name)                                                 \
	{                                                                 \
#name, (void (*)(void))pyro_own_##name, &pyro_next_##name \
	}

/* The next definition behind ours in the order of lookup; else the first that
 * is not ours. 0: there is none. Keeps errno. */
uintptr_t pyro_next_find(const char *name);
/* Of all of a table, and put it to use. From the constructor: later, a look at the
 * loaded objects could wait for one that waits for the caller. */
void pyro_next_resolve(const struct pyro_hooked *table, size_t count);

/* Found once; two threads may both look, and find the same. */
static inline uintptr_t pyro_next_address(_Atomic uintptr_t *slot,
					  const char *name)
{
	uintptr_t next = atomic_load_explicit(slot, memory_order_relaxed);

	if (__builtin_expect(next == 0, 0)) {
		next = pyro_next_find(name);
		atomic_store_explicit(slot, next, memory_order_relaxed);
	}
	return next;
}

#define PYRO_NEXT(name) \
	((__typeof__(name) *)pyro_next_address(&pyro_next_##name, #name))

#endif

#endif
