// SPDX-License-Identifier: Apache-2.0
/* poisson.c - what a sampled allocation stands for
 *
 * The library does not link libm, and what 1 - exp(-x) loses for a small x by
 * subtraction is what counts here. Hence the series for a small x, and from it
 * p(2x) = p(x) * (2 - p(x)), which loses nothing. */
#include "base/poisson.h"

/* Beyond, exp(-x) is nothing to a double. */
#define CERTAIN 40.0
/* Where the series' first term left out is below 1e-16. */
#define SMALL 0.5
#define TERMS 13

/* (1 - exp(-x)) / x for x up to SMALL: 1 - x/2 (1 - x/3 (1 - x/4 ...)). */
static double series(double x)
{
	double sum = 1;

	for (int i = TERMS; i > 1; i--)
		sum = 1 - x / i * sum;
	return sum;
}

double pyro_poisson_weight(uint64_t size, uint64_t interval)
{
	double x, p;
	int halved = 0;

	if (interval <= 1)
		return 1;
	x = ((double)size + 1) / (double)interval;
	if (x > CERTAIN)
		return 1;
	while (x > SMALL) {
		x /= 2;
		halved++;
	}
	p = x * series(x);
	while (halved-- > 0)
		p *= 2 - p;
	return 1 / p;
}

#define LN2 0.693147180559945309417
#define SQRT2 1.41421356237309504880

/* -ln(n / 2^53) for n of 1 to 2^53: by ln(m) = 2 artanh((m - 1) / (m + 1)) of
 * what is left of n beside its power of two, within 1/sqrt(2) and sqrt(2). */
static double minus_ln(uint64_t n)
{
	int power = 63 - __builtin_clzll(n);
	double m = (double)n / (double)(UINT64_C(1) << power);
	double t, square, sum = 0;

	if (m > SQRT2) {
		m /= 2;
		power++;
	}
	t = (m - 1) / (m + 1);
	square = t * t;
	for (int i = 15; i >= 1; i -= 2)
		sum = sum * square + 1.0 / i;
	return (53 - power) * LN2 - 2 * t * sum;
}

uint64_t pyro_poisson_draw(uint64_t interval, uint64_t random)
{
	if (interval <= 1)
		return 1;
	return (uint64_t)(minus_ln((random >> 11) + 1) * (double)interval) + 1;
}
