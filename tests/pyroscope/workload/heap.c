// SPDX-License-Identifier: Apache-2.0
/* heap.c - 64 MiB that stay, and 256 MiB that come and go, in blocks of 16 KiB */
#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BLOCK 16384

static void *volatile kept[4096];

/* Not faster than is sampled. */
static void rest(size_t i)
{
	if (i % 64 == 0)
		usleep(5000);
}

__attribute__((noinline)) static void keep(void)
{
	for (size_t i = 0; i < 4096; i++) {
		kept[i] = malloc(BLOCK);
		rest(i);
	}
}

__attribute__((noinline)) static void churn(void)
{
	for (size_t i = 0; i < 16384; i++) {
		void *volatile p = malloc(BLOCK);

		free(p);
		rest(i);
	}
}

int main(void)
{
	pyroscope_load("");
	/* By then it samples; a thread sees that after some KiB. */
	if (pyroscope_flush(5000) != 0)
		return 1;
	free(malloc(100000));
	keep();
	churn();
	return kept[0] == NULL;
}
