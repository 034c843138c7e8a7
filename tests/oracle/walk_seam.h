// SPDX-License-Identifier: Apache-2.0
/* walk_seam.h - what the unwinder under test reads memory by */
#ifndef PYRO_TESTS_ORACLE_WALK_SEAM_H
#define PYRO_TESTS_ORACLE_WALK_SEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uintptr_t oracle_load(uintptr_t addr);
bool oracle_copy(uint64_t *to, uintptr_t addr, size_t len);

#endif
