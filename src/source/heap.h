// SPDX-License-Identifier: Apache-2.0
/* heap.h - heap sampling, as the collector drives it
 *
 * Each byte that is allocated is marked with probability 1/interval, and an
 * allocation with a marked byte is sampled: p = 1 - exp(-(size + 1) / interval).
 * A sample stands for 1/p allocations and size/p bytes. The interval doubles when
 * samples come faster than PYRO_HEAP_RATE_MAX or the live table fills; a sample
 * carries its own, so that its weight stays right. */
#ifndef PYRO_SOURCE_HEAP_H
#define PYRO_SOURCE_HEAP_H

#include "source/heap_live.h"

/* Samples a second, on average. */
#define PYRO_HEAP_RATE_MAX 1000

/* Begin to sample, interval bytes apart on average: at once, also while there are
 * no tables to walk stacks by. 0 or -ENOMEM. */
int pyro_heap_start(uint64_t interval);
/* No call is sampled that begins from now on. */
void pyro_heap_stop(void);
/* After a stop: forget what is live. */
void pyro_heap_forget(void);
/* In a forked child, which has no live samples. Stores only. */
void pyro_heap_forked(void);

/* Halve the rate so many times from what was asked for. Collector. */
void pyro_heap_set_halvings(unsigned halvings);
/* Keep the rate and the live table in bounds. now: CLOCK_MONOTONIC. Often while
 * there are samples. */
void pyro_heap_adapt(uint64_t now);
/* Of live samples that were drawn with a smaller interval, keep as many as would
 * have been drawn with this one. */
void pyro_heap_thin(uint64_t interval);
/* The interval of samples that are drawn now; after a stop, of the last ones. */
uint64_t pyro_heap_interval(void);

#endif
