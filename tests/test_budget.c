// SPDX-License-Identifier: Apache-2.0
/* test_budget.c - when rates halve and come back, by numbers alone */
#include "tests/unit.h"

#include "base/budget.h"
#include "base/util.h"

static void test_share(void **state)
{
	static const struct {
		struct pyro_spent spent;
		uint64_t share;
	} cases[] = {
		{{0, 0, 0}, 0},
		{{1, 0, 0}, 0}, /* of nothing */
		{{0, 1000, 1000}, 0},
		{{10, 100, 1000}, 10000},   /* idle: of one core */
		{{10, 1000, 100}, 10000},   /* many threads: of their time */
		{{2000, 0, 1000}, 2000000}, /* two threads of ours */
		{{300 * PYRO_NS_PER_SEC, 0, 30000 * PYRO_NS_PER_SEC}, 10000},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++)
		assert_int_equal(pyro_budget_share(&cases[i].spent),
				 cases[i].share);
}

static void test_steps(void **state)
{
	static const struct {
		uint64_t budget;
		unsigned halvings;
		uint64_t share, steady;
		unsigned next;
	} cases[] = {
		{10, 0, 0, 0, 0},
		{10, 0, 10000, 0, 0}, /* just the budget */
		{10, 0, 10001, 0, 1},
		{10, 0, 90000, 0, 1}, /* a step at a time */
		{10, 3, 10001, 5000, 4},
		{10, 6, 900000, 0, 6}, /* the end */
		{10, 3, 10000, 0, 3},
		{10, 3, 3751, 0, 3}, /* twice as much would be too near */
		{10, 3, 3750, 0, 2},
		{10, 3, 6876, 5000, 3},
		{10, 3, 6875, 5000, 2},
		{10, 1, 0, 0, 0},
		{1, 1, 376, 0, 1},
		{1, 1, 375, 0, 0},
		{1000, 0, 999999, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++)
		assert_int_equal(
			pyro_budget_halvings(cases[i].budget, cases[i].halvings,
					     cases[i].share, cases[i].steady),
			cases[i].next);
}

/* A program whose samples take so much at full rate, and fixed parts so much, in
 * intervals that differ by a tenth of it up or down. Has the rate only ever gone
 * one way? */
static bool settles(uint64_t by_rate, uint64_t fixed, uint64_t *random,
		    unsigned *halvings)
{
	bool up = false, down = false;

	for (int i = 0; i < 1000; i++) {
		uint64_t share = (by_rate >> *halvings) + fixed;
		unsigned before = *halvings;

		share = share * (900 + next_random(random) % 201) / 1000;
		*halvings = pyro_budget_halvings(10, *halvings, share, 0);
		up |= *halvings < before;
		down |= *halvings > before;
	}
	return !up || !down;
}

static void test_settles_without_flapping(void **state)
{
	uint64_t random = 3;

	(void)state;
	for (uint64_t by_rate = 0; by_rate < 400000; by_rate += 997) {
		for (uint64_t fixed = 0; fixed < 8000; fixed += 1999) {
			unsigned halvings = (unsigned)(by_rate % 7);
			uint64_t share;

			assert_true(
				settles(by_rate, fixed, &random, &halvings));
			share = (by_rate >> halvings) + fixed;
			assert_true(share <= 11200 ||
				    halvings == PYRO_HALVINGS_MAX);
			/* It came back as far as it may. */
			assert_true(halvings == 0 || share > 4100);
		}
	}
}

static void test_what_takes_much_at_once(void **state)
{
	(void)state;
	/* 10,000 threads: 220 ms each 44 s are half a percent. */
	assert_int_equal(pyro_budget_time(10, 220 * PYRO_NS_PER_MS),
			 44 * PYRO_NS_PER_SEC);
	assert_int_equal(pyro_budget_cpu(10, 44 * PYRO_NS_PER_SEC),
			 220 * PYRO_NS_PER_MS);
	assert_int_equal(pyro_budget_time(1000, 500), 1000);
	assert_int_equal(pyro_budget_time(1, 0), 0);
	assert_int_equal(pyro_budget_cpu(1000, 4000), 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_settles_without_flapping),
		cmocka_unit_test(test_what_takes_much_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
