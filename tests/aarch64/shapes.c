// SPDX-License-Identifier: Apache-2.0
/* shapes.c - a program of many shapes, to be walked at every instruction */
#include <alloca.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline))

static volatile unsigned long sink;
static jmp_buf back;

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

NOINLINE static void sort_some(unsigned n)
{
	double value[24];

	for (unsigned i = 0; i < 24; i++)
		value[i] = sin((double)(i * n % 17));
	qsort(value, 24, sizeof(*value), by_value);
	sink += (unsigned long)(value[3] * 100);
}

NOINLINE static unsigned long sum(unsigned n, ...)
{
	unsigned long all = 0;
	va_list args;

	va_start(args, n);
	while (n-- > 0)
		all += va_arg(args, unsigned long);
	va_end(args);
	return all;
}

NOINLINE static unsigned long many(long a, long b, long c, long d, long e,
				   long f, long g, long h, long i, long j)
{
	sink += sum(4, a + b, c * d, e - f, g ^ h);
	return sink + (unsigned long)(i * j);
}

NOINLINE static void variable(unsigned n)
{
	char bytes[n + 1];
	_Alignas(64) volatile char aligned[64];

	memset(bytes, 1, n + 1);
	aligned[n % 64] = bytes[n / 2];
	sink += strlen(strcpy(alloca(n + 20), "text")) + (unsigned)aligned[3];
}

NOINLINE static void large_frame(unsigned n)
{
	volatile char bytes[70000];

	bytes[n] = 1;
	bytes[69999 - n] = 2;
	variable(n + (unsigned)bytes[n]);
}

NOINLINE static unsigned long leaf(unsigned long n)
{
	volatile unsigned long local[6] = {n};

	return local[n % 6] + 1;
}

NOINLINE static unsigned long tail(unsigned long n)
{
	return n % 2 ? leaf(n) : leaf(n + sum(1, n));
}

NOINLINE static unsigned long recurse(unsigned depth)
{
	return depth == 0 ? tail(sink) : recurse(depth - 1) * 3 + depth;
}

NOINLINE __attribute__((noreturn)) static void leave(int code)
{
	sink += recurse(3);
	longjmp(back, code);
}

/* The call is its last instruction. */
NOINLINE static void ends_in_call(int code)
{
	if (sink)
		leave(code);
	abort();
}

int main(void)
{
	char text[100];

	for (unsigned i = 1; i < 4; i++) {
		variable(100 * i);
		large_frame(i);
		sort_some(i);
		sink += many(1, 2, 3, 4, 5, 6, 7, 8, 9, (long)i);
		sink += recurse(12);
		if (setjmp(back) == 0)
			ends_in_call(1);

		char *p = malloc(i * 1000);

		memset(p, (int)i, i * 1000);
		memmove(p + 1, p, i * 900);
		snprintf(text, sizeof(text), "%u %.3f %s", i, sqrt(i), "x");
		sink += strtoul(text, NULL, 10) + strlen(text);
		free(p);
	}
	puts(text);
	return 0;
}
