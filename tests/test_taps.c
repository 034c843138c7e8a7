// SPDX-License-Identifier: Apache-2.0
/* test_taps.c - which windows a tap is given, and what it sums up */
#include "tests/unit.h"

#include <stdio.h>

#include "api/taps.h"
#include "base/os.h"

#define HOUR_NS (3600 * (int64_t)PYRO_NS_PER_SEC)

struct pyro_session pyro_session; /* session.c's */

void pyro_lifecycle_enter(void)
{
}

/* What the clock says, when the running window began, and how many have ended. */
static int64_t realtime_ns = 400000 * HOUR_NS;
static uint64_t began_ns;
static int windows;

/* One wait in each, what it counts, and what all say. */
static void window_ends(void)
{
	static const int64_t one[] = {1, 1};
	struct pyro_profile *profile = pyro_profile_new();
	uint32_t location = pyro_profile_pseudo(profile, "a place");
	char counts[64];

	pyro_profile_set_wait(profile, PYRO_TYPE_MUTEX);
	pyro_profile_sample(profile, &location, 1, NULL, 0, one);
	profile->time_ns = realtime_ns;
	snprintf(counts, sizeof(counts), "pyroscope: samples=%d", windows);
	pyro_profile_comment(profile, "in words");
	pyro_profile_comment(profile, counts);
	pyro_taps_add(PYRO_OUTPUT_MUTEX, profile, began_ns);
	pyro_profile_free(profile);
	began_ns = pyro_clock_ns(CLOCK_MONOTONIC);
	windows++;
}

int pyro_session_flush(uint32_t window_ms, uint32_t timeout_ms)
{
	(void)window_ms;
	(void)timeout_ms;
	window_ends();
	return 0;
}

/* Frees the profile. */
static int64_t total(struct pyro_profile *profile)
{
	int64_t sum = 0;

	assert_non_null(profile);
	for (size_t i = 0; i < profile->samples_count; i++)
		sum += profile->samples[i].value[0];
	pyro_profile_free(profile);
	return sum;
}

static void test_windows_since_it_is_open(void **state)
{
	struct pyro_tap tap;

	(void)state;
	window_ends();
	pyro_tap_open(&tap, PYRO_OUTPUT_MUTEX);
	assert_true(pyro_taps_want(PYRO_OUTPUT_MUTEX));
	assert_false(pyro_taps_want(PYRO_OUTPUT_CPU));
	window_ends();
	assert_int_equal(total(pyro_tap_read(&tap)), 2);
	assert_int_equal(total(pyro_tap_take(&tap)), 3);
	assert_int_equal(total(pyro_tap_close(&tap)), 1);
	assert_false(pyro_taps_want(PYRO_OUTPUT_MUTEX));
}

/* They are told by a clock that nobody sets. */
static void test_clock_is_set_back(void **state)
{
	struct pyro_tap tap;

	(void)state;
	realtime_ns = (int64_t)pyro_clock_ns(CLOCK_REALTIME);
	pyro_tap_open(&tap, PYRO_OUTPUT_MUTEX);
	realtime_ns -= HOUR_NS;
	assert_int_equal(total(pyro_tap_read(&tap)), 1);
	realtime_ns += 2 * HOUR_NS;
	assert_int_equal(total(pyro_tap_close(&tap)), 2);
}

/* Each window is in the one profile or in the other. */
static void test_branch(void **state)
{
	struct pyro_tap all, since = {0};
	int64_t first, next;
	int before;

	(void)state;
	pyro_tap_open(&all, PYRO_OUTPUT_MUTEX);
	before = windows;
	window_ends();
	first = total(pyro_tap_branch(&all, &since));
	assert_int_equal(first, 2);
	window_ends();
	next = total(pyro_tap_take(&since));
	assert_int_equal(first + next, windows - before);
	assert_int_equal(total(pyro_tap_close(&since)), 1);
	next = total(pyro_tap_close(&all));
	assert_int_equal(next, windows - before);
}

/* A sum of days has no more of them than a window, and no more strings. */
static void test_comments(void **state)
{
	struct pyro_profile *one, *all;
	struct pyro_tap tap;
	char last[64];

	(void)state;
	pyro_tap_open(&tap, PYRO_OUTPUT_MUTEX);
	one = pyro_tap_read(&tap);
	for (int i = 0; i < 1000; i++)
		window_ends();
	all = pyro_tap_close(&tap);
	assert_non_null(one);
	assert_non_null(all);
	assert_int_equal(one->comments_count, 2);
	assert_int_equal(all->comments_count, 2);
	snprintf(last, sizeof(last), "pyroscope: samples=%d", windows - 1);
	assert_string_equal(pyro_profile_text(all, all->comments[0]),
			    "in words");
	assert_string_equal(pyro_profile_text(all, all->comments[1]), last);
	assert_int_equal(all->strings.count, one->strings.count);
	pyro_profile_free(one);
	pyro_profile_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows_since_it_is_open),
		cmocka_unit_test(test_clock_is_set_back),
		cmocka_unit_test(test_branch),
		cmocka_unit_test(test_comments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
