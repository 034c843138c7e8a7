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

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>

#include "base/util.h"

#define PYRO_HOOK __attribute__((visibility("default")))
#define PYRO_HOOK_NAME(name) name
#define PYRO_HOOK_SYMBOL(name) #name
#define PYRO_NEXT_SLOT(name) static _Atomic uintptr_t pyro_next_##name

/* Found once; two threads may both look, and find the same. Files that use it
 * are compiled with -fno-optimize-sibling-calls: dlsym(RTLD_NEXT) looks at its
 * return address to know who asks. */
static inline uintptr_t pyro_next_address(_Atomic uintptr_t *slot,
					  const char *name)
{
	uintptr_t next = atomic_load_explicit(slot, memory_order_relaxed);

	if (__builtin_expect(next == 0, 0)) {
		int saved = errno;

		next = (uintptr_t)dlsym(RTLD_NEXT, name);
		/* Linked indirectly, or behind -lc: libc comes before us in the
		 * order of lookup, and only our own threads call our names. */
		if (!next)
			next = (uintptr_t)dlsym(RTLD_DEFAULT, name);
		atomic_store_explicit(slot, next, memory_order_relaxed);
		errno = saved;
	}
	return next;
}

#define PYRO_NEXT(name) \
	((__typeof__(name) *)pyro_next_address(&pyro_next_##name, #name))

#endif

#endif
