// SPDX-License-Identifier: Apache-2.0
/* heap_live.h - the blocks that were sampled and not freed yet
 *
 * Written by the hooks of malloc and free in any thread, without locks, and
 * scanned by the collector. A key is a block's address. For one address the
 * program itself orders the calls: it is added before malloc returns and removed
 * before the real free. When an address is added that is there already, the free
 * has bypassed the hooks, and the old entry is replaced.
 *
 * Levels of buckets of eight keys, each level twice the size of the one before. A
 * key lives in its bucket of the first level that had room; a count of those that
 * went on says where a search may stop. So nothing moves, nothing is rehashed, and
 * removing leaves nothing behind. A filter in front counts sampled blocks by
 * page: neighbours in memory are neighbours in it.
 *
 * All of it reads as empty in a forked child. */
#ifndef PYRO_SOURCE_HEAP_LIVE_H
#define PYRO_SOURCE_HEAP_LIVE_H

#include <stdatomic.h>

#include "base/slots.h"

/* More live samples than this are thinned out. */
#define PYRO_LIVE_MAX ((size_t)1 << 18)

/* Bits above all addresses. */
#define PYRO_LIVE_POOL (UINT64_C(1) << 63) /* key of a block of a pool */
#define PYRO_LIVE_HELD (UINT64_C(1) << 62)

/* A page's count; 255 stays. Enough for 4 GiB until pages share one. */
#define PYRO_LIVE_FILTER_COUNT ((size_t)1 << 20)
extern _Atomic uint8_t pyro_live_filter[PYRO_LIVE_FILTER_COUNT];

static inline _Atomic uint8_t *pyro_live_filter_of(uint64_t key)
{
	return &pyro_live_filter[key >> 12 & (PYRO_LIVE_FILTER_COUNT - 1)];
}

/* A sampled block of an allocator that ignores sizes lies at a multiple of this, or
 * 16 bytes behind, as large ones do that have pages of their own: there, and nowhere
 * else, free() looks. Sampled blocks elsewhere are counted; while there are any it
 * looks at all addresses. */
#define PYRO_LIVE_MARK 512
static inline bool pyro_live_is_marked(uint64_t key)
{
	return (key & (PYRO_LIVE_MARK - 1) & ~UINT64_C(16)) == 0;
}
extern _Atomic uint32_t pyro_live_unmarked;

/* Might key be there? Most often the answer is no, by the filter: a branch on the
 * address itself would go either way, as a processor sees it. Context: hook. */
static inline bool pyro_live_may_have(uint64_t key)
{
	return __builtin_expect(atomic_load_explicit(pyro_live_filter_of(key),
						     memory_order_relaxed) > 0,
				0) &&
	       (pyro_live_is_marked(key) ||
		atomic_load_explicit(&pyro_live_unmarked,
				     memory_order_relaxed) > 0);
}

/* Map the first level, once a process. 0 or -ENOMEM. */
int pyro_live_init(void);
/* In a forked child. Stores only. */
void pyro_live_forked(void);
/* Map one more level when the last fills. Collector, between bursts. */
void pyro_live_grow(void);
/* Forget all. Collector; a hook that is under way may still add. */
void pyro_live_clear(void);
size_t pyro_live_count(void);

/* False when there is no room. */
bool pyro_live_add(uint64_t key,
		   const struct pyro_heap_sample *sample) PYRO_SIGNAL_SAFE;
void pyro_live_remove(uint64_t key) PYRO_SIGNAL_SAFE;

/* For realloc: from hold to drop or restore the entry is still live, but not found
 * by its key, which may belong to another block already. NULL: not there. */
struct pyro_live_entry *pyro_live_hold(uint64_t key) PYRO_SIGNAL_SAFE;
void pyro_live_drop(struct pyro_live_entry *held,
		    uint64_t key) PYRO_SIGNAL_SAFE;
void pyro_live_restore(struct pyro_live_entry *held,
		       uint64_t key) PYRO_SIGNAL_SAFE;

/* Call fn for every entry. What is added or removed meanwhile may be among
 * them or not; each entry is whole. Collector. */
typedef void pyro_live_fn(void *arg, const struct pyro_heap_sample *sample);
void pyro_live_each(pyro_live_fn *fn, void *arg);

/* Ask keep how often to double the interval of an entry: less than 0 forgets it.
 * Collector. */
typedef int pyro_live_keep_fn(void *arg, const struct pyro_heap_sample *sample);
void pyro_live_thin(pyro_live_keep_fn *keep, void *arg);

#endif
