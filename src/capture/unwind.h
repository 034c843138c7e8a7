// SPDX-License-Identifier: Apache-2.0
/* unwind.h - walk a stack by the published tables, in a handler */
#ifndef PYRO_CAPTURE_UNWIND_H
#define PYRO_CAPTURE_UNWIND_H

#include "capture/arch.h"
#include "image/tables.h"

/* Why a walk ended. Only PYRO_STOP_END is a complete stack. */
enum pyro_stop {
	PYRO_STOP_END,        /* the CFI says: outermost frame */
	PYRO_STOP_DEPTH,      /* more frames than there is room */
	PYRO_STOP_GAP,        /* no CFI, and no frame pointer to follow */
	PYRO_STOP_EXPRESSION, /* a rule that is not understood */
	PYRO_STOP_REGISTER,   /* needs a register that is not known there */
	PYRO_STOP_BOUNDS,     /* the stack would have to be read elsewhere */
	PYRO_STOP_PROGRESS,   /* the frame would not move up the stack */
	PYRO_STOP_UNMAPPED,   /* pc in no loaded object: JIT code, corruption */
	PYRO_STOP_PENDING,    /* tables are not built yet */
	PYRO_STOP_UNLOADED, /* not by walks: code that may be another's since */
	PYRO_STOP_UNREACHED, /* not by walks: of a thread that was not reached */
	PYRO_STOP_COUNT
};

/* Short name of a reason, for counters. */
const char *pyro_stop_name(enum pyro_stop stop);

/* A stack whose memory from any sp in [lo, hi) up to hi is surely mapped; both
 * 0 if not known. Elsewhere the kernel copies what is read. */
struct pyro_stack {
	uintptr_t lo, hi;
};

struct pyro_walk {
	enum pyro_stop stop;
	bool signal_frame; /* the stack went through a signal handler */
};

/* Store at most max addresses, leaf first: the pc itself for the top frame and
 * for one that a signal interrupted, the return address minus one otherwise.
 * Returns how many. Never faults, whatever the registers hold. Context: signal;
 * uses less than 400 bytes of stack. */
size_t pyro_unwind_signal(const struct pyro_snapshot *snapshot,
			  const ucontext_t *context, struct pyro_stack stack,
			  uint64_t *pc, size_t max,
			  struct pyro_walk *walk) PYRO_SIGNAL_SAFE;

/* The same from registers alone (PYRO_REGS_HERE): rules that need another
 * register end the walk. */
size_t pyro_unwind_regs(const struct pyro_snapshot *snapshot,
			const struct pyro_regs *regs, struct pyro_stack stack,
			uint64_t *pc, size_t max,
			struct pyro_walk *walk) PYRO_SIGNAL_SAFE;

/* Copy len bytes from addr; false if not all of them can be read. */
typedef bool pyro_copy_fn(uint64_t *to, uintptr_t addr, size_t len);

/* How far above sp the CFA is at pc, whose rule finds it by fp; 0: not known. */
typedef uintptr_t pyro_frame_fn(const struct pyro_map *map,
				const struct pyro_rule *rule, uintptr_t pc);

/* The stack of another thread, which stands in a system call at pc and sp and of
 * which no other register is known: a frame that needs one that no frame further
 * in has saved ends the walk with PYRO_STOP_REGISTER, unless frame() knows a way.
 * Memory is read by copy alone. Whether the thread has moved meanwhile, the caller must find out. One
 * thread at a time. */
size_t pyro_unwind_foreign(const struct pyro_snapshot *snapshot, uintptr_t pc,
			   uintptr_t sp, pyro_copy_fn *copy,
			   pyro_frame_fn *frame, uint64_t *to, size_t max,
			   struct pyro_walk *walk);

#endif
