// SPDX-License-Identifier: Apache-2.0
/* threads_frame.h - a frame that is found by a frame pointer, without it */
#ifndef PYRO_SOURCE_THREADS_FRAME_H
#define PYRO_SOURCE_THREADS_FRAME_H

#include "capture/unwind.h"

/* How far above sp the CFA is at pc, by the instructions from the function's
 * beginning on, which have to agree with the CFI about where the caller's frame
 * pointer was saved. 0: not known. rule is that of pc in map, the CFA fp's. x86_64;
 * collector. */
uintptr_t pyro_threads_frame(const struct pyro_map *map,
			     const struct pyro_rule *rule, uintptr_t pc);

#endif
