// SPDX-License-Identifier: Apache-2.0
/* slots_pool.h - the pool itself, shared by its two halves: slots.c (handlers)
 * and slots_sweep.c (collector) */
#ifndef PYRO_BASE_SLOTS_POOL_H
#define PYRO_BASE_SLOTS_POOL_H

#include "base/slots.h"

enum pyro_slot_state { /* zero pages are free slots */
	PYRO_SLOT_FREE,
	PYRO_SLOT_BUSY,
	PYRO_SLOT_READY
};

struct pyro_slot_pool {
	size_t mask; /* count - 1 */
	size_t bytes;
	/* Written by handlers, relaxed but for the wake protocol. */
	_Atomic size_t next;
	struct pyro_lost {
		_Atomic uint64_t count, value;
	} lost[PYRO_KIND_COUNT];
	/* Records committed since the last sweep began. */
	_Atomic uint32_t ready;
	/* Set by the collector before it sleeps with nothing to do; whoever
	 * clears it wakes the collector. */
	_Atomic bool idle;
	/* The same for one urgent record. */
	_Atomic bool urgent_allowed;
	_Atomic uint32_t wake;
	uint16_t room; /* frames of a record */
	_Atomic uint16_t depth;
	size_t stride;         /* bytes from a record to the next */
	unsigned char *record; /* the first, in the wiped pages */
};

static inline struct pyro_record *
pyro_slot_at(const struct pyro_slot_pool *pool, size_t i)
{
	return (struct pyro_record *)(void *)(pool->record + i * pool->stride);
}

extern struct pyro_slot_pool *_Atomic pyro_slot_pool;

#endif
