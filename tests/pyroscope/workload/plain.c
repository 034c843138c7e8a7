// SPDX-License-Identifier: Apache-2.0
/* plain.c - a program that knows nothing of profiling
 *
 *     plain SECONDS THREADS [EXIT_CODE] */
#include "work.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: plain SECONDS THREADS [EXIT_CODE]\n");
		return 2;
	}
	work_run(atof(argv[1]), (unsigned)atoi(argv[2]));
	work_report();
	return argc > 3 ? atoi(argv[3]) : 0;
}
