// SPDX-License-Identifier: Apache-2.0
/* lock_names.c - which of the program's locks have names */
#include "capture/lock_names.h"

#include <errno.h>
#include <stdatomic.h>

#include "capture/labels.h"

#define NAME_BITS 16

_Static_assert(PYRO_LABEL_SETS_MAX <= 1 << NAME_BITS, "a name fits");

/* A lock's address, of 48 bits, and its name below: who finds the one has the
 * other. 0: free. */
static _Atomic uint64_t named[PYRO_LOCK_NAMES_MAX];

static _Atomic uint64_t *slot(uint64_t address, uint32_t distance)
{
	uint64_t home = (address >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 52;

	return &named[(home + distance) % PYRO_LOCK_NAMES_MAX];
}

static _Atomic uint64_t *find(uint64_t address, uint64_t *word)
{
	for (uint32_t i = 0; i < PYRO_LOCK_NAMES_WINDOW; i++) {
		*word = atomic_load_explicit(slot(address, i),
					     memory_order_relaxed);
		if (*word >> NAME_BITS == address)
			return slot(address, i);
	}
	return NULL;
}

/* Meanwhile, another lock's name may take what is free. */
static int add(uint64_t address, uint32_t name)
{
	for (uint32_t i = 0; i < PYRO_LOCK_NAMES_WINDOW; i++) {
		uint64_t free = 0;

		if (atomic_compare_exchange_strong(slot(address, i), &free,
						   address << NAME_BITS | name))
			return 0;
	}
	return -ENOSPC;
}

int pyro_lock_name_set(const void *lock, uint32_t name)
{
	uint64_t address = (uintptr_t)lock, word;
	_Atomic uint64_t *have;

	if (address == 0 || address >> (64 - NAME_BITS))
		return -EINVAL;
	have = find(address, &word);
	if (have)
		atomic_store(have, name ? address << NAME_BITS | name : 0);
	else if (name)
		return add(address, name);
	return 0;
}

uint32_t pyro_lock_name(const void *lock)
{
	uint64_t word;

	return lock && find((uintptr_t)lock, &word)
		       ? (uint32_t)(word & ((1 << NAME_BITS) - 1))
		       : 0;
}
