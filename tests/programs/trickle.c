// SPDX-License-Identifier: Apache-2.0
/* trickle.c - a program that does a little for a long time
 *
 *     trickle SECONDS
 *
 * 5 ms of work and an allocation 20 times a second. In the end it says what CPU
 * time it has used, by how many KiB its memory grew in the last two thirds, and
 * the longest time in seconds that one turn took. */
#include "program.h"

#include <stdlib.h>
#include <unistd.h>

NOINLINE static void work(void)
{
	double end = cpu() + 0.005;
	void *volatile block = malloc(10000);

	while (cpu() < end)
		;
	free(block);
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1, begin = now();
	double turn = begin, longest = 0;
	long early = 0;

	while (now() - begin < seconds) {
		work();
		usleep(45000);
		longest = now() - turn > longest ? now() - turn : longest;
		turn = now();
		if (!early && now() - begin > seconds / 3)
			early = resident();
	}
	printf("%.3f %ld %.3f\n", clock_s(CLOCK_PROCESS_CPUTIME_ID),
	       resident() - early, longest);
	return 0;
}
