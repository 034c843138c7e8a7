// SPDX-License-Identifier: Apache-2.0
/* cost.h - what the library takes of the program's CPU time
 *
 * Since the process began; a forked child begins anew. In the program's threads one
 * sample in 16 is measured, by the thread's own CPU clock, and stands for all of
 * them: a reading of that clock takes about as long as the walk of a stack. What
 * else gets the processor meanwhile is not in it. */
#ifndef PYRO_BASE_COST_H
#define PYRO_BASE_COST_H

#include "base/util.h"

enum pyro_cost {
	PYRO_COST_HANDLERS, /* of signals, with their delivery by the kernel */
	PYRO_COST_HOOKS,   /* calls that take a sample; not those that do not */
	PYRO_COST_READING, /* in the library's threads: of objects, once each */
	PYRO_COST_ASKED,   /* and for who asks: /debug/fgprof */
	PYRO_COST_COUNT
};

/* Around what one signal or one sample takes. Begin returns what end wants. Not
 * nested. */
uint64_t pyro_cost_begin(enum pyro_cost cost) PYRO_SIGNAL_SAFE;
void pyro_cost_end(enum pyro_cost cost, uint64_t began) PYRO_SIGNAL_SAFE;

/* Of something that was measured in full. */
void pyro_cost_add(enum pyro_cost cost, uint64_t ns);

/* Nanoseconds so far. */
uint64_t pyro_cost_ns(enum pyro_cost cost);

/* Find out how long a reading of the clock takes, which is not the sample's. */
void pyro_cost_calibrate(void);
/* In a forked child. Stores only. */
void pyro_cost_forked(void);

#endif
