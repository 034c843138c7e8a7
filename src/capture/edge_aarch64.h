// SPDX-License-Identifier: Apache-2.0
/* edge_aarch64.h - frames at the edges of functions, from the instructions
 *
 * gcc's CFI follows every instruction. clang's says nothing of epilogues, and of
 * a prologue only when it is over: where a frame was interrupted in one, the
 * instructions around tell what has been done and what is still to be. */
#ifndef PYRO_CAPTURE_EDGE_AARCH64_H
#define PYRO_CAPTURE_EDGE_AARCH64_H

#include "base/util.h"

/* A place on the stack, by the registers as they are now. */
struct pyro_edge_place {
	bool by_fp; /* else by sp */
	int32_t off;
};

/* The frame of a function that is just beginning or ending. */
struct pyro_edge {
	struct pyro_edge_place cfa; /* the caller's sp */
	bool ra_saved, fp_saved;    /* else still, or again, in lr and fp */
	struct pyro_edge_place ra_at, fp_at;
};

/* Instructions that are looked at on either side of the one at pc. */
#define PYRO_EDGE_WORDS 16

/* One instruction a word: code[0 .. after) are those from pc on, code[-before ..
 * 0) those in front of it. True when they lead straight to the function's return;
 * then it is exact. sp_rule: the CFI has the frame by sp, so that raising sp
 * gives it up. */
bool pyro_edge_end(const uint64_t *code, size_t before, size_t after,
		   bool sp_rule, struct pyro_edge *edge) PYRO_SIGNAL_SAFE;

/* For a pc that the CFI describes as a function's first instruction: true when
 * those in front of it have begun to make a frame. */
bool pyro_edge_begin(const uint64_t *code, size_t before,
		     struct pyro_edge *edge) PYRO_SIGNAL_SAFE;

/* For a pc at which the CFI says that a leaf's frame of this size has been made:
 * true when that is still to come. */
bool pyro_edge_is_early(const uint64_t *code, size_t after,
			int32_t size) PYRO_SIGNAL_SAFE;

#endif
