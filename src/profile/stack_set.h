// SPDX-License-Identifier: Apache-2.0
/* stack_set.h - stacks with their labels and span, each once, by number
 *
 * A frame is 64 bits: module id in the high 16, ELF virtual address in the low
 * 48, so that stacks outlive the snapshot that they were walked in. What is summed
 * by stack is in arrays beside, by the same numbers. Collector only. */
#ifndef PYRO_PROFILE_STACK_SET_H
#define PYRO_PROFILE_STACK_SET_H

#include "base/slots.h"
#include "base/table.h"
#include "capture/unwind.h"

/* Distinct stacks kept in one window. */
#define PYRO_STACKS_MAX 50000

#define PYRO_FRAME_MODULE(frame) ((uint32_t)((frame) >> 48))
/* No module: the address is a lock's name (capture/lock_names.h). */
#define PYRO_FRAME_LOCK 65535u
#define PYRO_FRAME_ADDRESS(frame) ((frame) & ((UINT64_C(1) << 48) - 1))

struct pyro_stack_frames {
	const uint64_t *frames; /* leaf first */
	uint16_t depth;
	uint16_t stop;   /* enum pyro_stop: why the walk ended */
	uint32_t labels; /* the thread's set of labels then (labels.h) */
	uint32_t span;   /* number of the thread's span then; 0: none */
};

struct pyro_stack_set {
	struct pyro_arena frames;
	struct pyro_table table;
	struct pyro_stack_frames *stacks;
	size_t count, cap;
};

/* The stack's number; count before, if it is new: its frames are copied.
 * PYRO_TABLE_NONE: there is no place for one more. Zero-initialised is empty and
 * ready. */
uint32_t pyro_stack_set_add(struct pyro_stack_set *set,
			    const struct pyro_stack_frames *stack);

/* The same where values of size bytes each are kept by number: *number is the
 * stack's, PYRO_TABLE_NONE as above or for out of memory, and the values of a new one
 * are zeros. Returns values, which may have moved; *cap is how many have room. */
void *pyro_stack_set_add_values(struct pyro_stack_set *set,
				const struct pyro_stack_frames *stack,
				void *values, size_t *cap, size_t size,
				uint32_t *number);

/* Forget stacks: those that are kept get new numbers, in the same order. keep() is
 * asked twice about each. False for out of memory: nothing has changed. */
typedef bool pyro_stack_keep_fn(void *arg, uint32_t number);
bool pyro_stack_set_keep(struct pyro_stack_set *set, pyro_stack_keep_fn *keep,
			 void *arg);

/* Empty again; the room stays. */
void pyro_stack_set_clear(struct pyro_stack_set *set);
void pyro_stack_set_free(struct pyro_stack_set *set);

#endif
