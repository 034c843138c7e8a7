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
	uint32_t stack;   /* number; PYRO_TABLE_NONE: overflow */
	uint32_t seen;    /* the last look that has seen it */
};

/* Its number; PYRO_TABLE_NONE: there is no place for it. */
static uint32_t number_of(struct pyro_heap_stacks *h,
			  const struct pyro_stack_frames *stack)
{
	uint32_t number;

	h->values =
		pyro_stack_set_add_values(&h->set, stack, h->values, &h->cap,
					  sizeof(*h->values), &number);
	return number;
}

static struct pyro_heap_stack *stack_at(struct pyro_heap_stacks *h,
					uint32_t number)
{
	return number == PYRO_TABLE_NONE ? &h->overflow : &h->values[number];
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

bool pyro_heap_stacks_add(struct pyro_heap_stacks *h,
			  const struct pyro_stack_frames *stack,
			  const struct pyro_heap_sample *sample,
			  uint64_t now_ns)
{
	uint32_t number = number_of(h, stack);

	add_values(&stack_at(h, number)->alloc, sample->size, sample->interval);
	remember(h, sample->id, number, now_ns);
	h->records++;
	h->stops[stack->stop]++;
	return number != PYRO_TABLE_NONE;
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
	for (size_t i = 0; i < h->set.count; i++)
		h->values[i].inuse = 0;
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

/* How many stacks have ids, and what number each of these will have. */
static size_t plan(struct pyro_heap_stacks *h)
{
	size_t kept = 0;

	for (size_t i = 0; i < h->set.count; i++)
		if (h->values[i].ids > 0)
			h->values[i].moved = (uint32_t)kept++;
	return kept;
}

static bool has_ids(void *arg, uint32_t number)
{
	return ((struct pyro_heap_stacks *)arg)->values[number].ids > 0;
}

static void forget_stacks(struct pyro_heap_stacks *h)
{
	size_t count = h->set.count;

	if (!pyro_stack_set_keep(&h->set, has_ids, h))
		return; /* next time */
	for (size_t i = 0; i < h->ids_count; i++)
		if (h->ids[i].stack != PYRO_TABLE_NONE)
			h->ids[i].stack = h->values[h->ids[i].stack].moved;
	for (size_t i = 0; i < count; i++)
		if (h->values[i].ids > 0)
			h->values[h->values[i].moved] = h->values[i];
}

void pyro_heap_stacks_next(struct pyro_heap_stacks *h)
{
	size_t count = h->set.count, forgotten = count - plan(h);

	h->records = 0;
	memset(h->stops, 0, sizeof(h->stops));
	h->overflow.alloc = (struct pyro_heap_values){0};
	for (size_t i = 0; i < count; i++)
		h->values[i].alloc = (struct pyro_heap_values){0};
	if (forgotten > (count < PYRO_STACKS_MAX ? count / 4 : 0))
		forget_stacks(h);
}

void pyro_heap_stacks_free(struct pyro_heap_stacks *h)
{
	pyro_stack_set_free(&h->set);
	pyro_table_free(&h->by_id);
	pyro_pages_free(h->values, h->cap * sizeof(*h->values));
	pyro_pages_free(h->ids, h->ids_cap * sizeof(*h->ids));
	pyro_pages_free(h->inuse, h->inuse_cap * sizeof(*h->inuse));
	*h = (struct pyro_heap_stacks){0};
}
