// SPDX-License-Identifier: Apache-2.0
/* stacks.h - one window's records, summed by stack
 *
 * A frame is 64 bits: module id in the high 16, ELF virtual address in the low
 * 48, so that stacks outlive the snapshot that they were walked in. Collector
 * only. */
#ifndef PYRO_PROFILE_STACKS_H
#define PYRO_PROFILE_STACKS_H

#include "base/slots.h"
#include "base/table.h"
#include "capture/unwind.h"

/* Distinct stacks kept in one window; the rest is summed in `overflow`. */
#define PYRO_STACKS_MAX 50000

/* Time of one signal, beyond one period, that may be charged to the stack where
 * it arrived: above, delivery was delayed (a blocked signal, a long system
 * call), and the rest is shown under a frame that says so. */
#define PYRO_WEIGHT_MAX_NS (100 * PYRO_NS_PER_MS)

#define PYRO_FRAME_MODULE(frame) ((uint32_t)((frame) >> 48))
#define PYRO_FRAME_ADDRESS(frame) ((frame) & ((UINT64_C(1) << 48) - 1))

struct pyro_stack_values {
	uint64_t ticks; /* timer expirations: the samples/count of pprof */
	uint64_t ns;
	uint64_t delayed_ns; /* of ns: beyond PYRO_WEIGHT_MAX_NS a signal */
};

struct pyro_stack_entry {
	const uint64_t *frames; /* leaf first */
	uint16_t depth;
	uint16_t stop; /* enum pyro_stop */
	struct pyro_stack_values values;
};

struct pyro_stacks {
	struct pyro_arena frames;
	struct pyro_table table;
	struct pyro_stack_entry *entries;
	size_t count, cap;
	struct pyro_stack_values overflow;
	uint64_t total_ns; /* of all records, overflow included */
	uint64_t total_ticks;
	uint64_t records;                /* signals */
	uint64_t stops[PYRO_STOP_COUNT]; /* records by why their walk ended */
};

/* Zero-initialised is empty and ready. False: there is no place for one more
 * stack, and overflow has the values. */
bool pyro_stacks_add(struct pyro_stacks *stacks, const uint64_t *frames,
		     size_t depth, enum pyro_stop stop, uint64_t ns,
		     uint64_t ticks);
/* Empty again, for the next window. */
void pyro_stacks_clear(struct pyro_stacks *stacks);
void pyro_stacks_free(struct pyro_stacks *stacks);

#endif
