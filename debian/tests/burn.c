// SPDX-License-Identifier: Apache-2.0
/* burn.c - half a second of CPU time */
#include <time.h>

static volatile unsigned sum;

__attribute__((noinline)) static void burn(void)
{
	while (clock() < CLOCKS_PER_SEC / 2)
		for (unsigned i = 0; i < 100000; i++)
			sum += i;
}

int main(void)
{
	burn();
	return 0;
}
