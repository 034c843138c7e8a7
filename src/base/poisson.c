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
