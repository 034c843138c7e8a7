// SPDX-License-Identifier: Apache-2.0
/* test_headers.c - what becomes a header, and what must never become two */
#include "transport/headers.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "transport/url.h"

static struct pyro_headers h;

static int set_up(void **state)
{
	(void)state;
	memset(&h, 0, sizeof(h));
	return 0;
}

static void is(const char *want)
{
	assert_string_equal(h.text, want);
	assert_int_equal(h.len, strlen(want));
}

static void test_add(void **state)
{
	(void)state;
	assert_null(pyro_headers_add(&h, "X-One", "1"));
	assert_null(pyro_headers_add(&h, "x-two.~", " a\tb\xc3\xa4 "));
	is("X-One: 1\r\nx-two.~:  a\tb\xc3\xa4 \r\n");
	assert_null(pyro_headers_add(&h, "X-On", "3"));
}

static void test_refused(void **state)
{
	static const char *const bad[][2] = {
		{"", "v"},
		{"a b", "v"},
		{"a:", "v"},
		{"a\r\nb", "v"},
		{"a\xc3\xa4", "v"},
		{"a", "v\r\nHost: other"},
		{"a", "v\n"},
		{"a", "\rv"},
		{"a", "v\x01"},
		{"a", "v\x7f"},
		{"a", ""},
		{"a", " \t"},
		{"HOST", "v"},
		{"content-length", "0"},
		{"Transfer-Encoding", "chunked"},
		{"Connection", "keep-alive"},
		{"x-known", "again"},
	};

	(void)state;
	assert_null(pyro_headers_add(&h, "X-Known", "secret"));
	for (size_t i = 0; i < PYRO_COUNT_OF(bad); i++) {
		const char *why = pyro_headers_add(&h, bad[i][0], bad[i][1]);

		if (!why)
			fail_msg("accepted: %s: %s", bad[i][0], bad[i][1]);
	}
	is("X-Known: secret\r\n");
}

static void test_too_many(void **state)
{
	static char value[2 * PYRO_HEADERS_MAX];
	char name[16];
	int count = 0;

	(void)state;
	memset(value, 'v', sizeof(value) - 1);
	assert_non_null(pyro_headers_add(&h, "X", value));
	assert_non_null(pyro_headers_add(&h, value, "v"));
	value[1000] = '\0';
	do
		sprintf(name, "X-%d", count);
	while (!pyro_headers_add(&h, name, value) && ++count < 100);
	assert_int_equal(count, 8);
	/* To the last byte, and not one more. */
	value[PYRO_HEADERS_MAX - h.len - 6] = '\0';
	assert_non_null(pyro_headers_add(&h, "XY", value));
	assert_null(pyro_headers_add(&h, "X", value));
	assert_int_equal(strlen(h.text), PYRO_HEADERS_MAX - 1);
	assert_non_null(pyro_headers_add(&h, "Z", "z"));
}

/* Against base64(1), and RFC 7617's own example. */
static void test_basic(void **state)
{
	static const char *const pairs[][3] = {
		{"Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
		{"", "", "Og=="},
		{"a", "", "YTo="},
		{"", "bc", "OmJj"},
		{"test", "123\xc2\xa3", "dGVzdDoxMjPCow=="},
		{"\xff\xff\xff", ":?>", "////Ojo/Pg=="},
		{"u", "with\r\nline ends", "dTp3aXRoDQpsaW5lIGVuZHM="},
	};
	static char large[PYRO_URL_PASSWORD_MAX + 2];

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(pairs); i++) {
		char want[128];

		set_up(NULL);
		assert_null(pyro_headers_basic(&h, pairs[i][0], pairs[i][1]));
		sprintf(want, "Authorization: Basic %s\r\n", pairs[i][2]);
		is(want);
	}
	assert_non_null(pyro_headers_basic(&h, "b", "c"));
	assert_non_null(pyro_headers_bearer(&h, "t"));
	set_up(NULL);
	assert_non_null(pyro_headers_basic(&h, "a:b", "c"));
	memset(large, 'x', sizeof(large) - 1);
	assert_non_null(pyro_headers_basic(&h, "", large));
	assert_non_null(pyro_headers_basic(&h, large, ""));
	is("");
	large[PYRO_URL_PASSWORD_MAX] = '\0';
	assert_null(pyro_headers_basic(
		&h, large + PYRO_URL_PASSWORD_MAX - PYRO_URL_USER_MAX, large));
}

static void test_bearer(void **state)
{
	static char large[8192];

	(void)state;
	memset(large, 't', sizeof(large) - 1);
	assert_non_null(pyro_headers_bearer(&h, ""));
	assert_non_null(pyro_headers_bearer(&h, "a\r\nb"));
	assert_non_null(pyro_headers_bearer(&h, large));
	is("");
	assert_null(pyro_headers_bearer(&h, "abc.def-123=="));
	is("Authorization: Bearer abc.def-123==\r\n");
}

static void test_tenant(void **state)
{
	char name[152];

	(void)state;
	memset(name, 'n', 151);
	name[151] = '\0';
	assert_non_null(pyro_headers_tenant(&h, name));
	assert_non_null(pyro_headers_tenant(&h, ""));
	assert_non_null(pyro_headers_tenant(&h, "."));
	assert_non_null(pyro_headers_tenant(&h, ".."));
	assert_non_null(pyro_headers_tenant(&h, "a|b"));
	assert_non_null(pyro_headers_tenant(&h, "a/b"));
	assert_non_null(pyro_headers_tenant(&h, "a b"));
	is("");
	assert_null(pyro_headers_tenant(&h, name + 1));
	set_up(NULL);
	assert_null(pyro_headers_tenant(&h, "Team-1_!.*'()"));
	is("X-Scope-OrgID: Team-1_!.*'()\r\n");
}

static void test_json(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"{",
		"[]",
		"{} x",
		"{\"a\"",
		"{\"a\":",
		"{\"a\":1}",
		"{\"a\":null}",
		"{\"a\":\"b\"",
		"{\"a\":\"b\",",
		"{\"a\":\"b\",}",
		"{\"a\":\"b\"}x",
		"{\"a\":\"b\" \"c\":\"d\"}",
		"{a:\"b\"}",
		"{\"a\":\"b",
		"{\"a\":\"b\\",
		"{\"a\":\"b\\\"}",
		"{\"a\":\"b\\q\"}",
		"{\"a\":\"b\\n\"}",
		"{\"a\":\"b\\r\\nHost: x\"}",
		"{\"a\":\"b\\u000d\"}",
		"{\"a\":\"b\\u0000\"}",
		"{\"a\":\"b\\u00e4\"}",
		"{\"a\":\"b\\u0\"}",
		"{\"a\":\"b\\u",
		"{\"\":\"b\"}",
		"{\"a:\":\"b\"}",
		"{\"a\":\"b\nc\"}",
	};
	char text[8192];

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(bad); i++) {
		set_up(NULL);
		if (!pyro_headers_json(&h, bad[i]))
			fail_msg("accepted: %s", bad[i]);
	}
	/* Longer than anything that is kept of it. */
	memset(text, 'a', sizeof(text));
	memcpy(text, "{\"", 2);
	strcpy(text + sizeof(text) - 8, "\":\"b\"}");
	assert_non_null(pyro_headers_json(&h, text));
	memcpy(text, "{\"a\":\"", 6);
	strcpy(text + sizeof(text) - 8, "\"}");
	assert_non_null(pyro_headers_json(&h, text));

	set_up(NULL);
	assert_null(pyro_headers_json(&h, " { } "));
	is("");
	assert_null(pyro_headers_json(
		&h, " {\"X-A\" : \"1\",\n\"X-B\":\"\\\"\\\\\\/\\t\\u0041\"} "));
	is("X-A: 1\r\nX-B: \"\\/\tA\r\n");
}

/* Those behind one that is refused, too. */
static void test_json_parts(void **state)
{
	const char *why;

	(void)state;
	why = pyro_headers_json(&h, "{\"A\":\"1\",\"a\":\"2\",\"B\":\"3\"}");
	assert_ptr_equal(why, pyro_headers_twice);
	is("A: 1\r\nB: 3\r\n");
	set_up(NULL);
	why = pyro_headers_json(&h, "{\"A\":\"1\",\"a\":\"2\",\"Host\":\"x\","
				    "\"x y\":\"z\",\"B\":\"3\"}");
	assert_non_null(strstr(why, "writes itself"));
	is("A: 1\r\nB: 3\r\n");
	set_up(NULL);
	why = pyro_headers_json(&h, "{\"Host\":\"x\",\"B\":\"3\",4}");
	assert_non_null(strstr(why, "it is not like"));
	is("B: 3\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_add, set_up),
		cmocka_unit_test_setup(test_refused, set_up),
		cmocka_unit_test_setup(test_too_many, set_up),
		cmocka_unit_test_setup(test_basic, set_up),
		cmocka_unit_test_setup(test_bearer, set_up),
		cmocka_unit_test_setup(test_tenant, set_up),
		cmocka_unit_test_setup(test_json, set_up),
		cmocka_unit_test_setup(test_json_parts, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
