// SPDX-License-Identifier: Apache-2.0
/* readers.h - who uses a snapshot, shared by readers.c (handlers, hooks) and
 * registry.c (the collector, which waits for them) */
#ifndef PYRO_CAPTURE_READERS_H
#define PYRO_CAPTURE_READERS_H

#include "capture/registry.h"

struct pyro_readers {
	_Atomic unsigned side; /* where who comes now is counted: 0 or 1 */
	/* Less than 0 in the child of a fork that a reader's signal handler
	 * has made: it counts itself out of what began at 0. */
	_Atomic int in[2];
};

extern struct pyro_readers pyro_readers;

#endif
