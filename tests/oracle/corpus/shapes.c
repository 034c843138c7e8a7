// SPDX-License-Identifier: Apache-2.0
/* shapes.c - frames of all shapes that C compilers make */
#include <alloca.h>
#include <math.h>
#include <search.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "marker.h"

#define NOINLINE __attribute__((noinline))

static volatile unsigned sink;

static NOINLINE unsigned recurse(unsigned depth, unsigned x)
{
	return depth ? recurse(depth - 1, x + depth) * 3 + depth : x;
}

static unsigned odd(unsigned n);

static NOINLINE unsigned even(unsigned n)
{
	return n ? odd(n - 1) + sink : 1;
}

static NOINLINE unsigned odd(unsigned n)
{
	return n ? even(n - 1) + sink : 0;
}

static NOINLINE double sum(unsigned count, ...)
{
	va_list args;
	double total = 0;

	va_start(args, count);
	while (count--)
		total += count % 2 ? va_arg(args, double) : va_arg(args, int);
	va_end(args);
	return total;
}

static NOINLINE unsigned variable_length(unsigned n)
{
	unsigned values[n], total = 0;

	for (unsigned i = 0; i < n; i++)
		values[i] = i * i + sink;
	for (unsigned i = 0; i < n; i++)
		total += values[n - 1 - i] + recurse(2, i);
	return total;
}

static NOINLINE unsigned on_stack(unsigned n)
{
	unsigned total = 0;

	for (unsigned i = 1; i < n; i++) {
		char *bytes = alloca(i * 8);

		memset(bytes, (int)i, i * 8);
		total += (unsigned)bytes[i];
	}
	return total + recurse(1, total);
}

/* Aligned and of unknown size: the caller's sp is kept in memory. */
static NOINLINE unsigned realigned(unsigned n)
{
	_Alignas(64) volatile char here[128];
	volatile char *bytes = alloca(n + 1);

	here[n % 128] = 1;
	bytes[n] = 2;
	return recurse(3, n) + (unsigned)here[n % 128] + (unsigned)bytes[n];
}

static NOINLINE unsigned aligned_only(unsigned n)
{
	_Alignas(128) volatile char here[256];

	here[n % 256] = 3;
	return recurse(2, n) + (unsigned)here[n % 256];
}

static NOINLINE unsigned choose(unsigned n)
{
	switch (n) {
	case 0:
		return recurse(1, n);
	case 1:
		return aligned_only(n);
	case 2:
		return (unsigned)strlen("two") + recurse(2, n);
	case 3:
		return n * 17;
	case 4:
		return recurse(4, n) / 2;
	case 5:
		return even(n);
	case 6:
		return variable_length(n);
	default:
		return n;
	}
}

static int by_value(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

static NOINLINE void sort(void)
{
	unsigned values[40];
	unsigned key = 4, *found;

	for (unsigned i = 0; i < 40; i++)
		values[i] = i * 7919 % 41;
	qsort(values, 40, sizeof(*values), by_value);
	found = bsearch(&key, values, 40, sizeof(*values), by_value);
	sink += found ? *found : 0;
}

static NOINLINE void print(void)
{
	char text[300];

	snprintf(text, sizeof(text), "%d %s %g %10.3f %-5x %c", 42, "text",
		 1.0 / 3, M_PI, 255u, 'c');
	sink += (unsigned)strtod(text + 8, NULL) + (unsigned)strlen(text);
	sscanf(text, "%*d %*s %*g");
	fprintf(stderr, "%s", "");
}

static NOINLINE void allocate(void)
{
	char *p[12];

	for (unsigned i = 0; i < 12; i++) {
		p[i] = malloc(i * 97 + 1);
		memset(p[i], 0, i * 97 + 1);
	}
	for (unsigned i = 0; i < 12; i++)
		p[i] = realloc(p[i], i * 200 + 10);
	for (unsigned i = 0; i < 12; i++)
		free(p[i]);
}

static unsigned (*const table[])(unsigned) = {
	even, odd, variable_length, on_stack, realigned, aligned_only, choose,
};

static NOINLINE void through_pointers(void)
{
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		sink += table[i](i + 3);
}

static jmp_buf back;

static NOINLINE void jump(unsigned depth)
{
	volatile char bytes[64];

	bytes[depth] = 1;
	if (depth == 0)
		longjmp(back, 1);
	jump(depth - 1);
	sink += (unsigned)bytes[depth];
}

static NOINLINE void leave_several(void)
{
	volatile unsigned rounds = 0;

	if (setjmp(back) != 0)
		rounds++;
	if (rounds < 3)
		jump(rounds * 4 + 1);
	sink += recurse(2, rounds);
}

/* The call is the last instruction of its function. */
static NOINLINE __attribute__((noreturn)) void give_up(unsigned n)
{
	sink += recurse(2, n);
	longjmp(back, 2);
}

static NOINLINE void never_returns(unsigned n)
{
	if (n > sink % 1)
		give_up(n);
}

static NOINLINE void no_return(void)
{
	if (setjmp(back) == 0)
		never_returns(7);
}

static NOINLINE unsigned tail_end(unsigned n, unsigned x)
{
	return recurse(n % 3, x);
}

static NOINLINE unsigned tail(unsigned n, unsigned x)
{
	return n ? tail(n - 1, x * 3 + 1) : tail_end(n, x);
}

static NOINLINE long long wide(long long a, long long b, long long c,
			       long long d, long long e, long long f,
			       long long g, long long h)
{
	return (long long)recurse(2, (unsigned)(a + h)) + b * c + d * e + f * g;
}

static NOINLINE void mathematics(void)
{
	double x = 0;

	for (unsigned i = 1; i < 4; i++)
		x += sin(i) * pow(i, 1.5) + log(i) + exp(-(double)i);
	sink += (unsigned)(x * 10);
}

static void at_exit(void)
{
	sink += recurse(3, 1);
}

int main(void)
{
	struct timespec now;

	MARKER();
	atexit(at_exit);
	sink += recurse(12, 1) + even(7);
	sink += (unsigned)sum(4, 1.5, 2, 3.5, 4);
	through_pointers();
	for (unsigned i = 0; i < 9; i++)
		sink += choose(i);
	sort();
	print();
	allocate();
	leave_several();
	no_return();
	sink += tail(5, 2);
	sink += (unsigned)wide(1, 2, 3, 4, 5, 6, 7, 8);
	mathematics();
	clock_gettime(CLOCK_MONOTONIC, &now);
	qsort(&now, 0, 1, by_value);
	MARKER();
	return 0;
}
