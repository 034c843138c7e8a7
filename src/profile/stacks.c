// SPDX-License-Identifier: Apache-2.0
/* stacks.c - sum samples of CPU time by stack */
#include "profile/stacks.h"

#include <string.h>

/* The stack's values; overflow's, if there is no place for it. */
static struct pyro_stack_values *
values_of(struct pyro_stacks *stacks, const struct pyro_stack_frames *stack)
{
	uint32_t number;

	stacks->values = pyro_stack_set_add_values(
		&stacks->set, stack, stacks->values, &stacks->cap,
		sizeof(*stacks->values), &number);
	return number == PYRO_TABLE_NONE ? &stacks->overflow
					 : &stacks->values[number];
}

bool pyro_stacks_add(struct pyro_stacks *stacks,
		     const struct pyro_stack_frames *stack, uint64_t ns,
		     uint64_t ticks)
{
	struct pyro_stack_values *values = values_of(stacks, stack);

	values->ticks += ticks;
	values->ns += ns;
	/* A signal that was in time stands for one period at least. */
	uint64_t in_time = PYRO_WEIGHT_MAX_NS + (ticks ? ns / ticks : 0);

	if (ns > in_time)
		values->delayed_ns += ns - in_time;
	stacks->total_ns += ns;
	stacks->total_ticks += ticks;
	stacks->records++;
	stacks->stops[stack->stop]++;
	return values != &stacks->overflow;
}

static bool same_span(const void *owner, uint32_t item, const void *key)
{
	return memcmp(&((const struct pyro_stacks *)owner)->spans[item], key,
		      sizeof(struct pyro_span)) == 0;
}

uint32_t pyro_stacks_span(struct pyro_stacks *stacks,
			  const struct pyro_span *span)
{
	static const struct pyro_span none;
	uint64_t hash = pyro_hash(span, sizeof(*span), 0);
	uint32_t item;

	if (memcmp(span->id, none.id, sizeof(none.id)) == 0)
		return 0;
	item = pyro_table_find(&stacks->by_span, hash, same_span, stacks, span);
	if (item != PYRO_TABLE_NONE)
		return item + 1;

	struct pyro_span *spans =
		pyro_array_grow(stacks->spans, &stacks->spans_cap,
				stacks->spans_count + 1, sizeof(*spans));

	if (!spans)
		return 0;
	stacks->spans = spans;
	if (pyro_table_add(&stacks->by_span, hash,
			   (uint32_t)stacks->spans_count))
		return 0;
	spans[stacks->spans_count] = *span;
	return (uint32_t)++stacks->spans_count;
}

void pyro_stacks_clear(struct pyro_stacks *stacks)
{
	struct pyro_stacks fresh = {
		.spans = stacks->spans,
		.spans_cap = stacks->spans_cap,
		.values = stacks->values,
		.cap = stacks->cap,
	};

	pyro_stack_set_clear(&stacks->set);
	pyro_table_clear(&stacks->by_span);
	fresh.set = stacks->set;
	fresh.by_span = stacks->by_span;
	*stacks = fresh;
}

void pyro_stacks_free(struct pyro_stacks *stacks)
{
	pyro_stack_set_free(&stacks->set);
	pyro_table_free(&stacks->by_span);
	pyro_pages_free(stacks->spans,
			stacks->spans_cap * sizeof(*stacks->spans));
	pyro_pages_free(stacks->values, stacks->cap * sizeof(*stacks->values));
	*stacks = (struct pyro_stacks){0};
}
