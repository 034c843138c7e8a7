// SPDX-License-Identifier: Apache-2.0
/* hook.h - libc functions that the library interposes
 *
 * One shared object works linked and preloaded: it exports these names
 * unversioned (tools/hooks.txt lists them, a test compares) and forwards to the
 * next definition; libpyroscope.a has them for the linker's --wrap (next.h).
 * pthread_create announces threads; it and the calls of io_hook.c are where a
 * forked child that lives on is noticed. Before the library is started a hook
 * costs one load and a branch that is never taken. */
#ifndef PYRO_SOURCE_HOOK_H
#define PYRO_SOURCE_HOOK_H

#include <errno.h>
#include <stdatomic.h>

#include "base/on.h"

/* Find the next definitions, and register the hooks to be bound. From the
 * constructor, of libpyroscope.so alone. */
void pyro_hook_resolve(void);

/* What pthread_create needs beside. At every start. */
void pyro_hook_init(void);

/* Whether a record of PYRO_KIND_BIRTH is made of each thread that pthread_create()
 * creates, with the stack of who does. */
void pyro_hook_births(bool on);

/* Whether new threads begin with the labels of who creates them. */
void pyro_hook_inherit_labels(bool on);

/* Called from hooks in a process that was started but is not YES, on a thread
 * of the program, perhaps in one of its signal handlers. The hook keeps
 * errno. */
typedef void pyro_child_fn(void);
void pyro_hook_on_child(pyro_child_fn *fn);
extern pyro_child_fn *_Atomic pyro_on_child; /* NULL: never started */

/* First thing in each hook of a call in which a child may live on. */
static inline void pyro_hook_wake_child(void)
{
	pyro_child_fn *fn =
		atomic_load_explicit(&pyro_on_child, memory_order_relaxed);

	if (__builtin_expect(fn && pyro_on_get() != PYRO_ON_YES, 0)) {
		int saved = errno;

		fn();
		errno = saved;
	}
}

/* Is this code address the library's own frame under a thread's first function?
 * Such frames are left out of stacks. */
bool pyro_hook_is_trampoline(uint64_t pc);

#endif
