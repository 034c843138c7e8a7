// SPDX-License-Identifier: Apache-2.0
/* ranges.c - stacks that are not threads' own, as the program told
 *
 * A table without locks: an entry is free while its lo is 0, taken by changing
 * that to CLAIMED, and valid once lo is an address. Its hi is read between two
 * looks at lo. A walk searches all entries that were ever used: it comes here
 * only when sp is outside the thread's own stack. */
#include "capture/ranges.h"

#include <errno.h>
#include <stdatomic.h>

#define FREE 0
#define CLAIMED 1

static struct {
	_Atomic uintptr_t lo, hi;
} range[PYRO_RANGES_MAX];

static _Atomic size_t used; /* entries behind are free */

static bool claim(size_t i)
{
	uintptr_t free = FREE;

	return atomic_load_explicit(&range[i].lo, memory_order_relaxed) ==
		       FREE &&
	       atomic_compare_exchange_strong(&range[i].lo, &free, CLAIMED);
}

static void set_used(size_t count)
{
	size_t now = atomic_load(&used);

	while (now < count && !atomic_compare_exchange_weak(&used, &now, count))
		;
}

int pyro_ranges_add(uintptr_t lo, uintptr_t hi)
{
	if (lo <= CLAIMED || hi <= lo)
		return -EINVAL;
	pyro_ranges_remove(lo);
	for (size_t i = 0; i < PYRO_RANGES_MAX; i++) {
		if (!claim(i))
			continue;
		atomic_store(&range[i].hi, hi);
		set_used(i + 1);
		/* Release: who sees lo sees hi. */
		atomic_store_explicit(&range[i].lo, lo, memory_order_release);
		return 0;
	}
	return -ENOSPC;
}

void pyro_ranges_remove(uintptr_t lo)
{
	size_t count = atomic_load(&used);

	for (size_t i = 0; i < count && lo > CLAIMED; i++) {
		uintptr_t expected = lo;

		if (atomic_load_explicit(&range[i].lo, memory_order_relaxed) ==
			    lo &&
		    atomic_compare_exchange_strong(&range[i].lo, &expected,
						   FREE))
			return;
	}
}

struct pyro_stack pyro_ranges_find(uintptr_t sp)
{
	size_t count = atomic_load_explicit(&used, memory_order_acquire);

	for (size_t i = 0; i < count; i++) {
		uintptr_t lo = atomic_load_explicit(&range[i].lo,
						    memory_order_acquire);

		if (lo <= CLAIMED || sp < lo)
			continue;

		uintptr_t hi = atomic_load_explicit(&range[i].hi,
						    memory_order_acquire);

		if (sp < hi && atomic_load_explicit(&range[i].lo,
						    memory_order_relaxed) == lo)
			return (struct pyro_stack){lo, hi};
	}
	return (struct pyro_stack){0, 0};
}
