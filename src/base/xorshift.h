// SPDX-License-Identifier: Apache-2.0
/* xorshift.h - random numbers for samplers: fast, and of no secrets */
#ifndef PYRO_BASE_XORSHIFT_H
#define PYRO_BASE_XORSHIFT_H

#include "base/util.h"

/* The calling thread's first state, never 0. where: an address that is its own. */
uint64_t pyro_xorshift_seed(const void *where) PYRO_SIGNAL_SAFE;
/* 64 bits, which depend on *state and change it. */
uint64_t pyro_xorshift(uint64_t *state) PYRO_SIGNAL_SAFE;
/* A number in (0, 1]. */
double pyro_xorshift_unit(uint64_t *state) PYRO_SIGNAL_SAFE;
/* To one of its two neighbours, so that the mean is x. */
uint64_t pyro_xorshift_round(double x, uint64_t *state) PYRO_SIGNAL_SAFE;

#endif
