// SPDX-License-Identifier: Apache-2.0
/* marker.h - where the oracle begins, if it does not at the first instruction,
 * and where it ends. These programs run below the oracle only: nobody else continues from here. */
#ifndef PYRO_TESTS_ORACLE_MARKER_H
#define PYRO_TESTS_ORACLE_MARKER_H

#define MARKER() __asm__ volatile("int3")

#endif
