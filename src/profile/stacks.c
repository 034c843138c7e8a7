// SPDX-License-Identifier: Apache-2.0
/* stacks.c - sum records by stack */
#include "profile/stacks.h"

#include <string.h>

struct key {
	const uint64_t *frames;
	size_t depth;
	enum pyro_stop stop;
};

static bool same_stack(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_stack_entry *e =
		&((const struct pyro_stacks *)owner)->entries[item];
	const struct key *k = key;

	return e->depth == k->depth && e->stop == (uint16_t)k->stop &&
	       memcmp(e->frames, k->frames, k->depth * sizeof(*k->frames)) == 0;
}

static struct pyro_stack_entry *add_entry(struct pyro_stacks *stacks,
					  const struct key *key, uint64_t hash)
{
	size_t bytes = key->depth * sizeof(*key->frames);

	if (stacks->count >= PYRO_STACKS_MAX)
		return NULL;

	struct pyro_stack_entry *entries =
		pyro_array_grow(stacks->entries, &stacks->cap,
				stacks->count + 1, sizeof(*entries));
	uint64_t *frames = pyro_arena_alloc(&stacks->frames, bytes);

	if (entries)
		stacks->entries = entries;
	if (!entries || !frames ||
	    pyro_table_add(&stacks->table, hash, (uint32_t)stacks->count))
		return NULL;
	memcpy(frames, key->frames, bytes);

	struct pyro_stack_entry *entry = &entries[stacks->count++];

	*entry = (struct pyro_stack_entry){
		.frames = frames,
		.depth = (uint16_t)key->depth,
		.stop = (uint16_t)key->stop,
	};
	return entry;
}

bool pyro_stacks_add(struct pyro_stacks *stacks, const uint64_t *frames,
		     size_t depth, enum pyro_stop stop, uint64_t ns,
		     uint64_t ticks)
{
	struct key key = {frames, depth, stop};
	uint64_t hash = pyro_hash(frames, depth * sizeof(*frames), stop);
	uint32_t item =
		pyro_table_find(&stacks->table, hash, same_stack, stacks, &key);
	struct pyro_stack_entry *entry =
		item != PYRO_TABLE_NONE ? &stacks->entries[item]
					: add_entry(stacks, &key, hash);
	struct pyro_stack_values *values =
		entry ? &entry->values : &stacks->overflow;

	values->ticks += ticks;
	values->ns += ns;
	/* A signal that was in time stands for one period at least. */
	uint64_t in_time = PYRO_WEIGHT_MAX_NS + (ticks ? ns / ticks : 0);

	if (ns > in_time)
		values->delayed_ns += ns - in_time;
	stacks->total_ns += ns;
	stacks->total_ticks += ticks;
	stacks->records++;
	stacks->stops[stop]++;
	return entry != NULL;
}

void pyro_stacks_clear(struct pyro_stacks *stacks)
{
	struct pyro_stacks fresh = {
		.table = stacks->table,
		.entries = stacks->entries,
		.cap = stacks->cap,
	};

	pyro_arena_free(&stacks->frames);
	pyro_table_clear(&fresh.table);
	*stacks = fresh;
}

void pyro_stacks_free(struct pyro_stacks *stacks)
{
	pyro_arena_free(&stacks->frames);
	pyro_table_free(&stacks->table);
	pyro_pages_free(stacks->entries,
			stacks->cap * sizeof(*stacks->entries));
	*stacks = (struct pyro_stacks){0};
}
