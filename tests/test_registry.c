// SPDX-License-Identifier: Apache-2.0
/* test_registry.c - entries of threads, grace periods, and stack bounds, which
 * must never promise memory that is not there */
#include "tests/unit.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "base/os.h"
#include "capture/registry.h"

static void test_claim(void **state)
{
	struct pyro_thread *a, *b, *c;

	(void)state;
	assert_null(pyro_registry_claim(PYRO_THREAD_LIVE));
	assert_false(pyro_registry_holds(NULL));
	assert_int_equal(pyro_registry_init(), 0);
	assert_int_equal(pyro_registry_init(), 0);
	assert_int_equal(pyro_registry_limit(), 0);
	a = pyro_registry_claim(PYRO_THREAD_LIVE);
	b = pyro_registry_claim(PYRO_THREAD_STARTING);
	c = pyro_registry_claim(PYRO_THREAD_LIVE);
	assert_true(a && b && c && a != b && b != c && a != c);
	assert_int_equal(atomic_load(&b->state), PYRO_THREAD_STARTING);
	assert_int_equal(pyro_registry_limit(), 3);

	atomic_store(&b->tid, 77);
	b->stack = (struct pyro_stack){1, 2};
	b->armed = b->scanned = true;
	pyro_registry_release(b);
	assert_int_equal(atomic_load(&b->tid), 0);
	assert_ptr_equal(pyro_registry_claim(PYRO_THREAD_LIVE), b);
	assert_false(b->armed || b->scanned);
	assert_int_equal(b->stack.lo + b->stack.hi, 0);
	assert_int_equal(atomic_load(&b->tid), 0);
	assert_int_equal(pyro_registry_limit(), 3);
	pyro_registry_release(c);
	pyro_registry_release(a);
	pyro_registry_release(b);
}

static void test_holds(void **state)
{
	struct pyro_thread *base = pyro_registry_at(0);
	char *bytes = (char *)base;
	size_t all = PYRO_THREADS_MAX * sizeof(*base);

	(void)state;
	assert_true(pyro_registry_holds(base));
	assert_true(pyro_registry_holds(base + 5));
	assert_true(pyro_registry_holds(base + PYRO_THREADS_MAX - 1));
	assert_false(pyro_registry_holds(base + PYRO_THREADS_MAX));
	assert_false(pyro_registry_holds(base - 1));
	for (size_t i = 1; i < sizeof(*base); i++)
		assert_false(pyro_registry_holds(bytes + i));
	assert_false(pyro_registry_holds(bytes + all - 1));
	assert_false(pyro_registry_holds(NULL));
	assert_false(pyro_registry_holds((void *)(uintptr_t)-1));
}

static void test_full(void **state)
{
	static struct pyro_thread *t[PYRO_THREADS_MAX];

	(void)state;
	for (size_t i = 0; i < PYRO_THREADS_MAX; i++) {
		t[i] = pyro_registry_claim(PYRO_THREAD_LIVE);
		assert_non_null(t[i]);
		assert_true(pyro_registry_holds(t[i]));
	}
	assert_null(pyro_registry_claim(PYRO_THREAD_LIVE));
	pyro_registry_release(t[1234]);
	assert_ptr_equal(pyro_registry_claim(PYRO_THREAD_LIVE), t[1234]);
	assert_null(pyro_registry_claim(PYRO_THREAD_LIVE));
	for (size_t i = 0; i < PYRO_THREADS_MAX; i++)
		pyro_registry_release(t[i]);
}

static int child_is_empty(void *arg)
{
	struct pyro_thread *held = arg, *fresh;

	if (atomic_load(&held->state) != PYRO_THREAD_FREE ||
	    atomic_load(&held->tid) != 0)
		return 1;
	pyro_registry_forked();
	if (pyro_registry_init() != 0 || pyro_registry_limit() != 0)
		return 2;
	fresh = pyro_registry_claim(PYRO_THREAD_LIVE);
	return fresh == pyro_registry_at(0) ? 0 : 3;
}

static void test_fork(void **state)
{
	struct pyro_thread *t = pyro_registry_claim(PYRO_THREAD_LIVE);

	(void)state;
	if (UNDER_EMULATOR)
		skip();
	atomic_store(&t->tid, 4711);
	assert_int_equal(in_child(child_is_empty, t), 0);
	assert_int_equal(atomic_load(&t->tid), 4711);
	pyro_registry_release(t);
}

static void *leave(void *arg)
{
	usleep(100000);
	pyro_readers_leave(*(unsigned *)arg);
	return NULL;
}

static void test_quiesce(void **state)
{
	struct pyro_thread *t = pyro_registry_claim(PYRO_THREAD_LIVE);
	unsigned entered;
	pthread_t thread;
	double begin;

	(void)state;
	assert_true(pyro_registry_quiesce());
	entered = pyro_readers_enter();
	/* As at a stop: no matter whose entry it was. */
	pyro_registry_release(t);
	begin = now_s();
	assert_int_equal(pthread_create(&thread, NULL, leave, &entered), 0);
	assert_true(pyro_registry_quiesce());
	assert_true(now_s() - begin > 0.09);
	pthread_join(thread, NULL);

	/* Stuck inside: an answer comes, and it is no, however often. */
	entered = pyro_readers_enter();
	assert_false(pyro_registry_quiesce());
	assert_false(pyro_registry_quiesce());
	pyro_readers_leave(entered);
	assert_true(pyro_registry_quiesce());
}

/* Every page from here to the end can be read. */
static bool all_readable(uintptr_t from, uintptr_t to)
{
	for (uintptr_t at = from & ~(uintptr_t)4095; at < to; at += 4096) {
		char byte;

		if (!pyro_read_memory((const void *)at, &byte, 1))
			return false;
	}
	return true;
}

static void test_main_stack(void **state)
{
	struct pyro_stack stack = pyro_stack_of_main();
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	struct rlimit rl;
	extern char **environ;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_STACK, &rl), 0);
	if (rl.rlim_cur == RLIM_INFINITY) {
		assert_int_equal(stack.hi, 0);
		return;
	}
	assert_true(stack.lo < here && here < stack.hi);
	assert_true(stack.hi - stack.lo <= rl.rlim_cur);
	assert_true(all_readable(here, stack.hi));
	/* The environment lies on top of it. */
	assert_true((uintptr_t)environ[0] < stack.hi);
	assert_true((uintptr_t)environ[0] > stack.lo);
}

/* Elsewhere memory is probed, always. */
#if defined(__x86_64__)
#define BOUNDS_KNOWN true
#else
#define BOUNDS_KNOWN false
#endif

struct size_of_stack {
	size_t size, guard;
};

static void *look_at_stack(void *arg)
{
	const struct size_of_stack *s = arg;
	struct pyro_stack stack = pyro_stack_of_self(s->size, s->guard);
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	pthread_attr_t attr;
	void *lowest;
	size_t size;

	/* glibc's own answer is the oracle. */
	if (pthread_getattr_np(pthread_self(), &attr) != 0 ||
	    pthread_attr_getstack(&attr, &lowest, &size) != 0)
		return "no answer";
	pthread_attr_destroy(&attr);
	if (stack.hi == 0 && stack.lo == 0)
		return BOUNDS_KNOWN && s->size > 65536 ? "not known" : NULL;
	if (stack.lo < (uintptr_t)lowest)
		return "too low";
	if (stack.hi > (uintptr_t)lowest + size)
		return "too high";
	if (here < stack.lo || here >= stack.hi)
		return "does not hold this frame";
	/* Writes down to lo would hit no guard: all of it is the stack's. */
	if (!all_readable(stack.lo, stack.hi))
		return "not readable";
	return NULL;
}

static void test_thread_stacks(void **state)
{
	static const struct size_of_stack sizes[] = {
		{16384, 4096},   {65536, 4096},     {65536, 0},
		{131072, 4096},  {131072, 65536},   {1 << 20, 1 << 19},
		{8 << 20, 4096}, {300 << 20, 4096}, {135168, 5000},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(sizes); i++) {
		pthread_attr_t attr;
		pthread_t thread;
		void *wrong = NULL;

		if (sizes[i].size < (size_t)sysconf(_SC_THREAD_STACK_MIN))
			continue;
		pthread_attr_init(&attr);
		assert_int_equal(
			pthread_attr_setstacksize(&attr, sizes[i].size), 0);
		pthread_attr_setguardsize(&attr, sizes[i].guard);
		assert_int_equal(pthread_create(&thread, &attr, look_at_stack,
						(void *)(uintptr_t)&sizes[i]),
				 0);
		pthread_join(thread, &wrong);
		pthread_attr_destroy(&attr);
		if (wrong)
			fail_msg("size %zu guard %zu: %s", sizes[i].size,
				 sizes[i].guard, (const char *)wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_quiesce),
		cmocka_unit_test(test_main_stack),
		cmocka_unit_test(test_thread_stacks),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
