// SPDX-License-Identifier: Apache-2.0
/* test_buf.c - bytes that grow, and a failure that sticks */
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

static void test_grows(void **state)
{
	struct pyro_buf buf = {0};

	(void)state;
	assert_int_equal(buf.len, 0);
	for (int i = 0; i < 30000; i++) {
		unsigned char byte = (unsigned char)(i * 7);

		pyro_buf_put(&buf, &byte, 1);
	}
	assert_false(buf.failed);
	assert_int_equal(buf.len, 30000);
	for (int i = 0; i < 30000; i++)
		assert_int_equal(buf.data[i], (unsigned char)(i * 7));
	pyro_buf_free(&buf);
	assert_null(buf.data);
	assert_int_equal(buf.len, 0);
	pyro_buf_puts(&buf, "again");
	assert_memory_equal(buf.data, "again", 5);
	pyro_buf_free(&buf);
	pyro_buf_free(&buf);
}

static void test_nothing(void **state)
{
	struct pyro_buf buf = {0};

	(void)state;
	pyro_buf_put(&buf, NULL, 0);
	pyro_buf_puts(&buf, "");
	pyro_buf_printf(&buf, "%s", "");
	assert_false(buf.failed);
	assert_int_equal(buf.len, 0);
	pyro_buf_free(&buf);
}

/* Every length around a page's end: printf's NUL must not be counted, nor be
 * written outside. */
static void test_printf(void **state)
{
	(void)state;
	for (int len = 4000; len < 4200; len++) {
		struct pyro_buf buf = {0};
		char want[5000];

		snprintf(want, sizeof(want), "%*d", len, 42);
		pyro_buf_printf(&buf, "%*d", len, 42);
		pyro_buf_puts(&buf, "|");
		assert_false(buf.failed);
		assert_int_equal(buf.len, len + 1);
		assert_memory_equal(buf.data, want, (size_t)len);
		assert_int_equal(buf.data[len], '|');
		pyro_buf_free(&buf);
	}
}

static void test_reserve(void **state)
{
	struct pyro_buf buf = {0};

	(void)state;
	pyro_buf_puts(&buf, "head");

	unsigned char *to = pyro_buf_reserve(&buf, 100000);

	assert_ptr_equal(to, buf.data + 4);
	memset(to, 'x', 100000);
	assert_int_equal(buf.len, 4); /* the caller adds */
	buf.len += 100000;
	assert_memory_equal(buf.data, "headxx", 6);
	pyro_buf_free(&buf);
}

static void test_failure_sticks(void **state)
{
	struct pyro_buf buf = {0};

	(void)state;
	pyro_buf_puts(&buf, "abc");
	assert_null(pyro_buf_reserve(&buf, SIZE_MAX - 1));
	assert_true(buf.failed);
	pyro_buf_puts(&buf, "def");
	pyro_buf_printf(&buf, "%d", 5);
	assert_null(pyro_buf_reserve(&buf, 1));
	assert_int_equal(buf.len, 3);
	pyro_buf_free(&buf);
	assert_false(buf.failed);
	pyro_buf_puts(&buf, "ok");
	assert_int_equal(buf.len, 2);
	pyro_buf_free(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_printf),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_failure_sticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
