// SPDX-License-Identifier: Apache-2.0
/* ranges.h - stacks that are not threads' own, as the program told */
#ifndef PYRO_CAPTURE_RANGES_H
#define PYRO_CAPTURE_RANGES_H

#include "capture/unwind.h"

#define PYRO_RANGES_MAX 4096

/* Tell of the memory [lo, hi), which stays mapped until it is taken back. 0,
 * -EINVAL when it is no range, -ENOSPC when there are too many. One that begins
 * like another replaces it. Any context. */
int pyro_ranges_add(uintptr_t lo, uintptr_t hi) PYRO_SIGNAL_SAFE;
/* Nothing when it is not known. */
void pyro_ranges_remove(uintptr_t lo) PYRO_SIGNAL_SAFE;

/* The range that holds sp; both bounds 0 if there is none. */
struct pyro_stack pyro_ranges_find(uintptr_t sp) PYRO_SIGNAL_SAFE;

#endif
