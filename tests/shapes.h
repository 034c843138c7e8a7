// SPDX-License-Identifier: Apache-2.0
/* shapes.h - a program of many shapes, to be interrupted anywhere: recursion,
 * callbacks from libc, alloca, realigned frames, assembler leaves */
#ifndef PYRO_TESTS_SHAPES_H
#define PYRO_TESTS_SHAPES_H

#include <alloca.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit.h"

static _Atomic uint64_t sink;

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static __attribute__((noinline)) void sort_some(uint64_t seed)
{
	double values[64];

	for (int i = 0; i < 64; i++)
		values[i] = sin((double)next_random(&seed));
	qsort(values, 64, sizeof(*values), by_value);
	atomic_fetch_add(&sink, (uint64_t)(values[5] * 100));
}

static __attribute__((noinline)) void print_some(uint64_t seed)
{
	char text[200];

	snprintf(text, sizeof(text), "%g %s %llx", (double)seed / 7, "text",
		 (unsigned long long)seed);
	atomic_fetch_add(&sink, (uint64_t)strtod(text, NULL));
}

static __attribute__((noinline)) void allocate_some(uint64_t seed)
{
	char *p[16];

	for (int i = 0; i < 16; i++) {
		size_t size = next_random(&seed) % 3000 + 1;

		p[i] = malloc(size);
		memset(p[i], i, size);
	}
	for (int i = 0; i < 16; i++) {
		atomic_fetch_add(&sink, (uint64_t)p[i][0]);
		free(p[i]);
	}
}

static __attribute__((noinline)) void alloca_some(size_t n)
{
	volatile char *bytes = alloca(n % 5000 + 1);

	for (size_t i = 0; i < n % 5000; i += 512)
		bytes[i] = (char)i;
	print_some(n + (uint64_t)bytes[0]);
}

/* Realigned, and of unknown size: gcc keeps the caller's sp in memory (DRAP). */
static __attribute__((noinline)) void realigned(size_t n)
{
	_Alignas(64) volatile char here[64];
	volatile char *bytes = alloca(n % 900 + 1);

	here[n % 64] = 1;
	bytes[n % 900] = 2;
	sort_some(n + (uint64_t)here[3] + (uint64_t)bytes[0]);
}

static __attribute__((noinline)) void copy_some(size_t n)
{
	static char from[70000], to[70000];

	memcpy(to, from, n % sizeof(to));
	memmove(to + 1, to, n % 60000);
	atomic_fetch_add(&sink, strlen(from) + (uint64_t)to[n % 100]);
}

__attribute__((noinline, unused)) static uint64_t recurse(unsigned depth,
							  uint64_t x)
{
	if (depth == 0) {
		switch (x % 6) {
		case 0:
			sort_some(x);
			break;
		case 1:
			print_some(x);
			break;
		case 2:
			allocate_some(x);
			break;
		case 3:
			alloca_some(x);
			break;
		case 4:
			realigned(x);
			break;
		default:
			copy_some(x);
		}
		return x;
	}
	return recurse(depth - 1, x) * 3 + depth; /* not a tail call */
}

#endif
