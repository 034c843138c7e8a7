// SPDX-License-Identifier: Apache-2.0
/* unwind_foreign.c - the walk of unwind.c over the stack of another thread
 *
 * Compiled by itself, as a call through a pointer would take more of the stack of
 * those walks that run in handlers. No stack is known to it, so that nothing is
 * loaded: all is copied. Collector. */
#include "capture/unwind.h"

static pyro_copy_fn *copy_word;
static pyro_frame_fn *find_frame;

/* Of stacks that the program has told of: they may be gone by now. */
static uintptr_t load_word(uintptr_t addr)
{
	uint64_t word;

	return copy_word(&word, addr, sizeof(word)) ? (uintptr_t)word : 0;
}

#define PYRO_WALK_FOREIGN
#define PYRO_WALK_LOAD(addr) load_word(addr)
#define PYRO_WALK_COPY(to, addr, len) copy_word(to, addr, len)
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "capture/unwind.c"

size_t pyro_unwind_foreign(const struct pyro_snapshot *snapshot, uintptr_t pc,
			   uintptr_t sp, pyro_copy_fn *copy,
			   pyro_frame_fn *frame, uint64_t *to, size_t max,
			   struct pyro_walk *walk)
{
	struct walker w = {
		.snapshot = snapshot,
		.regs = {.pc = pc, .sp = sp},
		.own_page = NO_CHUNK,
		.chunk_at = NO_CHUNK,
		.interrupted = true,
		.lost_fp = true,
		.lost_rbx = true,
	};

	copy_word = copy;
	find_frame = frame;
	return walk_all(&w, to, 0, max, walk);
}
