// SPDX-License-Identifier: Apache-2.0
/* heap_stacks.h - where sampled blocks were allocated, kept while they live
 *
 * A sample counts twice: in its stack's alloc sums when its record comes, and in
 * the in-use sums of every window at whose end the live table still has it. The
 * live table knows a sample by its id, and here it is known to what stack it
 * belongs and since when. Collector only. */
#ifndef PYRO_PROFILE_HEAP_STACKS_H
#define PYRO_PROFILE_HEAP_STACKS_H

#include "profile/stack_set.h"

/* Samples of which the stack is remembered: as many as can be live, and as many
 * again that came since the last look. */
#define PYRO_HEAP_IDS_MAX (2u << 18)

/* What samples stand for: estimates, hence not whole. */
struct pyro_heap_values {
	double objects, bytes;
};

struct pyro_heap_stack {
	uint32_t ids;   /* that belong to it */
	uint32_t inuse; /* the first of its in-use sums: index + 1; 0: none */
	uint32_t moved; /* its number in what is made smaller */
	struct pyro_heap_values alloc; /* of this window */
};

/* In use at the window's end, of one stack and one age. */
struct pyro_heap_inuse {
	struct pyro_heap_values values;
	uint32_t age_s; /* the greatest power of two that it is; 0: younger */
	uint32_t next;  /* of the stack: index + 1; 0: none */
};

struct pyro_heap_stacks {
	struct pyro_stack_set set;
	struct pyro_heap_stack *values; /* by the stack's number */
	size_t cap;
	struct pyro_heap_stack overflow; /* what had no place in set */
	struct pyro_table by_id;
	struct pyro_heap_id *ids;
	size_t ids_count, ids_cap;
	struct pyro_heap_inuse *inuse;
	size_t inuse_count, inuse_cap;
	uint32_t look;   /* number of the last one */
	uint64_t now_ns; /* when it was */
	bool ages;       /* apart */

	/* Records of this window, by why their walk ended. */
	uint64_t records, stops[PYRO_STOP_COUNT];
	/* Live samples of the last look without a stack: their records are still
	 * on their way, or there were PYRO_HEAP_IDS_MAX. */
	uint64_t unknown;
};

/* Add a record: zero-initialised is empty and ready. now_ns is of
 * CLOCK_MONOTONIC. False: there is no place for one more stack, and overflow has
 * the values. */
bool pyro_heap_stacks_add(struct pyro_heap_stacks *h,
			  const struct pyro_stack_frames *stack,
			  const struct pyro_heap_sample *sample,
			  uint64_t now_ns);

/* Few more ids have place before the next look: it is time for it, even if the
 * window goes on. */
static inline bool pyro_heap_stacks_is_full(const struct pyro_heap_stacks *h)
{
	return h->ids_count >= PYRO_HEAP_IDS_MAX / 8 * 7;
}

/* A look at what is live: begin, live() for each entry of the live table, end.
 * The in-use sums are of the last look alone. With ages they are kept apart by
 * age. What is live twice counts once. A sample that was live in the look before
 * is forgotten only when two miss it, for a block that is being reallocated is
 * not in the live table for a moment. */
void pyro_heap_stacks_live_begin(struct pyro_heap_stacks *h, uint64_t now_ns,
				 bool ages);
/* size and interval are as they are now: R may have been raised since. */
void pyro_heap_stacks_live(struct pyro_heap_stacks *h, uint64_t id,
			   uint64_t size, uint64_t interval);
void pyro_heap_stacks_live_end(struct pyro_heap_stacks *h);

/* The next window: nothing is allocated yet, and stacks go of which no sample
 * is left. */
void pyro_heap_stacks_next(struct pyro_heap_stacks *h);

/* Empty, also for a forked child, whose live table is. */
void pyro_heap_stacks_free(struct pyro_heap_stacks *h);

#endif
