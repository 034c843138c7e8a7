// SPDX-License-Identifier: Apache-2.0
/* heap_live_levels.h - the live table itself, shared by its two halves:
 * heap_live.c (hooks) and heap_live_scan.c (collector) */
#ifndef PYRO_SOURCE_HEAP_LIVE_LEVELS_H
#define PYRO_SOURCE_HEAP_LIVE_LEVELS_H

#include "source/heap_live.h"

#define PYRO_LIVE_BUCKET 8
#define PYRO_LIVE_LEVELS 8
#define PYRO_LIVE_FIRST 512 /* buckets of the first level */

/* The key is written last and taken out first. Thinning doubles the interval: how
 * often stands in one word with the id, so that no other entry's is doubled. */
struct pyro_live_entry {
	_Atomic uint64_t key;
	_Atomic uint64_t id; /* << PYRO_LIVE_DOUBLINGS | doublings */
	_Atomic uint64_t size, interval;
};

#define PYRO_LIVE_DOUBLINGS 6

struct pyro_live_level {
	size_t buckets;
	struct pyro_live_entry *entry; /* PYRO_LIVE_BUCKET a bucket */
	/* By bucket: keys of it that live in later levels. */
	_Atomic uint32_t *passed;
};

extern struct pyro_live_level pyro_live_level[PYRO_LIVE_LEVELS];
extern _Atomic size_t pyro_live_levels; /* mapped */
extern _Atomic size_t pyro_live_entries;

/* Empty an entry that holds this key; false if it does not any more. */
bool pyro_live_take_out(struct pyro_live_entry *entry,
			uint64_t key) PYRO_SIGNAL_SAFE;

#endif
