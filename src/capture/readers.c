// SPDX-License-Identifier: Apache-2.0
/* readers.c - count handlers and hooks in and out: signal safe */
#include "capture/readers.h"

struct pyro_readers pyro_readers;

unsigned pyro_readers_enter(void)
{
	for (;;) {
		unsigned side = atomic_load(&pyro_readers.side);

		atomic_fetch_add(&pyro_readers.in[side], 1);
		/* Else the collector may have looked already. */
		if (atomic_load(&pyro_readers.side) == side)
			return side;
		atomic_fetch_sub(&pyro_readers.in[side], 1);
	}
}

void pyro_readers_leave(unsigned entered)
{
	atomic_fetch_sub(&pyro_readers.in[entered], 1);
}
