// SPDX-License-Identifier: Apache-2.0
/* inlined.c - a second of work in a function that is inlined twice
 *
 * What stands at which line is said by comments that the test looks for. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

INLINE uint64_t innermost(uint64_t x)
{
	for (int i = 0; i < 100000; i++) { /* at: innermost */
		x ^= x << 13;              /* at: innermost */
		x ^= x >> 7;               /* at: innermost */
		x ^= x << 17;              /* at: innermost */
		__asm__ volatile("" : "+r"(x));
	}
	return x;
}

INLINE uint64_t middle(uint64_t x)
{
	return innermost(x) + 1; /* at: middle */
}

NOINLINE static uint64_t outer(uint64_t x)
{
	return middle(x) * 3; /* at: outer */
}

int main(void)
{
	uint64_t x = 88172645463325252u;

	while (clock() < CLOCKS_PER_SEC)
		x = outer(x); /* at: main */
	printf("%d\n", (int)(x & 1));
	return 0;
}
