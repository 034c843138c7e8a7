// SPDX-License-Identifier: Apache-2.0
/* unwind_elsewhere.c - the library's unwinder as it is, reading the memory of
 * another process */
#include "tests/oracle/walk_seam.h"

#define PYRO_WALK_LOAD(addr) oracle_load(addr)
#define PYRO_WALK_READABLE(addr) oracle_readable(addr)
#include "capture/unwind.c"
