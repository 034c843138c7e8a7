// SPDX-License-Identifier: Apache-2.0
/* xorshift.c - random numbers for samplers: signal safe */
#include "base/xorshift.h"

#include "base/os.h"

uint64_t pyro_xorshift_seed(const void *where)
{
	uint64_t x = pyro_clock_ns(CLOCK_MONOTONIC) ^ (uintptr_t)where ^
		     (uint64_t)pyro_gettid() << 40;

	/* splitmix64: neighbours become strangers. */
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return (x ^ x >> 31) | 1;
}

/* xorshift64* (Vigna 2016). */
uint64_t pyro_xorshift(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*state = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

double pyro_xorshift_unit(uint64_t *state)
{
	return (double)((pyro_xorshift(state) >> 11) + 1) * 0x1p-53;
}

uint64_t pyro_xorshift_round(double x, uint64_t *state)
{
	return (uint64_t)(x + 1 - pyro_xorshift_unit(state));
}
