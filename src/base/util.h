// SPDX-License-Identifier: Apache-2.0
/* util.h - attributes and small helpers that every layer uses */
#ifndef PYRO_BASE_UTIL_H
#define PYRO_BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* May run in a signal handler or a hook: no libc but raw system calls, no
 * locks, no allocation, no thread-local storage. The objects that hold such
 * functions are listed in tools/signal_safe.txt, and a test checks their
 * undefined symbols. */
#define PYRO_SIGNAL_SAFE

/* Need not be there: then its address is NULL. */
#define PYRO_WEAK __attribute__((weak))

#define PYRO_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

#define PYRO_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define PYRO_NS_PER_SEC UINT64_C(1000000000)
#define PYRO_NS_PER_MS UINT64_C(1000000)

static inline size_t pyro_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static inline size_t pyro_max(size_t a, size_t b)
{
	return a > b ? a : b;
}

/* Round up to a power of two. */
static inline size_t pyro_align_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

#endif
