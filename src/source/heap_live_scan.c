// SPDX-License-Identifier: Apache-2.0
/* heap_live_scan.c - the collector's half of the live table */
#include <errno.h>
#include <sys/mman.h>

#include "base/arena.h"
#include "source/heap_live_levels.h"

/* One more level is there before a bucket of the last one is full: what finds no
 * room is lost. With an eighth of all entries in use, one in a million has eight
 * keys. Pages that are not used are not there. */
static size_t room(void)
{
	size_t entries = 0;

	for (size_t i = 0; i < atomic_load(&pyro_live_levels); i++)
		entries += pyro_live_level[i].buckets * PYRO_LIVE_BUCKET;
	return entries;
}

static int map_level(size_t index)
{
	struct pyro_live_level *level = &pyro_live_level[index];
	size_t buckets = (size_t)PYRO_LIVE_FIRST << index;
	size_t entries =
		buckets * PYRO_LIVE_BUCKET * sizeof(struct pyro_live_entry);
	size_t bytes = entries + buckets * sizeof(*level->passed);
	char *pages = pyro_pages_alloc(bytes);

	if (!pages)
		return -ENOMEM;
	madvise(pages, pyro_align_up(bytes, 4096), MADV_WIPEONFORK);
	level->buckets = buckets;
	level->entry = (struct pyro_live_entry *)(void *)pages;
	level->passed = (_Atomic uint32_t *)(void *)(pages + entries);
	atomic_store(&pyro_live_levels, index + 1);
	return 0;
}

int pyro_live_init(void)
{
	return atomic_load(&pyro_live_levels) ? 0 : map_level(0);
}

void pyro_live_grow(void)
{
	size_t levels = atomic_load(&pyro_live_levels);

	if (levels > 0 && levels < PYRO_LIVE_LEVELS &&
	    atomic_load(&pyro_live_entries) > room() / 8)
		map_level(levels);
}

void pyro_live_forked(void)
{
	atomic_store(&pyro_live_entries, 0);
	atomic_store(&pyro_live_unmarked, 0);
}

size_t pyro_live_count(void)
{
	return atomic_load(&pyro_live_entries);
}

/* One entry, read whole. */
struct seen {
	struct pyro_live_entry *entry;
	uint64_t key, id;
	struct pyro_heap_sample sample;
};

/* False when there is none, or it changes. An id is used once, so an entry that
 * has the same one before and after was not another between. */
static bool read_entry(struct pyro_live_entry *entry, struct seen *seen)
{
	uint64_t key = atomic_load_explicit(&entry->key, memory_order_acquire);
	uint64_t interval;

	if (key <= 1)
		return false;
	seen->entry = entry;
	seen->id = atomic_load_explicit(&entry->id, memory_order_acquire);
	seen->sample.size =
		atomic_load_explicit(&entry->size, memory_order_acquire);
	interval = atomic_load_explicit(&entry->interval, memory_order_acquire);
	atomic_thread_fence(memory_order_acquire);
	seen->key = atomic_load_explicit(&entry->key, memory_order_acquire);
	seen->sample.id = seen->id >> PYRO_LIVE_DOUBLINGS;
	seen->sample.interval =
		interval << (seen->id & ((1u << PYRO_LIVE_DOUBLINGS) - 1));
	/* Held by a realloc meanwhile, or not any more: the same entry. */
	return (key & ~PYRO_LIVE_HELD) == (seen->key & ~PYRO_LIVE_HELD) &&
	       seen->id == atomic_load(&entry->id);
}

typedef void visit_fn(void *arg, const struct seen *seen);

static void visit_all(visit_fn *visit, void *arg)
{
	for (size_t i = 0; i < atomic_load(&pyro_live_levels); i++) {
		const struct pyro_live_level *level = &pyro_live_level[i];
		struct seen seen;

		for (size_t j = 0; j < level->buckets * PYRO_LIVE_BUCKET; j++)
			if (read_entry(&level->entry[j], &seen))
				visit(arg, &seen);
	}
}

struct each {
	pyro_live_fn *fn;
	void *arg;
};

static void tell(void *arg, const struct seen *seen)
{
	const struct each *each = arg;

	each->fn(each->arg, &seen->sample);
}

void pyro_live_each(pyro_live_fn *fn, void *arg)
{
	struct each each = {fn, arg};

	visit_all(tell, &each);
}

static void forget(void *arg, const struct seen *seen)
{
	(void)arg;
	pyro_live_take_out(seen->entry, seen->key);
}

void pyro_live_clear(void)
{
	visit_all(forget, NULL);
}

struct thin {
	pyro_live_keep_fn *keep;
	void *arg;
};

static void thin(void *arg, const struct seen *seen)
{
	const struct thin *how = arg;
	int doublings = how->keep(how->arg, &seen->sample);
	uint64_t id = seen->id;

	if (doublings < 0)
		pyro_live_take_out(seen->entry, seen->key);
	else
		atomic_compare_exchange_strong(&seen->entry->id, &id,
					       id + (uint64_t)doublings);
}

void pyro_live_thin(pyro_live_keep_fn *keep, void *arg)
{
	struct thin how = {keep, arg};

	visit_all(thin, &how);
}
