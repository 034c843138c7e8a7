// SPDX-License-Identifier: Apache-2.0
/* stacks.h - one window's samples of CPU time, summed by stack
 *
 * Collector only. */
#ifndef PYRO_PROFILE_STACKS_H
#define PYRO_PROFILE_STACKS_H

#include "profile/stack_set.h"

/* Time of one signal, beyond one period, that may be charged to the stack where
 * it arrived: above, delivery was delayed (a blocked signal, a long system
 * call), and the rest is shown under a frame that says so. */
#define PYRO_WEIGHT_MAX_NS (100 * PYRO_NS_PER_MS)

struct pyro_stack_values {
	uint64_t ticks; /* timer expirations: the samples/count of pprof */
	uint64_t ns;
	uint64_t delayed_ns; /* of ns: beyond PYRO_WEIGHT_MAX_NS a signal */
};

struct pyro_stacks {
	struct pyro_stack_set set;
	struct pyro_table by_span;
	struct pyro_span *spans; /* a stack's is the one before its number */
	size_t spans_count, spans_cap;
	struct pyro_stack_values *values; /* by the stack's number */
	size_t cap;
	struct pyro_stack_values overflow; /* what had no place in set */
	uint64_t total_ns; /* of all records, overflow included */
	uint64_t total_ticks;
	uint64_t records;                /* signals */
	uint64_t stops[PYRO_STOP_COUNT]; /* records by why their walk ended */
};

/* Zero-initialised is empty and ready. False: there is no place for one more
 * stack, and overflow has the values. */
bool pyro_stacks_add(struct pyro_stacks *stacks,
		     const struct pyro_stack_frames *stack, uint64_t ns,
		     uint64_t ticks);
/* The number for a stack's span; 0, if it is none or there is no memory. */
uint32_t pyro_stacks_span(struct pyro_stacks *stacks,
			  const struct pyro_span *span);
/* Empty again, for the next window. */
void pyro_stacks_clear(struct pyro_stacks *stacks);
void pyro_stacks_free(struct pyro_stacks *stacks);

#endif
