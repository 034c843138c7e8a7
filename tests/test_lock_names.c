// SPDX-License-Identifier: Apache-2.0
/* test_lock_names.c - a lock has the name that it was given last */
#include "tests/unit.h"

#include <errno.h>

#include "capture/lock_names.h"

static uint64_t locks[3 * PYRO_LOCK_NAMES_MAX];

static void test_names(void **state)
{
	(void)state;
	assert_int_equal(pyro_lock_name(&locks[0]), 0);
	assert_int_equal(pyro_lock_name(NULL), 0);
	assert_int_equal(pyro_lock_name_set(&locks[0], 7), 0);
	assert_int_equal(pyro_lock_name_set(&locks[1], 65535), 0);
	assert_int_equal(pyro_lock_name(&locks[0]), 7);
	assert_int_equal(pyro_lock_name(&locks[1]), 65535);
	assert_int_equal(pyro_lock_name_set(&locks[0], 8), 0);
	assert_int_equal(pyro_lock_name(&locks[0]), 8);
	assert_int_equal(pyro_lock_name_set(&locks[0], 0), 0);
	assert_int_equal(pyro_lock_name(&locks[0]), 0);
	assert_int_equal(pyro_lock_name_set(&locks[0], 0), 0);
	assert_int_equal(pyro_lock_name_set(&locks[1], 0), 0);
	assert_int_equal(pyro_lock_name_set(NULL, 1), -EINVAL);
	assert_int_equal(pyro_lock_name_set((void *)(UINT64_C(1) << 48), 1),
			 -EINVAL);
}

/* All find their own until there is no room, and none is another's after. */
static void test_full(void **state)
{
	size_t count = 0;

	(void)state;
	while (pyro_lock_name_set(&locks[count], (uint32_t)count + 1) == 0)
		count++;
	assert_true(count > PYRO_LOCK_NAMES_MAX / 2 &&
		    count <= PYRO_LOCK_NAMES_MAX);
	assert_int_equal(pyro_lock_name_set(&locks[count], 1), -ENOSPC);
	for (size_t i = 0; i < PYRO_COUNT_OF(locks); i++)
		assert_int_equal(pyro_lock_name(&locks[i]),
				 i < count ? i + 1 : 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pyro_lock_name_set(&locks[i], 0), 0);
	assert_int_equal(pyro_lock_name_set(&locks[count], 1), 0);
	assert_int_equal(pyro_lock_name(&locks[count]), 1);
	assert_int_equal(pyro_lock_name_set(&locks[count], 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
