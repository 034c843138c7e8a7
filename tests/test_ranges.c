// SPDX-License-Identifier: Apache-2.0
/* test_ranges.c - stacks that the program told of, and walks on them */
#include "capture/ranges.h"

#include <errno.h>
#include <string.h>
#include <ucontext.h>

#include "base/arena.h"
#include "image/modules.h"
#include "unit.h"

static void assert_range(uintptr_t sp, uintptr_t lo, uintptr_t hi)
{
	struct pyro_stack found = pyro_ranges_find(sp);

	assert_int_equal(found.lo, lo);
	assert_int_equal(found.hi, hi);
}

static void test_add_find_remove(void **state)
{
	(void)state;
	assert_int_equal(pyro_ranges_add(0x10000, 0x20000), 0);
	assert_int_equal(pyro_ranges_add(0x30000, 0x40000), 0);
	assert_range(0xffff, 0, 0);
	assert_range(0x10000, 0x10000, 0x20000);
	assert_range(0x1ffff, 0x10000, 0x20000);
	assert_range(0x20000, 0, 0);
	assert_range(0x30008, 0x30000, 0x40000);
	/* The same once more: another length. */
	assert_int_equal(pyro_ranges_add(0x10000, 0x12000), 0);
	assert_range(0x11fff, 0x10000, 0x12000);
	assert_range(0x1ffff, 0, 0);
	pyro_ranges_remove(0x10000);
	assert_range(0x10000, 0, 0);
	assert_range(0x30000, 0x30000, 0x40000);
	pyro_ranges_remove(0x12345);
	pyro_ranges_remove(0x30000);
	assert_range(0x30000, 0, 0);
}

static void test_bounds(void **state)
{
	(void)state;
	assert_int_equal(pyro_ranges_add(0, 0x1000), -EINVAL);
	assert_int_equal(pyro_ranges_add(0x2000, 0x2000), -EINVAL);
	assert_int_equal(pyro_ranges_add(0x2000, 0x1000), -EINVAL);
	for (uintptr_t i = 1; i <= PYRO_RANGES_MAX; i++)
		assert_int_equal(pyro_ranges_add(i << 16, (i << 16) + 4096), 0);
	assert_int_equal(pyro_ranges_add(0x100, 0x200), -ENOSPC);
	assert_range((PYRO_RANGES_MAX << 16) + 8, PYRO_RANGES_MAX << 16,
		     (PYRO_RANGES_MAX << 16) + 4096);
	for (uintptr_t i = 1; i <= PYRO_RANGES_MAX; i++)
		pyro_ranges_remove(i << 16);
	assert_int_equal(pyro_ranges_add(0x100, 0x200), 0);
	pyro_ranges_remove(0x100);
	assert_range(0x100, 0, 0);
}

/* Each thread's ranges come and go; what is found is always a whole one. */
static _Atomic bool over;

static void *come_and_go(void *arg)
{
	uintptr_t base = (uintptr_t)arg << 32;

	for (uintptr_t n = 1; !atomic_load(&over); n++) {
		uintptr_t lo = base + n % 64 * 0x10000;
		uintptr_t size = 0x1000 << n % 3;

		if (pyro_ranges_add(lo, lo + size) != 0)
			return NULL;
		assert_range(lo + size - 8, lo, lo + size);
		pyro_ranges_remove(lo);
	}
	return arg;
}

static void test_concurrently(void **state)
{
	pthread_t thread[4];
	uint64_t found = 0;
	double end = now_s() + 1, guard = end + 60;

	(void)state;
	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, come_and_go,
						(void *)(i + 1)),
				 0);
	for (uintptr_t n = 0; now_s() < end || (found < 100 && now_s() < guard);
	     n++) {
		uintptr_t lo = ((n % 4 + 1) << 32) + n / 4 % 64 * 0x10000;
		struct pyro_stack s = pyro_ranges_find(lo + 8);

		if (s.hi == 0)
			continue;
		found++;
		assert_int_equal(s.lo, lo);
		assert_true(s.hi - lo == 0x1000 || s.hi - lo == 0x2000 ||
			    s.hi - lo == 0x4000);
	}
	atomic_store(&over, true);
	for (int i = 0; i < 4; i++) {
		void *result;

		pthread_join(thread[i], &result);
		assert_non_null(result);
	}
	assert_true(found >= 100);
}

/* --- a walk on a coroutine's stack: 100 frames of a page each --- */

#define FRAMES 100
/* Where makecontext() has the function return to is known on x86_64. */
#if defined(__x86_64__)
#define COROUTINE_END PYRO_STOP_END
#else
#define COROUTINE_END PYRO_STOP_GAP
#endif

static ucontext_t outside, coroutine;
static struct pyro_modules *modules;
static struct pyro_walk walk;
static size_t depth;

__attribute__((noinline)) static int deep(int n)
{
	volatile char page[4096];

	page[0] = page[4095] = (char)n;
	if (n > 0) {
		n = deep(n - 1);
	} else {
		uint64_t pc[256];
		struct pyro_regs regs = {0};

		PYRO_REGS_HERE(&regs);
		depth = pyro_unwind_regs(pyro_modules_current(), &regs,
					 (struct pyro_stack){0, 0}, pc, 256,
					 &walk);
	}
	return n + page[0] + page[4095];
}

static void in_coroutine(void)
{
	deep(FRAMES);
	swapcontext(&coroutine, &outside);
}

static void run_coroutine(void *stack, size_t size)
{
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = stack;
	coroutine.uc_stack.ss_size = size;
	makecontext(&coroutine, in_coroutine, 0);
	swapcontext(&outside, &coroutine);
}

static void test_walk(void **state)
{
	size_t size = 1 << 20;
	char *stack = pyro_pages_alloc(size);

	(void)state;
	assert_non_null(stack);
	modules = pyro_modules_new("");
	assert_int_equal(pyro_modules_refresh(modules), 1);

	/* Unknown: through the kernel, piece by piece. */
	run_coroutine(stack, size);
	assert_int_equal(walk.stop, COROUTINE_END);
	assert_in_range(depth, FRAMES + 2, FRAMES + 4);

	assert_int_equal(
		pyro_ranges_add((uintptr_t)stack, (uintptr_t)stack + size), 0);
	run_coroutine(stack, size);
	assert_int_equal(walk.stop, COROUTINE_END);
	assert_in_range(depth, FRAMES + 2, FRAMES + 4);
	pyro_ranges_remove((uintptr_t)stack);
	pyro_modules_unpublish(modules);
	pyro_modules_free(modules);
	pyro_pages_free(stack, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_find_remove),
		cmocka_unit_test(test_concurrently),
		cmocka_unit_test(test_bounds), /* slower from here on */
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
