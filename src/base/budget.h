// SPDX-License-Identifier: Apache-2.0
/* budget.h - how much the library may take of the CPU time, and what it does when it
 * takes more
 *
 * A share is of the program's own CPU time or of one core's, whichever is more: a
 * program that sleeps has no less for it, one of many threads has more. In parts per
 * million. */
#ifndef PYRO_BASE_BUDGET_H
#define PYRO_BASE_BUDGET_H

#include "base/util.h"

/* A sixty-fourth of the rates that were asked for is the least. */
#define PYRO_HALVINGS_MAX 6

/* Nanoseconds of an interval. */
struct pyro_spent {
	uint64_t own;     /* the library's CPU time */
	uint64_t program; /* the program's */
	uint64_t wall;
};

uint64_t pyro_budget_share(const struct pyro_spent *spent);

/* How many times rates are to be halved after an interval in which they were so
 * often, and the share was that, of which steady does not go by rates. Once more
 * above the budget; once less where twice the rest leaves a quarter free of what is
 * left for it, so that it does not come and go with every interval. */
unsigned pyro_budget_halvings(uint64_t budget_permille, unsigned halvings,
			      uint64_t share, uint64_t steady);

/* Half the budget pays for what takes much at once: so many nanoseconds of CPU time
 * in how many of time, and the other way round. */
uint64_t pyro_budget_time(uint64_t budget_permille, uint64_t cpu_ns);
uint64_t pyro_budget_cpu(uint64_t budget_permille, uint64_t time_ns);

#endif
