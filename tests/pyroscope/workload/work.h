/* SPDX-License-Identifier: Apache-2.0 */
/* work.h - CPU work whose shares are known by construction */
#ifndef WORK_H
#define WORK_H

#include <stdint.h>

/* Keep this many threads busy for so much CPU time in all; one thread is the
 * caller itself. Half of it goes to work_50, a quarter to work_25 and so on,
 * at the bottom of 10 to 60 recursive calls. */
void work_run(double seconds, unsigned threads);

/* Print the CPU time of this process up to now, as "rusage_ns 123". */
void work_report(void);

/* The known functions: depth calls of itself, then arithmetic until the thread's
 * CPU clock is at until, in nanoseconds. */
uint64_t work_50(unsigned depth, uint64_t x, uint64_t until);
uint64_t work_25(unsigned depth, uint64_t x, uint64_t until);
uint64_t work_15(unsigned depth, uint64_t x, uint64_t until);
uint64_t work_10(unsigned depth, uint64_t x, uint64_t until);

/* What gcc may otherwise do to a function that a profile is to show: inline
 * it, clone it, fold it with its equal. */
#if defined(__clang__)
#define WORK_VISIBLE __attribute__((noinline))
#else
#define WORK_VISIBLE __attribute__((noipa))
#endif

#endif
