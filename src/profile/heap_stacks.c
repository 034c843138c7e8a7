// SPDX-License-Identifier: Apache-2.0
/* heap_stacks.c - samples of the heap by stack, over windows
 *
 * Tables only grow, so what is forgotten is left out when they are made anew: of
 * ids at each look that forgets some, of stacks when a quarter is of no use. So
 * a window's end takes time in proportion to what is live and what came. */
#include "profile/heap_stacks.h"

#include <string.h>

#include "base/poisson.h"

struct pyro_heap_id {
	uint64_t id;
	uint64_t time_ns; /* when its record came */
	uint32_t stack;   /* index; PYRO_TABLE_NONE: overflow */
	uint32_t seen;    /* the last look that has seen it */
};

struct key {
	const uint64_t *frames;
	size_t depth;
	enum pyro_stop stop;
};

static bool same_stack(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_heap_stack *s =
		&((const struct pyro_heap_stacks *)owner)->stacks[item];
	const struct key *k = key;

	return s->depth == k->depth && s->stop == (uint16_t)k->stop &&
	       memcmp(s->frames, k->frames, k->depth * sizeof(*k->frames)) == 0;
}

static uint64_t hash_stack(const struct key *key)
{
	return pyro_hash(key->frames, key->depth * sizeof(*key->frames),
			 key->stop);
}

/* Its index; PYRO_TABLE_NONE: there is no place for it. */
static uint32_t new_stack(struct pyro_heap_stacks *h, const struct key *key)
{
	size_t bytes = key->depth * sizeof(*key->frames);
	uint32_t fresh = (uint32_t)h->count;

	if (h->count >= PYRO_STACKS_MAX)
		return PYRO_TABLE_NONE;

	struct pyro_heap_stack *stacks = pyro_array_grow(
		h->stacks, &h->cap, h->count + 1, sizeof(*stacks));
	uint64_t *frames = pyro_arena_alloc(&h->frames, bytes);

	if (stacks)
		h->stacks = stacks;
	if (!stacks || !frames ||
	    pyro_table_add(&h->table, hash_stack(key), fresh))
		return PYRO_TABLE_NONE;
	memcpy(frames, key->frames, bytes);
	stacks[h->count++] = (struct pyro_heap_stack){
		.frames = frames,
		.depth = (uint16_t)key->depth,
		.stop = (uint16_t)key->stop,
	};
	return fresh;
}

static struct pyro_heap_stack *stack_at(struct pyro_heap_stacks *h,
					uint32_t index)
{
	return index == PYRO_TABLE_NONE ? &h->overflow : &h->stacks[index];
}

static bool same_id(const void *owner, uint32_t item, const void *key)
{
	return ((const struct pyro_heap_stacks *)owner)->ids[item].id ==
	       *(const uint64_t *)key;
}

static struct pyro_heap_id *find_id(struct pyro_heap_stacks *h, uint64_t id)
{
	uint32_t item = pyro_table_find(
		&h->by_id, pyro_hash(&id, sizeof(id), 0), same_id, h, &id);

	return item == PYRO_TABLE_NONE ? NULL : &h->ids[item];
}

/* An id that has no place is one whose stack is not known. */
static void remember(struct pyro_heap_stacks *h, uint64_t id, uint32_t stack,
		     uint64_t now_ns)
{
	if (id == 0 || h->ids_count >= PYRO_HEAP_IDS_MAX || find_id(h, id))
		return;

	struct pyro_heap_id *ids = pyro_array_grow(
		h->ids, &h->ids_cap, h->ids_count + 1, sizeof(*ids));

	if (!ids)
		return;
	h->ids = ids;
	if (pyro_table_add(&h->by_id, pyro_hash(&id, sizeof(id), 0),
			   (uint32_t)h->ids_count))
		return;
	/* As if the look before the last had seen it: if the next does not, it
	 * is forgotten. */
	ids[h->ids_count++] =
		(struct pyro_heap_id){id, now_ns, stack, h->look - 1};
	stack_at(h, stack)->ids++;
}

static void add_values(struct pyro_heap_values *to, uint64_t size,
		       uint64_t interval)
{
	double objects = pyro_poisson_weight(size, interval);

	to->objects += objects;
	to->bytes += objects * (double)size;
}

bool pyro_heap_stacks_add(struct pyro_heap_stacks *h, const uint64_t *frames,
			  size_t depth, enum pyro_stop stop,
			  const struct pyro_heap_sample *sample,
			  uint64_t now_ns)
{
	struct key key = {frames, depth, stop};
	uint32_t stack = pyro_table_find(&h->table, hash_stack(&key),
					 same_stack, h, &key);

	if (stack == PYRO_TABLE_NONE)
		stack = new_stack(h, &key);
	add_values(&stack_at(h, stack)->alloc, sample->size, sample->interval);
	remember(h, sample->id, stack, now_ns);
	h->records++;
	h->stops[stop]++;
	return stack != PYRO_TABLE_NONE;
}

void pyro_heap_stacks_live_begin(struct pyro_heap_stacks *h, uint64_t now_ns,
				 bool ages)
{
	h->look++;
	h->now_ns = now_ns;
	h->ages = ages;
	h->unknown = 0;
	h->inuse_count = 0;
	h->overflow.inuse = 0;
	for (size_t i = 0; i < h->count; i++)
		h->stacks[i].inuse = 0;
}

/* The greatest power of two that is no more than the seconds since. */
static uint32_t age_of(const struct pyro_heap_stacks *h, uint64_t since_ns)
{
	uint64_t s = h->now_ns > since_ns
			     ? (h->now_ns - since_ns) / PYRO_NS_PER_SEC
			     : 0;

	if (!h->ages || s == 0)
		return 0;
	return UINT32_C(1) << (s > UINT32_MAX ? 31 : 63 - __builtin_clzll(s));
}

/* Of this age, in the list of the stack; NULL for out of memory. */
static struct pyro_heap_inuse *inuse_of(struct pyro_heap_stacks *h,
					struct pyro_heap_stack *stack,
					uint32_t age_s)
{
	for (uint32_t i = stack->inuse; i; i = h->inuse[i - 1].next)
		if (h->inuse[i - 1].age_s == age_s)
			return &h->inuse[i - 1];

	struct pyro_heap_inuse *all = pyro_array_grow(
		h->inuse, &h->inuse_cap, h->inuse_count + 1, sizeof(*all));

	if (!all)
		return NULL;
	h->inuse = all;
	all[h->inuse_count] = (struct pyro_heap_inuse){
		.age_s = age_s,
		.next = stack->inuse,
	};
	stack->inuse = (uint32_t)++h->inuse_count;
	return &all[stack->inuse - 1];
}

void pyro_heap_stacks_live(struct pyro_heap_stacks *h, uint64_t id,
			   uint64_t size, uint64_t interval)
{
	struct pyro_heap_id *known = find_id(h, id);
	struct pyro_heap_inuse *inuse;

	if (known && known->seen == h->look)
		return;
	if (known)
		known->seen = h->look;
	inuse = known ? inuse_of(h, stack_at(h, known->stack),
				 age_of(h, known->time_ns))
		      : NULL;
	if (inuse)
		add_values(&inuse->values, size, interval);
	else
		h->unknown++;
}

/* There is room: the table has held as many. */
static void index_ids(struct pyro_heap_stacks *h)
{
	pyro_table_clear(&h->by_id);
	for (size_t i = 0; i < h->ids_count; i++)
		pyro_table_add(
			&h->by_id,
			pyro_hash(&h->ids[i].id, sizeof(h->ids[i].id), 0),
			(uint32_t)i);
}

void pyro_heap_stacks_live_end(struct pyro_heap_stacks *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->ids_count; i++)
		if (h->look - h->ids[i].seen < 2)
			h->ids[kept++] = h->ids[i];
		else
			stack_at(h, h->ids[i].stack)->ids--;
	if (kept == h->ids_count)
		return;
	h->ids_count = kept;
	index_ids(h);
}

/* Where the stacks that have ids come to lie; *bytes for their frames. */
static size_t plan(struct pyro_heap_stacks *h, size_t *bytes)
{
	size_t kept = 0;

	*bytes = 0;
	for (size_t i = 0; i < h->count; i++) {
		struct pyro_heap_stack *s = &h->stacks[i];

		if (s->ids == 0)
			continue;
		s->moved = (uint32_t)kept++;
		*bytes += s->depth * sizeof(*s->frames);
	}
	return kept;
}

static void move(struct pyro_heap_stacks *h, uint64_t *frames)
{
	size_t count = h->count;

	for (size_t i = 0; i < h->ids_count; i++)
		if (h->ids[i].stack != PYRO_TABLE_NONE)
			h->ids[i].stack = h->stacks[h->ids[i].stack].moved;
	pyro_table_clear(&h->table);
	h->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct pyro_heap_stack s = h->stacks[i];
		struct key key = {frames, s.depth, s.stop};

		if (s.ids == 0)
			continue;
		memcpy(frames, s.frames, s.depth * sizeof(*frames));
		frames += s.depth;
		s.frames = key.frames;
		/* There is room: the table has held more. */
		pyro_table_add(&h->table, hash_stack(&key), s.moved);
		h->stacks[h->count++] = s;
	}
}

void pyro_heap_stacks_next(struct pyro_heap_stacks *h)
{
	struct pyro_arena fresh = {0};
	size_t bytes, kept = plan(h, &bytes);
	uint64_t *frames;

	h->records = 0;
	memset(h->stops, 0, sizeof(h->stops));
	h->overflow.alloc = (struct pyro_heap_values){0};
	for (size_t i = 0; i < h->count; i++)
		h->stacks[i].alloc = (struct pyro_heap_values){0};
	if (h->count - kept <= (h->count < PYRO_STACKS_MAX ? h->count / 4 : 0))
		return;
	frames = pyro_arena_alloc(&fresh, bytes);
	if (!frames)
		return; /* next time */
	move(h, frames);
	pyro_arena_free(&h->frames);
	h->frames = fresh;
}

void pyro_heap_stacks_free(struct pyro_heap_stacks *h)
{
	pyro_arena_free(&h->frames);
	pyro_table_free(&h->table);
	pyro_table_free(&h->by_id);
	pyro_pages_free(h->stacks, h->cap * sizeof(*h->stacks));
	pyro_pages_free(h->ids, h->ids_cap * sizeof(*h->ids));
	pyro_pages_free(h->inuse, h->inuse_cap * sizeof(*h->inuse));
	*h = (struct pyro_heap_stacks){0};
}
