// SPDX-License-Identifier: Apache-2.0
/* poisson.h - sampling of bytes, each with the same small chance
 *
 * An allocation of size bytes counts as size + 1, so that empty ones are seen,
 * too. With a mean of interval bytes between samples it is sampled with
 * p = 1 - exp(-(size + 1) / interval), and stands for 1/p of its kind then. An
 * interval of 1 samples all. */
#ifndef PYRO_BASE_POISSON_H
#define PYRO_BASE_POISSON_H

#include "base/util.h"

/* 1/p, to 1e-12 of itself. Any thread; no libm. */
double pyro_poisson_weight(uint64_t size, uint64_t interval) PYRO_SIGNAL_SAFE;

/* Bytes until the next sample, 1 or more: the first allocations that add up to as
 * many, each counted as size + 1, are sampled up to there with the p above.
 * random: 64 random bits. */
uint64_t pyro_poisson_draw(uint64_t interval, uint64_t random) PYRO_SIGNAL_SAFE;

#endif
