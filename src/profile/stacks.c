// SPDX-License-Identifier: Apache-2.0
/* stacks.c - sum samples of CPU time by stack */
#include "profile/stacks.h"

#include <string.h>

/* The stack's values; overflow's, if there is no place for it. */
static struct pyro_stack_values *
values_of(struct pyro_stacks *stacks, const struct pyro_stack_frames *stack)
{
	size_t count = stacks->set.count;
	struct pyro_stack_values *values = pyro_array_grow(
		stacks->values, &stacks->cap, count + 1, sizeof(*values));
	uint32_t number;

	if (!values)
		return &stacks->overflow;
	stacks->values = values;
	number = pyro_stack_set_add(&stacks->set, stack);
	if (number == PYRO_TABLE_NONE)
		return &stacks->overflow;
	if (number == count)
		values[number] = (struct pyro_stack_values){0};
	return &values[number];
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

void pyro_stacks_clear(struct pyro_stacks *stacks)
{
	struct pyro_stacks fresh = {
		.values = stacks->values,
		.cap = stacks->cap,
	};

	pyro_stack_set_clear(&stacks->set);
	fresh.set = stacks->set;
	*stacks = fresh;
}

void pyro_stacks_free(struct pyro_stacks *stacks)
{
	pyro_stack_set_free(&stacks->set);
	pyro_pages_free(stacks->values, stacks->cap * sizeof(*stacks->values));
	*stacks = (struct pyro_stacks){0};
}
