// SPDX-License-Identifier: Apache-2.0
/* inlibc.c - a program that spends its time inside the C library
 *
 *     inlibc SECONDS
 *
 * Sorting, printing, memory, strings, regular expressions and mathematics, in
 * turn: many frames without CFI where the library has none. */
#include <math.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void sorts(void)
{
	static int numbers[2000];

	for (int i = 0; i < 2000; i++)
		numbers[i] = i * 7919 % 2003;
	qsort(numbers, 2000, sizeof(*numbers), compare);
}

static void prints(void)
{
	char text[100];

	for (int i = 0; i < 500; i++) {
		snprintf(text, sizeof(text), "%d %.10g %s", i, i / 3.0, "word");
		if (strtod(text, NULL) < 0)
			abort();
	}
}

static void allocates(void)
{
	static char *kept[100];

	for (int i = 0; i < 2000; i++) {
		free(kept[i % 100]);
		kept[i % 100] = calloc(1, (size_t)(i * 37 % 3000) + 1);
	}
}

static void copies(void)
{
	static char from[100000], to[100000];

	for (int i = 0; i < 10; i++) {
		memset(from, i + 1, sizeof(from) - 1);
		memcpy(to, from, sizeof(to));
		memmove(to + 7, to, sizeof(to) - 8);
		if (strlen(to) + (size_t)strcmp(from, to) == 1)
			abort();
	}
}

static void matches(void)
{
	regex_t regex;

	if (regcomp(&regex, "(a|b)*c[0-9]+x", REG_EXTENDED) != 0)
		abort();
	for (int i = 0; i < 50; i++)
		regexec(&regex, "ababababababc1234567890y", 0, NULL, 0);
	regfree(&regex);
}

static void calculates(void)
{
	volatile double x = 1;
	volatile long double y = 1;

	for (int i = 0; i < 1000; i++) {
		x = sin(x) + exp(-x) + pow(x + 1, 0.3);
		y = expl(-y) + logl(y + 1);
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;

	while (clock() < (clock_t)(seconds * CLOCKS_PER_SEC)) {
		sorts();
		prints();
		allocates();
		copies();
		matches();
		calculates();
	}
	return 0;
}
