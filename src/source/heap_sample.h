// SPDX-License-Identifier: Apache-2.0
/* heap_sample.h - what a hook of an allocator does: count bytes down, sample
 *
 * Around the real call:
 *
 *     struct pyro_heap_call call;
 *
 *     pyro_heap_begin(&call, size);
 *     p = real(size);
 *     return pyro_heap_end(&call, p, __builtin_return_address(0));
 *
 * Calls that the real function makes to other hooked functions are part of it,
 * and not counted: between begin and end the thread's countdown is 0. */
#ifndef PYRO_SOURCE_HEAP_SAMPLE_H
#define PYRO_SOURCE_HEAP_SAMPLE_H

#include <stdatomic.h>

#include "source/heap_live.h"

/* A thread's countdown. left is 0 in a thread that has not allocated yet, and then
 * interval is 0, too; within a hooked call; and for ever in the library's own
 * threads. */
struct pyro_heap_thread {
	uint64_t left;     /* bytes until the next sample, more than 0 */
	uint64_t interval; /* with which left was drawn */
	uint64_t random;
};

extern _Thread_local struct pyro_heap_thread pyro_heap_thread;

struct pyro_heap_call {
	uint64_t left;
	size_t size;
	bool sampled;
};

void pyro_heap_begin_slow(struct pyro_heap_call *call) PYRO_SIGNAL_SAFE;
void pyro_heap_end_slow(const struct pyro_heap_call *call, uint64_t key,
			void *caller) PYRO_SIGNAL_SAFE;

/* Of a block of size bytes: one byte more, so that empty ones count. */
static inline bool pyro_heap_passes(size_t size)
{
	uint64_t left = pyro_heap_thread.left;

	if (__builtin_expect(left <= size + 1, 0))
		return false;
	pyro_heap_thread.left = left - (size + 1);
	return true;
}

static inline void pyro_heap_begin(struct pyro_heap_call *call, size_t size)
{
	bool passes = pyro_heap_passes(size);

	call->size = size;
	call->sampled = false;
	call->left = pyro_heap_thread.left;
	pyro_heap_thread.left = 0;
	if (__builtin_expect(!passes, 0))
		pyro_heap_begin_slow(call);
}

/* p is what the real call returned, NULL if it failed; caller, the hook's return
 * address, is where the sample's stack begins. Returns p. */
static inline void *pyro_heap_end(const struct pyro_heap_call *call, void *p,
				  void *caller)
{
	if (__builtin_expect(call->sampled, 0))
		pyro_heap_end_slow(call, (uintptr_t)p, caller);
	else
		pyro_heap_thread.left = call->left;
	return p;
}

/* For all hooks; written by heap.c. */
struct pyro_heap {
	_Atomic uint64_t interval; /* 0: off */
	/* Samples in excess of the rate that is allowed. */
	_Atomic uint32_t debt;
	_Atomic uint64_t samples; /* so far; the last one's id */
	/* Sampled blocks may be put where free() looks: the allocator does not
	 * care how a block was asked for. */
	_Atomic bool marks;
};

extern struct pyro_heap pyro_heap;

/* Twice the interval, unless another thread was first to change it. */
void pyro_heap_raise(uint64_t interval) PYRO_SIGNAL_SAFE;

#endif
