// SPDX-License-Identifier: Apache-2.0
/* here.h - the calling thread's own stack, from a hook into a record */
#ifndef PYRO_SOURCE_HERE_H
#define PYRO_SOURCE_HERE_H

#include "base/slots.h"
#include "capture/unwind.h"

/* Of this thread; both 0 if not known. */
extern _Thread_local struct pyro_stack pyro_here_stack;

/* The main thread's. Collector. */
void pyro_here_set_main(struct pyro_stack stack);

/* Block these signals of the kernel's 64, and return what was blocked. Programs leave
 * handlers by longjmp(), or are cancelled at any instruction where they wait: not
 * between a slot that is taken and its record. */
uint64_t pyro_here_block(uint64_t mask) PYRO_SIGNAL_SAFE;

/* Walk the stack and hand the record over. caller, the hook's return address, is
 * where the stack begins. */
void pyro_here_commit(struct pyro_record *record,
		      void *caller) PYRO_SIGNAL_SAFE;

#endif
