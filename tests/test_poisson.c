// SPDX-License-Identifier: Apache-2.0
/* test_poisson.c - the weight of a sample against libm's expm1 */
#include "tests/unit.h"

#include <math.h>

#include "base/poisson.h"

static double worst;

static void check(uint64_t size, uint64_t interval)
{
	double want = -1 / expm1(-((double)size + 1) / (double)interval);
	double error = fabs(pyro_poisson_weight(size, interval) / want - 1);

	if (!(error <= 1e-12)) /* a NaN, too */
		fail_msg("size %llu interval %llu: off by %g",
			 (unsigned long long)size, (unsigned long long)interval,
			 error);
	worst = fmax(worst, error);
}

static void test_weight(void **state)
{
	uint64_t random = 88172645463325252;

	(void)state;
	for (int i = 1; i <= 30; i++)
		for (uint64_t r = (UINT64_C(1) << i) - 1;
		     r <= (UINT64_C(1) << i) + 1; r++)
			for (int s = 0; s <= 48; s++)
				for (uint64_t d = 0; d < 3 && r > 1; d++)
					check((UINT64_C(1) << s) - 1 + d, r);
	for (int i = 0; i < 1000000; i++) {
		uint64_t size = next_random(&random) >> (16 + i % 47);

		check(size, 2 + next_random(&random) % (UINT64_C(2) << i % 30));
	}
	print_message("worst error %g\n", worst);
}

static void test_ends(void **state)
{
	(void)state;
	for (uint64_t size = 0; size < 5; size++)
		assert_true(pyro_poisson_weight(size, 1) == 1);
	assert_true(pyro_poisson_weight(UINT64_C(1) << 48, 1) == 1);
	assert_true(pyro_poisson_weight(UINT64_C(1) << 48, 2) == 1);
	assert_true(pyro_poisson_weight(UINT64_MAX, 1 << 30) == 1);
	/* Half of the interval's size is not half of the chance. */
	assert_true(pyro_poisson_weight((1 << 19) - 1, 1 << 19) ==
		    pyro_poisson_weight((1 << 29) - 1, 1 << 29));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_weight),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
