// SPDX-License-Identifier: Apache-2.0
/* program.h - what programs that are profiled share: clocks, memory, and a
 * frame whose frame pointer is garbage */
#ifndef PYRO_TESTS_PROGRAM_H
#define PYRO_TESTS_PROGRAM_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#define NOINLINE __attribute__((noinline, noclone))

/* Of the program's own checks. */
__attribute__((unused)) static _Atomic long problems;

#define PROBLEM(...)                                           \
	do {                                                   \
		if (atomic_fetch_add(&problems, 1) < 5) {      \
			printf("%s:%d: ", __FILE__, __LINE__); \
			printf(__VA_ARGS__);                   \
			putchar('\n');                         \
		}                                              \
	} while (0)

static inline double clock_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static inline double now(void)
{
	return clock_s(CLOCK_MONOTONIC);
}

static inline double cpu(void)
{
	return clock_s(CLOCK_THREAD_CPUTIME_ID);
}

static inline double process_cpu(void)
{
	return clock_s(CLOCK_PROCESS_CPUTIME_ID);
}

/* ns since 1970, as profiles have it. */
static inline long long realtime(void)
{
	return (long long)(clock_s(CLOCK_REALTIME) * 1e9);
}

/* Anonymous memory in KiB. */
static inline long resident(void)
{
	char line[256];
	long kib = 0;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "RssAnon: %ld", &kib);
	if (f)
		fclose(f);
	return kib;
}

/* Count down in a frame that is found by its frame pointer, as its size is not
 * known, with another frame pointer. */
__attribute__((unused, noinline, noclone)) static void
burn_with_fp(uintptr_t fp, size_t size, unsigned turns)
{
#if defined(__x86_64__)
	uintptr_t own;

	__asm__ volatile("" : : "r"(__builtin_alloca(size)) : "memory");
	__asm__ volatile("mov %%rbp, %0\n\tmov %2, %%rbp\n"
			 "1:\tdec %1\n\tjnz 1b\n\tmov %0, %%rbp"
			 : "=&r"(own), "+r"(turns)
			 : "r"(fp)
			 : "memory", "cc");
#else
	(void)fp;
	(void)size;
	while (turns--)
		__asm__ volatile("");
#endif
}

#endif
