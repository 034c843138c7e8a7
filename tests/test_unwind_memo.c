// SPDX-License-Identifier: Apache-2.0
/* test_unwind_memo.c - walks by memos are the walks by tables, whatever the
 * memos hold */
#include "tests/unit.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "base/arena.h"
#include "base/os.h"
#include "capture/registry.h"
#include "image/modules.h"

#define DEPTH 128
#define MEMOS ((size_t)1 << PYRO_MEMO_BITS)

static struct pyro_modules *modules;
static const struct pyro_snapshot *with;
static struct pyro_snapshot *without; /* the same, but no memos */
static struct pyro_stack stack;

static int start(void **state)
{
	(void)state;
	modules = pyro_modules_new("");
	if (!modules || pyro_modules_refresh(modules) != 1)
		return -1;
	with = pyro_modules_current();
	without = pyro_pages_alloc(with->bytes);
	if (!without)
		return -1;
	memcpy(without, with, with->bytes);
	without->memo = NULL;
	stack = pyro_stack_of_main();
	return stack.hi ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	pyro_pages_free(without, with->bytes);
	pyro_modules_free(modules);
	return 0;
}

/* --- in the same place, by both --- */

static _Atomic unsigned walks, differences, deepest;

static void compare(int sig, siginfo_t *info, void *context)
{
	uint64_t a[DEPTH], b[DEPTH];
	struct pyro_walk walk_a, walk_b;
	size_t n = pyro_unwind_signal(with, context, stack, a, DEPTH, &walk_a);
	size_t m =
		pyro_unwind_signal(without, context, stack, b, DEPTH, &walk_b);

	(void)sig;
	(void)info;
	walks++;
	if (n > deepest)
		deepest = (unsigned)n;
	if (n != m || memcmp(a, b, n * sizeof(*a)) != 0 ||
	    walk_a.stop != walk_b.stop)
		differences++;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Frames of our own and of libc, at many depths. */
__attribute__((noinline)) static uint32_t work(unsigned depth)
{
	uint32_t value[300], x = depth + 1;

	for (size_t i = 0; i < PYRO_COUNT_OF(value); i++)
		value[i] = x = x * 1664525 + 1013904223;
	qsort(value, PYRO_COUNT_OF(value), sizeof(*value), by_value);
	return value[depth] + (depth < 60 ? work(depth + 1) : 0);
}

static void work_under_timer(void)
{
	struct itimerval every = {{0, 1000}, {0, 1000}};
	struct itimerval never = {{0, 0}, {0, 0}};
	struct sigaction action;
	uint64_t end =
		pyro_clock_ns(CLOCK_PROCESS_CPUTIME_ID) + PYRO_NS_PER_SEC;
	volatile uint32_t sink = 0;

	(void)sink;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = compare;
	action.sa_flags = SA_SIGINFO | SA_RESTART;
	assert_int_equal(sigaction(SIGPROF, &action, NULL), 0);
	walks = differences = 0;
	assert_int_equal(setitimer(ITIMER_PROF, &every, NULL), 0);
	while (pyro_clock_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		sink += work(0);
	assert_int_equal(setitimer(ITIMER_PROF, &never, NULL), 0);
}

static size_t memos_in_use(void)
{
	size_t count = 0;

	for (size_t i = 0; i < MEMOS; i++)
		count += atomic_load(&with->memo[i].step) != 0;
	return count;
}

static void same_walks(void **state)
{
	(void)state;
	work_under_timer();
	assert_in_range(walks, 30, 100000);
	assert_int_equal(differences, 0);
	assert_in_range(deepest, 30, DEPTH);
	assert_in_range(memos_in_use(), 5, MEMOS);
}

/* Halves of different writes: what check and step say does not agree. */
static void torn_memos(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEMOS; i++) {
		uint64_t step = atomic_load(&with->memo[i].step);

		if (step)
			atomic_store(&with->memo[i].step,
				     step + (UINT64_C(16) << 16));
	}
	work_under_timer();
	assert_in_range(walks, 30, 100000);
	assert_int_equal(differences, 0);
}

/* --- memos that lie --- */

static void lying_memos(void **state)
{
	static uint64_t words[4096];
	struct pyro_stack narrow = {(uintptr_t)words,
				    (uintptr_t)(words + 4096)};
	uint64_t pc[DEPTH], random = 7;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		struct pyro_walk walk;
		uint64_t key = with->map[0].lo + 1 + (uint64_t)i;
		size_t slot = key * UINT64_C(0x9e3779b97f4a7c15) >>
			      (64 - PYRO_MEMO_BITS);
		uint64_t step = random =
			random * UINT64_C(6364136223846793005) + 1;
		struct pyro_regs regs = {
			.pc = key,
			.sp = (uintptr_t)&words[(random >> 33) % 4096],
			.fp = (uintptr_t)words + (random >> 20) % 40000,
		};

		/* The top frame is not looked up: it returns to key. */
		words[(regs.sp - (uintptr_t)words) / 8] = key + 1;
		atomic_store(&with->memo[slot].check,
			     key ^ step * UINT64_C(0x9e3779b97f4a7c15));
		atomic_store(&with->memo[slot].step, step);
		assert_in_range(
			pyro_unwind_regs(with, &regs, narrow, pc, DEPTH, &walk),
			1, DEPTH);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_walks),
		cmocka_unit_test(torn_memos),
		cmocka_unit_test(lying_memos),
	};

	if (UNDER_ASAN) {
		puts("skipped: walks read what is mapped, and the sanitizer "
		     "keeps words of its own there");
		return 0;
	}
	return cmocka_run_group_tests(tests, start, stop);
}
