// SPDX-License-Identifier: Apache-2.0
/* wait_stacks.c - sum waits by stack and class */
#include "profile/wait_stacks.h"

static uint64_t saturated(uint64_t a, uint64_t b)
{
	return a + b < a ? UINT64_MAX : a + b;
}

void pyro_weight_add(struct pyro_weight *to, struct pyro_weight weight)
{
	to->count = saturated(to->count, weight.count);
	to->value = saturated(to->value, weight.value);
}

/* The stack's values; overflow's, if there is no place for it. */
static struct pyro_wait_stack *values_of(struct pyro_wait_stacks *w,
					 const struct pyro_stack_frames *stack)
{
	uint32_t number;

	w->values =
		pyro_stack_set_add_values(&w->set, stack, w->values, &w->cap,
					  sizeof(*w->values), &number);
	return number == PYRO_TABLE_NONE ? &w->overflow : &w->values[number];
}

bool pyro_wait_stacks_add(struct pyro_wait_stacks *w,
			  const struct pyro_stack_frames *stack,
			  enum pyro_wait_class wait_class,
			  struct pyro_weight weight)
{
	struct pyro_wait_stack *values = values_of(w, stack);

	pyro_weight_add(&values->sum[wait_class], weight);
	w->records++;
	w->stops[stack->stop]++;
	return values != &w->overflow;
}

void pyro_wait_stacks_clear(struct pyro_wait_stacks *w)
{
	struct pyro_wait_stacks fresh = {.values = w->values, .cap = w->cap};

	pyro_stack_set_clear(&w->set);
	fresh.set = w->set;
	*w = fresh;
}

void pyro_wait_stacks_free(struct pyro_wait_stacks *w)
{
	pyro_stack_set_free(&w->set);
	pyro_pages_free(w->values, w->cap * sizeof(*w->values));
	*w = (struct pyro_wait_stacks){0};
}
