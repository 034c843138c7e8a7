// SPDX-License-Identifier: Apache-2.0
/* bench.h - clocks and medians for the programs of this folder */
#ifndef PYRO_BENCH_H
#define PYRO_BENCH_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double median(double *value, size_t count)
{
	qsort(value, count, sizeof(*value), compare_doubles);
	return value[count / 2];
}

#endif
