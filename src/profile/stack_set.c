// SPDX-License-Identifier: Apache-2.0
/* stack_set.c - stacks with their labels and span, each once, by number */
#include "profile/stack_set.h"

#include <string.h>

/* So many times the memory of its stacks a profile takes that is made of them, in
 * all its forms. */
#define PROFILE_SHARE 2

static bool same_stack(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_stack_frames *have =
		&((const struct pyro_stack_set *)owner)->stacks[item];
	const struct pyro_stack_frames *want = key;

	return have->depth == want->depth && have->stop == want->stop &&
	       have->labels == want->labels && have->span == want->span &&
	       memcmp(have->frames, want->frames,
		      want->depth * sizeof(*want->frames)) == 0;
}

static uint64_t hash_stack(const struct pyro_stack_frames *stack)
{
	return pyro_hash(stack->frames, stack->depth * sizeof(*stack->frames),
			 (uint64_t)stack->labels << 16 ^
				 (uint64_t)stack->span << 32 ^ stack->stop);
}

uint32_t pyro_stack_set_add(struct pyro_stack_set *set,
			    const struct pyro_stack_frames *stack)
{
	size_t bytes = stack->depth * sizeof(*stack->frames);
	uint64_t hash = hash_stack(stack);
	uint32_t fresh = (uint32_t)set->count;
	uint32_t item =
		pyro_table_find(&set->table, hash, same_stack, set, stack);

	if (item != PYRO_TABLE_NONE || set->count >= PYRO_STACKS_MAX ||
	    pyro_memory_is_short(PROFILE_SHARE * set->frames.bytes))
		return item;

	struct pyro_stack_frames *stacks = pyro_array_grow(
		set->stacks, &set->cap, set->count + 1, sizeof(*stacks));
	uint64_t *copy = pyro_arena_alloc(&set->frames, bytes);

	if (stacks)
		set->stacks = stacks;
	if (!stacks || !copy || pyro_table_add(&set->table, hash, fresh))
		return PYRO_TABLE_NONE;
	memcpy(copy, stack->frames, bytes);
	stacks[set->count] = *stack;
	stacks[set->count++].frames = copy;
	return fresh;
}

void *pyro_stack_set_add_values(struct pyro_stack_set *set,
				const struct pyro_stack_frames *stack,
				void *values, size_t *cap, size_t size,
				uint32_t *number)
{
	size_t count = set->count;
	char *grown = pyro_array_grow(values, cap, count + 1, size);

	*number = PYRO_TABLE_NONE;
	if (!grown)
		return values;
	*number = pyro_stack_set_add(set, stack);
	if (*number == count)
		memset(grown + count * size, 0, size);
	return grown;
}

bool pyro_stack_set_keep(struct pyro_stack_set *set, pyro_stack_keep_fn *keep,
			 void *arg)
{
	struct pyro_arena fresh = {0};
	size_t count = set->count, bytes = 0;
	uint64_t *frames;

	for (size_t i = 0; i < count; i++)
		if (keep(arg, (uint32_t)i))
			bytes += set->stacks[i].depth * sizeof(*frames);
	frames = pyro_arena_alloc(&fresh, bytes);
	if (!frames)
		return false;
	pyro_table_clear(&set->table);
	set->count = 0;
	for (size_t i = 0; i < count; i++) {
		struct pyro_stack_frames stack = set->stacks[i];

		if (!keep(arg, (uint32_t)i))
			continue;
		memcpy(frames, stack.frames, stack.depth * sizeof(*frames));
		stack.frames = frames;
		frames += stack.depth;
		/* There is room: the table has held as many. */
		pyro_table_add(&set->table, hash_stack(&stack),
			       (uint32_t)set->count);
		set->stacks[set->count++] = stack;
	}
	pyro_arena_free(&set->frames);
	set->frames = fresh;
	return true;
}

void pyro_stack_set_clear(struct pyro_stack_set *set)
{
	pyro_arena_free(&set->frames);
	pyro_table_clear(&set->table);
	set->count = 0;
}

void pyro_stack_set_free(struct pyro_stack_set *set)
{
	pyro_arena_free(&set->frames);
	pyro_table_free(&set->table);
	pyro_pages_free(set->stacks, set->cap * sizeof(*set->stacks));
	*set = (struct pyro_stack_set){0};
}
