// SPDX-License-Identifier: Apache-2.0
/* heap_front.c - the hooks for an allocator that comes before us */
#include "source/heap_front.h"

#define HOOK
#define HOOK_NAME(name) pyro_front_##name
#define NEXT(name)                                              \
	((__typeof__(pyro_front_##name) *)atomic_load_explicit( \
		&pyro_heap_front.name, memory_order_relaxed))
#define MARKS false /* nothing is known of it */

#include "source/heap_hooks.h"

struct pyro_heap_next pyro_heap_front;
