// SPDX-License-Identifier: Apache-2.0
/* test_arena.c - pages, arrays and arenas: zeroed, aligned, returned, and NULL
 * where there is no memory */
#include "tests/unit.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/arena.h"

/* Is this page mapped? */
static bool mapped(const void *p)
{
	unsigned char vec;

	return mincore((void *)((uintptr_t)p & ~(uintptr_t)4095), 1, &vec) == 0;
}

static bool zeroed(const void *p, size_t len)
{
	const unsigned char *c = p;

	for (size_t i = 0; i < len; i++)
		if (c[i])
			return false;
	return true;
}

static void test_pages(void **state)
{
	(void)state;
	for (size_t size = 1; size < 40000; size += 1021) {
		unsigned char *p = pyro_pages_alloc(size);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 4096, 0);
		assert_true(zeroed(p, size));
		memset(p, 0xff, size);
		errno = 77;
		pyro_pages_free(p, size);
		assert_int_equal(errno, 77);
		assert_false(mapped(p));
		assert_false(mapped(p + size - 1));
	}
	pyro_pages_free(NULL, 100);
	assert_null(pyro_pages_alloc(0));
	errno = 77;
	assert_null(pyro_pages_alloc(SIZE_MAX));
	assert_null(pyro_pages_alloc(SIZE_MAX - 4096));
	assert_null(pyro_pages_alloc((size_t)1 << 60));
	assert_int_equal(errno, 77);
}

static void test_array_grows(void **state)
{
	size_t cap = 0;
	uint64_t *array = NULL;

	(void)state;
	for (size_t i = 0; i < 100000; i++) {
		uint64_t *more =
			pyro_array_grow(array, &cap, i + 1, sizeof(*array));

		assert_non_null(more);
		assert_true(cap > i);
		array = more;
		assert_int_equal(array[i], 0);
		array[i] = i * 3 + 1;
	}
	for (size_t i = 0; i < 100000; i++)
		assert_int_equal(array[i], i * 3 + 1);
	assert_true(zeroed(array + 100000, (cap - 100000) * sizeof(*array)));

	/* Too much: the old one stays as it was. */
	size_t before = cap;

	assert_null(pyro_array_grow(array, &cap, SIZE_MAX / 8, 8));
	assert_null(pyro_array_grow(array, &cap, (size_t)1 << 59, 8));
	assert_int_equal(cap, before);
	assert_int_equal(array[99999], 99999 * 3 + 1);
	pyro_pages_free(array, cap * sizeof(*array));
	assert_false(mapped(array));
}

/* Items whose size does not divide a page: freeing by cap * item gives all. */
static void test_array_odd_items(void **state)
{
	(void)state;
	for (size_t item = 1; item < 9000; item = item * 2 + 1) {
		size_t cap = 0;
		unsigned char *array = pyro_array_grow(NULL, &cap, 1, item);

		for (size_t need = 2; need < 100; need += 7) {
			array = pyro_array_grow(array, &cap, need, item);
			assert_non_null(array);
			memset(array, 1, need * item);
		}

		unsigned char *last = array + cap * item - 1;

		assert_true(mapped(last));
		pyro_pages_free(array, cap * item);
		assert_false(mapped(array));
		assert_false(mapped(last));
	}
}

static void test_arena(void **state)
{
	struct pyro_arena arena = {0};
	unsigned char *p[400];
	size_t size[400];

	(void)state;
	for (size_t i = 0; i < 400; i++) {
		size[i] = i * i % 7919;
		p[i] = pyro_arena_alloc(&arena, size[i]);
		assert_non_null(p[i]);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		assert_true(zeroed(p[i], size[i]));
		memset(p[i], (int)i, size[i]);
	}
	/* Nothing overlaps: each still holds what was put there. */
	for (size_t i = 0; i < 400; i++)
		for (size_t k = 0; k < size[i]; k++)
			assert_int_equal(p[i][k], i & 255);

	/* One larger than any chunk. */
	unsigned char *big = pyro_arena_alloc(&arena, 5 << 20);

	assert_non_null(big);
	assert_true(zeroed(big, 5 << 20));
	assert_true(arena.bytes > 5 << 20);
	assert_null(pyro_arena_alloc(&arena, SIZE_MAX));
	assert_null(pyro_arena_alloc(&arena, SIZE_MAX / 2));
	pyro_arena_free(&arena);
	assert_int_equal(arena.bytes, 0);
	assert_false(mapped(big));
	assert_false(mapped(p[0]));
	assert_non_null(pyro_arena_alloc(&arena, 1));
	pyro_arena_free(&arena);
	pyro_arena_free(&arena);
}

static void test_strndup(void **state)
{
	struct pyro_arena arena = {0};

	(void)state;

	char *empty = pyro_arena_strndup(&arena, "abc", 0);
	char *part = pyro_arena_strndup(&arena, "abc\0def", 5);

	assert_string_equal(empty, "");
	assert_memory_equal(part, "abc\0d\0", 6);
	assert_null(pyro_arena_strndup(&arena, "x", SIZE_MAX));
	pyro_arena_free(&arena);
}

/* The address space is full: NULL, never a crash, and no memory leaks. */
static int starve(void *arg)
{
	struct rlimit rl = {256 << 20, 256 << 20};
	struct pyro_arena arena = {0};
	size_t cap = 0, chunks = 0;
	char *array = NULL;

	(void)arg;
	if (setrlimit(RLIMIT_AS, &rl) != 0)
		return 9;
	while (pyro_arena_alloc(&arena, 1 << 20) && chunks < 1000)
		chunks++;
	if (chunks == 0 || chunks == 1000)
		return 1;
	if (pyro_pages_alloc(64 << 20))
		return 2;
	pyro_arena_free(&arena);
	for (size_t need = 1 << 20;; need *= 2) {
		char *more = pyro_array_grow(array, &cap, need, 1);

		if (!more)
			break;
		array = more;
		array[need - 1] = 1;
	}
	if (!array || cap >= 256 << 20 || array[(1 << 20) - 1] != 1)
		return 3;
	pyro_pages_free(array, cap);

	void *again = pyro_pages_alloc(100 << 20);

	return again ? 0 : 4;
}

static void test_no_memory(void **state)
{
	(void)state;
	if (UNDER_ASAN || UNDER_EMULATOR)
		skip();
	assert_int_equal(in_child(starve, NULL), 0);
}

/* A limit is kept to the byte, by growing arrays too, and what is given back can be
 * had again. */
static void test_limit(void **state)
{
	size_t before = pyro_memory_mapped(), cap = 0;
	uint64_t refused = pyro_memory_refused();
	void *all, *none, *array;

	(void)state;
	pyro_memory_limit(before + (1 << 20));
	assert_null(pyro_pages_alloc((1 << 20) + 1));
	all = pyro_pages_alloc(1 << 20);
	assert_non_null(all);
	none = pyro_pages_alloc(1);
	assert_null(none);
	assert_int_equal(pyro_memory_refused(), refused + 2);
	assert_int_equal(pyro_memory_mapped(), before + (1 << 20));
	pyro_pages_free(all, 1 << 20);

	array = pyro_array_grow(NULL, &cap, 300 << 10, 1);
	assert_non_null(array);
	assert_non_null(array = pyro_array_grow(array, &cap, cap + 1, 1));
	assert_int_equal(pyro_memory_mapped(), before + cap);
	assert_null(pyro_array_grow(array, &cap, cap + 1, 1));
	assert_int_equal(pyro_memory_refused(), refused + 3);
	assert_int_equal(pyro_memory_mapped(), before + cap);
	pyro_pages_free(array, cap);
	assert_int_equal(pyro_memory_mapped(), before);

	assert_false(pyro_memory_is_short(0));
	assert_true(pyro_memory_is_short(before + (1 << 20)));
	pyro_memory_limit(0);
	assert_false(pyro_memory_is_short(SIZE_MAX / 2));
	pyro_pages_free(pyro_pages_alloc(2 << 20), 2 << 20);
}

static void *a_mib(void)
{
	return pyro_pages_alloc(1 << 20);
}

/* A child may have as much as its parent might, but not what that had. */
static int take_as_child(void *arg)
{
	(void)arg;
	if (a_mib())
		return 1;
	pyro_memory_forked();
	if (pyro_memory_is_short(0) || !a_mib() || a_mib())
		return 2;
	return 0;
}

static void test_limit_of_child(void **state)
{
	void *all;

	(void)state;
	pyro_memory_limit(pyro_memory_mapped() + (1 << 20));
	all = a_mib();
	assert_non_null(all);
	assert_int_equal(in_child(take_as_child, NULL), 0);
	pyro_memory_limit(0);
	pyro_pages_free(all, 1 << 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_array_grows),
		cmocka_unit_test(test_array_odd_items),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_strndup),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limit_of_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
