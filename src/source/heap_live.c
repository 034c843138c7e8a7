// SPDX-License-Identifier: Apache-2.0
/* heap_live.c - the hooks' half of the live table: signal safe */
#include "source/heap_live.h"

#include "source/heap_live_levels.h"

#define KEY_EMPTY 0u
#define KEY_BUSY 1u /* an entry that is being written */

_Atomic uint8_t pyro_live_filter[PYRO_LIVE_FILTER_COUNT];
_Atomic uint32_t pyro_live_unmarked;

struct pyro_live_level pyro_live_level[PYRO_LIVE_LEVELS];
_Atomic size_t pyro_live_levels;
_Atomic size_t pyro_live_entries;

/* A level's bucket of a key: independent of the other levels', or keys that
 * share one bucket would share the next, too (splitmix64's finalizer). */
static size_t bucket_of(uint64_t key, size_t level)
{
	uint64_t x = (key & ~PYRO_LIVE_HELD) +
		     (level + 1) * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) & (pyro_live_level[level].buckets - 1);
}

static void filter_add(uint64_t key)
{
	_Atomic uint8_t *count = pyro_live_filter_of(key);
	uint8_t seen = atomic_load_explicit(count, memory_order_relaxed);

	while (seen < UINT8_MAX &&
	       !atomic_compare_exchange_weak(count, &seen, seen + 1))
		;
}

/* One that has reached the top does not know how many it stands for. */
static void filter_remove(uint64_t key)
{
	_Atomic uint8_t *count = pyro_live_filter_of(key);
	uint8_t seen = atomic_load_explicit(count, memory_order_relaxed);

	while (seen > 0 && seen < UINT8_MAX &&
	       !atomic_compare_exchange_weak(count, &seen, seen - 1))
		;
}

/* free() is not asked for a pool's blocks. */
static void count_key(uint64_t key, bool added)
{
	if (added)
		filter_add(key);
	else
		filter_remove(key);
	if (pyro_live_is_marked(key) || (key & PYRO_LIVE_POOL))
		return;
	if (added)
		atomic_fetch_add(&pyro_live_unmarked, 1);
	else
		atomic_fetch_sub(&pyro_live_unmarked, 1);
}

/* A key that finds no room in a level lives in a later one. */
static void pass(uint64_t key, size_t level, int change)
{
	atomic_fetch_add(&pyro_live_level[level].passed[bucket_of(key, level)],
			 (uint32_t)change);
}

static bool fill(struct pyro_live_entry *entry, uint64_t key,
		 const struct pyro_heap_sample *sample)
{
	uint64_t empty = KEY_EMPTY;

	if (!atomic_compare_exchange_strong_explicit(
		    &entry->key, &empty, KEY_BUSY, memory_order_acquire,
		    memory_order_relaxed))
		return false;
	/* Pairs with the fence of the scan: what it reads of this, it does not
	 * take for the entry that was here before. */
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&entry->id, sample->id << PYRO_LIVE_DOUBLINGS,
			      memory_order_relaxed);
	atomic_store_explicit(&entry->size, sample->size, memory_order_relaxed);
	atomic_store_explicit(&entry->interval, sample->interval,
			      memory_order_relaxed);
	atomic_store_explicit(&entry->key, key, memory_order_release);
	return true;
}

static bool add_to_level(uint64_t key, size_t level,
			 const struct pyro_heap_sample *sample)
{
	struct pyro_live_entry *entry =
		&pyro_live_level[level]
			 .entry[bucket_of(key, level) * PYRO_LIVE_BUCKET];

	for (size_t i = 0; i < PYRO_LIVE_BUCKET; i++)
		if (fill(&entry[i], key, sample))
			return true;
	return false;
}

bool pyro_live_add(uint64_t key, const struct pyro_heap_sample *sample)
{
	size_t levels = atomic_load(&pyro_live_levels);

	pyro_live_remove(key);
	if (atomic_load(&pyro_live_entries) >= PYRO_LIVE_MAX)
		return false;
	/* First: who looks for the key must not be turned away. */
	count_key(key, true);
	for (size_t i = 0; i < levels; i++) {
		if (add_to_level(key, i, sample)) {
			atomic_fetch_add(&pyro_live_entries, 1);
			return true;
		}
		pass(key, i, 1);
	}
	while (levels > 0)
		pass(key, --levels, -1);
	count_key(key, false);
	return false;
}

static struct pyro_live_entry *find(uint64_t key)
{
	size_t levels = key > KEY_BUSY ? atomic_load(&pyro_live_levels) : 0;

	for (size_t i = 0; i < levels; i++) {
		struct pyro_live_level *level = &pyro_live_level[i];
		size_t bucket = bucket_of(key, i);
		struct pyro_live_entry *entry =
			&level->entry[bucket * PYRO_LIVE_BUCKET];

		for (size_t j = 0; j < PYRO_LIVE_BUCKET; j++)
			if (atomic_load_explicit(&entry[j].key,
						 memory_order_acquire) == key)
				return &entry[j];
		if (atomic_load(&level->passed[bucket]) == 0)
			break;
	}
	return NULL;
}

static size_t level_of(const struct pyro_live_entry *entry)
{
	size_t i = 0;

	while (entry < pyro_live_level[i].entry ||
	       entry >= pyro_live_level[i].entry +
				pyro_live_level[i].buckets * PYRO_LIVE_BUCKET)
		i++;
	return i;
}

/* Whoever takes the key out counts it out. */
bool pyro_live_take_out(struct pyro_live_entry *entry, uint64_t key)
{
	uint64_t seen = key;

	if (!atomic_compare_exchange_strong(&entry->key, &seen, KEY_EMPTY))
		return false;
	for (size_t level = level_of(entry); level > 0; level--)
		pass(key, level - 1, -1);
	count_key(key & ~PYRO_LIVE_HELD, false);
	atomic_fetch_sub(&pyro_live_entries, 1);
	return true;
}

void pyro_live_remove(uint64_t key)
{
	struct pyro_live_entry *entry = find(key);

	if (entry)
		pyro_live_take_out(entry, key);
}

struct pyro_live_entry *pyro_live_hold(uint64_t key)
{
	struct pyro_live_entry *entry = find(key);
	uint64_t seen = key;

	return entry && atomic_compare_exchange_strong(&entry->key, &seen,
						       key | PYRO_LIVE_HELD)
		       ? entry
		       : NULL;
}

/* The collector may have forgotten it meanwhile, and its place be another's. */
void pyro_live_drop(struct pyro_live_entry *held, uint64_t key)
{
	pyro_live_take_out(held, key | PYRO_LIVE_HELD);
}

void pyro_live_restore(struct pyro_live_entry *held, uint64_t key)
{
	uint64_t seen = key | PYRO_LIVE_HELD;

	atomic_compare_exchange_strong(&held->key, &seen, key);
}
