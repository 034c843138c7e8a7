// SPDX-License-Identifier: Apache-2.0
/* shares.c - a program that profiles itself by pyroscope_load
 *
 *     shares ADDRESS SECONDS THREADS [flush]
 *
 * With "flush" the profile is delivered, and the result printed, before main
 * returns; without, the exit delivers it. */
#include "work.h"

#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr,
			"usage: shares ADDRESS SECONDS THREADS [flush]\n");
		return 2;
	}
	pyroscope_load(argv[1]);
	work_run(atof(argv[2]), (unsigned)atoi(argv[3]));
	work_report();
	if (argc > 4 && !strcmp(argv[4], "flush")) {
		printf("flush %d\n", pyroscope_flush(5000));
		fflush(stdout);
	}
	return 0;
}
