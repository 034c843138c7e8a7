// SPDX-License-Identifier: Apache-2.0
/* test_labels.c - sets of labels: the same for the same labels, whoever makes them
 * and in whatever order; and what is refused */
#include "tests/unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/xorshift.h"
#include "capture/labels.h"

/* "key=value," of each. */
static const char *text_of(uint32_t set)
{
	static char text[4096];
	struct pyro_label_pair pair[PYRO_LABELS_MAX];
	size_t count = pyro_labels_of(set, pair), len = 0;

	text[0] = '\0';
	for (size_t i = 0; i < count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s=%s,", pair[i].key, pair[i].value);
	return text;
}

static uint64_t refused(enum pyro_labels_refusal why)
{
	return atomic_exchange(&pyro_labels_refused[why], 0);
}

static void test_same_set(void **state)
{
	uint32_t a = pyro_labels_with(0, "route", "/cart");
	uint32_t b = pyro_labels_with(0, "tenant", "7");

	(void)state;
	assert_int_equal(pyro_labels_of(0, NULL), 0);
	assert_true(a != 0 && b != 0 && a != b);
	assert_int_equal(pyro_labels_with(0, "route", "/cart"), a);
	assert_int_equal(pyro_labels_with(a, "tenant", "7"),
			 pyro_labels_with(b, "route", "/cart"));
	assert_string_equal(text_of(pyro_labels_with(b, "route", "/cart")),
			    "route=/cart,tenant=7,");
	/* Another value stands for the one before, "" for none. */
	assert_int_equal(pyro_labels_with(a, "route", "/pay"),
			 pyro_labels_with(0, "route", "/pay"));
	assert_int_equal(pyro_labels_with(a, "route", "/cart"), a);
	assert_int_equal(pyro_labels_with(a, "route", ""), 0);
	assert_int_equal(pyro_labels_with(a, "none", ""), a);
	assert_int_equal(pyro_labels_with(pyro_labels_with(a, "tenant", "7"),
					  "route", ""),
			 b);
	/* Where one ends and the other begins counts. */
	assert_true(pyro_labels_with(0, "ab", "c") !=
		    pyro_labels_with(0, "a", "bc"));
	for (int i = 0; i < PYRO_LABELS_REFUSALS; i++)
		assert_int_equal(refused(i), 0);
}

/* What was asked for before is no answer if the texts have changed meanwhile, or
 * what the label is to be added to. */
static void test_same_places(void **state)
{
	static const char *const values[] = {"", "1", "2", "3", "other"};
	char key[3][2], value[2][8], want[64];
	uint64_t random = 1;
	uint32_t set[4] = {0};
	int has[4][3] = {{0}};

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t r = pyro_xorshift(&random);
		int from = r & 3, to = r >> 2 & 3, place = (r >> 4) % 3;
		int label = (r >> 8) % 3, to_be = (r >> 12) % 5;
		char *text = value[r >> 16 & 1];
		size_t len = 0;

		snprintf(key[place], sizeof(key[0]), "%c", 'a' + label);
		snprintf(text, sizeof(value[0]), "%s", values[to_be]);
		set[to] = pyro_labels_with(set[from], key[place], text);
		memmove(has[to], has[from], sizeof(has[0]));
		has[to][label] = to_be;
		want[0] = '\0';
		for (int j = 0; j < 3; j++)
			if (has[to][j])
				len += (size_t)snprintf(
					want + len, sizeof(want) - len,
					"%c=%s,", 'a' + j, values[has[to][j]]);
		assert_string_equal(text_of(set[to]), want);
	}
}

static void test_not_valid(void **state)
{
	static const char *const bad[] = {
		"", "1st", "a b", "a-b", "a.b", "__name__", "__x", "\xc3\xa4",
	};
	char key[PYRO_LABEL_KEY_MAX + 2], value[PYRO_LABEL_VALUE_MAX + 2];
	uint32_t a = pyro_labels_with(0, "a", "1");

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(bad); i++)
		assert_int_equal(pyro_labels_with(a, bad[i], "x"), a);
	assert_int_equal(pyro_labels_with(a, NULL, "x"), a);
	assert_int_equal(pyro_labels_with(a, "b", NULL), a);
	assert_int_equal(refused(PYRO_LABELS_BAD), PYRO_COUNT_OF(bad) + 2);

	memset(key, 'k', sizeof(key));
	memset(value, 'v', sizeof(value));
	key[sizeof(key) - 1] = value[sizeof(value) - 1] = '\0';
	assert_int_equal(pyro_labels_with(a, key, "x"), a);
	assert_int_equal(pyro_labels_with(a, "b", value), a);
	assert_int_equal(refused(PYRO_LABELS_BAD), 2);
	assert_true(pyro_labels_with(a, key + 1, value + 1) != a);
	assert_true(pyro_labels_with(a, "_A9", "\xff any bytes") != a);
	assert_int_equal(refused(PYRO_LABELS_BAD), 0);
	/* Not a set that anybody was given. */
	assert_int_equal(pyro_labels_of(UINT32_MAX, NULL), 0);
}

static void test_too_many_in_a_set(void **state)
{
	uint32_t set = 0;
	char key[16];

	(void)state;
	for (int i = 0; i < PYRO_LABELS_MAX; i++) {
		/* Each goes before those that are there. */
		snprintf(key, sizeof(key), "k%02d", 99 - i);
		set = pyro_labels_with(set, key, "v");
	}
	assert_int_equal(strlen(text_of(set)),
			 PYRO_LABELS_MAX * strlen("k00=v,"));
	assert_int_equal(strncmp(text_of(set), "k84=v,k85=v,", 12), 0);
	assert_int_equal(pyro_labels_with(set, "one_more", "v"), set);
	assert_int_equal(refused(PYRO_LABELS_MANY), 1);
	assert_true(pyro_labels_with(set, "k99", "w") != set);
	assert_int_equal(refused(PYRO_LABELS_MANY), 0);
}

/* Of what there is already, as many are shown as are left, and none added. */
static void test_fewer_in_a_set(void **state)
{
	uint32_t set = 0, one;
	char key[16];

	(void)state;
	for (int i = 0; i < PYRO_LABELS_MAX; i++) {
		snprintf(key, sizeof(key), "f%02d", i);
		set = pyro_labels_with(set, key, "v");
	}
	one = pyro_labels_with(0, "f", "v");
	pyro_labels_leave(PYRO_SERIES_LABELS_MAX - 2);
	assert_int_equal(pyro_labels_max(), 2);
	assert_string_equal(text_of(set), "f14=v,f15=v,");
	assert_int_equal(pyro_labels_with(set, "g", "v"), set);
	assert_int_equal(refused(PYRO_LABELS_MANY), 1);
	assert_string_equal(text_of(pyro_labels_with(one, "g", "v")),
			    "f=v,g=v,");
	pyro_labels_leave(0);
	assert_int_equal(pyro_labels_max(), PYRO_LABELS_MAX);
}

#define THREADS 8
#define VALUES 500

static void *make_all(void *arg)
{
	uint32_t *set = arg;
	char value[16];

	for (int i = 0; i < VALUES; i++) {
		snprintf(value, sizeof(value), "%d", i);
		set[i] = pyro_labels_with(pyro_labels_with(0, "n", value), "m",
					  "1");
		pyro_labels = set[i];
	}
	return (void *)(uintptr_t)(pyro_labels == set[VALUES - 1]);
}

static void test_threads(void **state)
{
	static uint32_t set[THREADS][VALUES];
	pthread_t thread[THREADS];
	char want[32];
	void *own;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, make_all, set[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], &own);
		assert_non_null(own);
	}
	assert_int_equal(pyro_labels, 0);
	for (int i = 0; i < VALUES; i++) {
		snprintf(want, sizeof(want), "m=1,n=%d,", i);
		assert_string_equal(text_of(set[0][i]), want);
		for (int j = 1; j < THREADS; j++)
			assert_int_equal(set[j][i], set[0][i]);
	}
}

/* The last, for it leaves no place. */
static void test_full(void **state)
{
	uint32_t a = pyro_labels_with(0, "first", "1"), set = 0;
	char value[16];
	int made = 0;

	(void)state;
	for (int i = 0; i < 2 * PYRO_LABEL_SETS_MAX; i++) {
		snprintf(value, sizeof(value), "%d", i);
		set = pyro_labels_with(a, "user", value);
		made += set != a;
	}
	assert_true(made > PYRO_LABEL_SETS_MAX / 2);
	assert_true(made < PYRO_LABEL_SETS_MAX);
	assert_int_equal(refused(PYRO_LABELS_FULL),
			 2 * PYRO_LABEL_SETS_MAX - made);
	/* What is there is found. */
	assert_int_equal(pyro_labels_with(0, "first", "1"), a);
	assert_string_equal(text_of(pyro_labels_with(a, "user", "9")),
			    "first=1,user=9,");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_set),
		cmocka_unit_test(test_same_places),
		cmocka_unit_test(test_not_valid),
		cmocka_unit_test(test_too_many_in_a_set),
		cmocka_unit_test(test_fewer_in_a_set),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
