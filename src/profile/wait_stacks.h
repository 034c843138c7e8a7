// SPDX-License-Identifier: Apache-2.0
/* wait_stacks.h - one window's waits, summed by stack and class
 *
 * The mutex profile and the block profile have one each; in the former all is of
 * class 0. Collector only. */
#ifndef PYRO_PROFILE_WAIT_STACKS_H
#define PYRO_PROFILE_WAIT_STACKS_H

#include "base/slots.h"
#include "profile/stack_set.h"

struct pyro_wait_stack {
	struct pyro_weight sum[PYRO_WAIT_CLASSES];
};

struct pyro_wait_stacks {
	struct pyro_stack_set set;
	struct pyro_wait_stack *values; /* by the stack's number */
	size_t cap;
	struct pyro_wait_stack overflow;          /* what had no place in set */
	uint64_t records, stops[PYRO_STOP_COUNT]; /* by why their walk ended */
};

/* Sums of hostile numbers stop at the range's end. */
void pyro_weight_add(struct pyro_weight *to, struct pyro_weight weight);

/* Zero-initialised is empty and ready. False: there is no place for one more
 * stack, and overflow has the values. wait_class is less than PYRO_WAIT_CLASSES. */
bool pyro_wait_stacks_add(struct pyro_wait_stacks *w,
			  const struct pyro_stack_frames *stack,
			  enum pyro_wait_class wait_class,
			  struct pyro_weight weight);
/* Empty again, for the next window. */
void pyro_wait_stacks_clear(struct pyro_wait_stacks *w);
void pyro_wait_stacks_free(struct pyro_wait_stacks *w);

#endif
