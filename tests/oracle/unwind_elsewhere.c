// SPDX-License-Identifier: Apache-2.0
/* unwind_elsewhere.c - the library's unwinder as it is, reading the memory of
 * another process */
#include "tests/oracle/walk_seam.h"

#define PYRO_WALK_LOAD(addr) oracle_load(addr)
#define PYRO_WALK_COPY(to, addr, len) oracle_copy(to, addr, len)
#include "capture/unwind.c"
