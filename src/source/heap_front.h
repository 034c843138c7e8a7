// SPDX-License-Identifier: Apache-2.0
/* heap_front.h - hooks for an allocator that comes before us in the order of
 * lookup
 *
 * The executable's own, or one that was preloaded or linked before us. The
 * functions that we export forward to what comes behind us, as they must: if the
 * one in front is an interposer, too, it is it that calls them. If it is an
 * allocator nobody calls them, and the slots that hold its functions are given
 * these hooks, which forward to it (heap_bind.c). */
#ifndef PYRO_SOURCE_HEAP_FRONT_H
#define PYRO_SOURCE_HEAP_FRONT_H

#include "source/heap_next.h"

#define PYRO_FRONT_DECLARE(result, name, parameters, arguments) \
	result pyro_front_##name parameters PYRO_SIGNAL_SAFE;
#define PYRO_FRONT_DECLARE_FREE(name, parameters, arguments) \
	PYRO_FRONT_DECLARE(void, name, parameters, arguments)
PYRO_HEAP_CALLS(PYRO_FRONT_DECLARE)
PYRO_HEAP_FREES(PYRO_FRONT_DECLARE_FREE)

/* Its functions; 0: it is not there, or has no such. */
extern struct pyro_heap_next pyro_heap_front;

/* Have calls of the C allocator's functions bound to the hooks, wherever it comes
 * in that order. From the constructor. */
void pyro_heap_bind(void);

#endif
