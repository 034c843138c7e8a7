// SPDX-License-Identifier: Apache-2.0
/* tags.c - a second of CPU time of a thread with as many labels as it may have */
#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <time.h>

#include "work.h"

WORK_VISIBLE static void burn(void)
{
	while (clock() < CLOCKS_PER_SEC)
		;
}

int main(void)
{
	char name[8];

	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "own%02d", i);
		pyroscope_labels_push(name, "x");
	}
	pyroscope_load("");
	burn();
	return pyroscope_flush(10000) != 0;
}
