// SPDX-License-Identifier: Apache-2.0
/* test_url.c - which server addresses are accepted, and what is read in them */
#include "transport/url.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void test_refused(void **state)
{
	static const char *const refused[] = {
		"null",
		"0",
		"-1",
		"http://",
		"https://",
		"://",
		"4040",
		"localhost",
		"127.0.0.1",
		"localhost:4040",
		"//localhost:4040",
		"ftp://server:4040",
		"ws://server:4040",
		"://no-protocol.com",
		"http:/server",
		"http//server",
		"http://127.0.0.1:99999",
		"http://127.0.0.1:65536",
		"http://127.0.0.1:0",
		"http://127.0.0.1:00000",
		"http://127.0.0.1:",
		"http://127.0.0.1:/path",
		"http://127.0.0.1:4040x",
		"http://127.0.0.1:-1",
		"http://127.0.0.1:+80",
		"http://127.0.0.1:0x50",
		"http://127.0.0.1:040400",
		"http://127.0.0.1:40:40",
		"http://:4040",
		"http:///path",
		"http://?query",
		"http://@host",
		"http://user:pass@",
		"http://user:pass@:1",
		"http://us%er@host",
		"http://user%4@host",
		"http://user%@host",
		"http://user%00@host",
		"http://user:pa%0d%0ass@host",
		"http://user%7f@host",
		"http://user:pass@@",
		"http://user:pa/ss@host",
		"http://user:pa?ss@host",
		"http://a..b",
		"http://.a",
		"http://a.",
		"http://.",
		"http://ho st",
		"http://host/a b",
		"http://host/\tb",
		"http://host/?a b",
		"http://host\n.evil",
		"http://host/\r\nX-Header: 1",
		"http://host/\x7f",
		"http://host/\xc3\xa4",
		"http://h\xc3\xa4st",
		"unix://",
		"unix://run/x.sock",
		"unix:/run/x.sock",
		"unix:///run/x y",
		"http://host%41",
		"http://ho*st",
		"http://host,other",
		"http://host\\path",
		"http://256.1.1.1",
		"http://1.2.3",
		"http://1.2.3.4.5",
		"http://0",
		"http://0x7f.1",
		"http://127.0.0.01",
		"http://a.1",
		"http://[::1",
		"http://::1",
		"http://::1:4040",
		"http://[]",
		"http://[",
		"http://]",
		"http://[::1]4040",
		"http://[::1]:",
		"http://[::1]:0",
		"http://[127.0.0.1]",
		"http://[localhost]",
		"http://[fe80::1%25eth0]",
		"http://[:::1]",
		"http://[12345::]",
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(refused); i++) {
		struct pyro_url url;
		const char *why = NULL;

		if (pyro_url_parse(refused[i], &url, &why) != -EINVAL)
			fail_msg("accepted: %s", refused[i]);
		assert_non_null(why);
		assert_true(*why);
	}
}

struct accepted {
	const char *text;
	bool https, ipv6, dropped;
	const char *host;
	uint16_t port;
	const char *path;
};

static void check(const struct accepted *want)
{
	struct pyro_url url;
	const char *why = "";

	if (pyro_url_parse(want->text, &url, &why) != 0)
		fail_msg("refused: %s: %s", want->text, why);
	assert_null(why);
	assert_int_equal(url.https, want->https);
	assert_int_equal(url.ipv6, want->ipv6);
	assert_int_equal(url.dropped, want->dropped);
	assert_string_equal(url.host, want->host);
	assert_int_equal(url.port, want->port);
	assert_string_equal(url.path, want->path);
}

static void test_accepted(void **state)
{
	// clang-format off
	static const struct accepted accepted[] = {
		{NULL, 0, 0, 0, "127.0.0.1", 4040, ""},
		{"", 0, 0, 0, "127.0.0.1", 4040, ""},
		{" ", 0, 0, 0, "127.0.0.1", 4040, ""},
		{"\n", 0, 0, 0, "127.0.0.1", 4040, ""},
		{" \t\r\n\v\f", 0, 0, 0, "127.0.0.1", 4040, ""},
		{"http://[::1]:4040", 0, 1, 0, "::1", 4040, ""},
		{"http://[::1]", 0, 1, 0, "::1", 80, ""},
		{"https://[::ffff:1.2.3.4]/x", 1, 1, 0, "::ffff:1.2.3.4", 443, "/x"},
		{"http://h", 0, 0, 0, "h", 80, ""},
		{"https://h", 1, 0, 0, "h", 443, ""},
		{"HTTP://h", 0, 0, 0, "h", 80, ""},
		{"HttpS://h:1", 1, 0, 0, "h", 1, ""},
		{"  http://h:65535\n", 0, 0, 0, "h", 65535, ""},
		{"http://h:080", 0, 0, 0, "h", 80, ""},
		{"http://h/", 0, 0, 0, "h", 80, ""},
		{"http://h//", 0, 0, 0, "h", 80, ""},
		{"http://h:4040/a/b/", 0, 0, 0, "h", 4040, "/a/b"},
		{"http://h/a//b", 0, 0, 0, "h", 80, "/a//b"},
		{"http://h/a@b:c%20", 0, 0, 0, "h", 80, "/a@b:c%20"},
		{"http://h/p?x=1", 0, 0, 1, "h", 80, "/p"},
		{"http://h/p/?x=1#y", 0, 0, 1, "h", 80, "/p"},
		{"http://h/p#y?z", 0, 0, 1, "h", 80, "/p"},
		{"http://h:4040?x=/y/", 0, 0, 1, "h", 4040, ""},
		{"http://h#", 0, 0, 1, "h", 80, ""},
		{"http://h?a@b", 0, 0, 1, "h", 80, ""},
		{"http://my_host-1.svc.cluster.local:4040", 0, 0, 0,
		 "my_host-1.svc.cluster.local", 4040, ""},
		{"http://1.2.3.4.nip.io", 0, 0, 0, "1.2.3.4.nip.io", 80, ""},
		{"http://0.0.0.0:1", 0, 0, 0, "0.0.0.0", 1, ""},
		{"http://3com", 0, 0, 0, "3com", 80, ""},
	};
	// clang-format on

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(accepted); i++)
		check(&accepted[i]);
}

static void test_user(void **state)
{
	static const char *const cases[][4] = {
		{"http://me:pass@h:1", "me", "pass", "h"},
		{"http://me@h", "me", "", "h"},
		{"http://me:@h", "me", "", "h"},
		{"http://:pass@h", "", "pass", "h"},
		{"https://123456:glc_eyJvIjoiNjUy==@h/base", "123456",
		 "glc_eyJvIjoiNjUy==", "h"},
		{"http://a%40b:c%3ad%2Fe%25@[::1]:2", "a@b", "c:d/e%", "::1"},
		{"http://a@b:c@d@h", "a@b", "c@d", "h"},
		{"http://m%c3%a4:p@h", "m\xc3\xa4", "p", "h"},
	};
	struct pyro_url url;
	const char *why;

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		if (pyro_url_parse(cases[i][0], &url, &why) != 0)
			fail_msg("refused: %s: %s", cases[i][0], why);
		assert_true(url.has_user);
		assert_string_equal(url.user, cases[i][1]);
		assert_string_equal(url.password, cases[i][2]);
		assert_string_equal(url.host, cases[i][3]);
	}
	assert_int_equal(pyro_url_parse("http://h/a@b", &url, &why), 0);
	assert_false(url.has_user);
	assert_string_equal(url.password, "");
}

static void test_socket(void **state)
{
	char text[256] = "unix:///";
	struct pyro_url url;
	const char *why;

	(void)state;
	assert_int_equal(
		pyro_url_parse(" UNIX:///run/a@b?c.sock\n", &url, &why), 0);
	assert_string_equal(url.socket, "/run/a@b?c.sock");
	assert_string_equal(url.host, "localhost");
	assert_string_equal(url.path, "");
	assert_false(url.https || url.has_user || url.dropped);
	memset(text + 8, 's', PYRO_URL_SOCKET_MAX - 1);
	assert_int_equal(pyro_url_parse(text, &url, &why), 0);
	assert_int_equal(strlen(url.socket), PYRO_URL_SOCKET_MAX);
	strcat(text, "s");
	assert_int_equal(pyro_url_parse(text, &url, &why), -EINVAL);
	assert_int_equal(pyro_url_parse("http://a", &url, &why), 0);
	assert_string_equal(url.socket, "");
}

static void test_redact(void **state)
{
	static const char *const cases[][2] = {
		{"http://h:1/p", "http://h:1/p"},
		{"http://me:pass@h:1/p", "http://***@h:1/p"},
		{"http://a@b:c@h", "http://***@h"},
		{"me:pass@h", "***@h"},
		{"ftp://me:pa://ss@h", "ftp://***@h"},
		{"http://me:pa/ss@ho st", "http://***@ho st"},
		{"bad", "bad"},
		{"", ""},
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		pyro_url_redact(cases[i][0], out, sizeof(out));
		assert_string_equal(out, cases[i][1]);
	}
	pyro_url_redact("http://me:pass@host", out, 9);
	assert_string_equal(out, "http://*");
}

/* "http://" and a host of len characters in labels of at most label. */
static void make_host(char *text, size_t len, size_t label)
{
	char *at = text + sprintf(text, "http://");

	for (size_t i = 0; i < len; i++)
		*at++ = i % (label + 1) == label ? '.' : 'a';
	*at = '\0';
}

static void test_lengths(void **state)
{
	char text[4096];
	struct pyro_url url;
	const char *why;

	(void)state;
	make_host(text, 253, 50);
	assert_int_equal(pyro_url_parse(text, &url, &why), 0);
	assert_int_equal(strlen(url.host), 253);
	make_host(text, 254, 50);
	assert_int_equal(pyro_url_parse(text, &url, &why), -EINVAL);
	make_host(text, 300, 300);
	assert_int_equal(pyro_url_parse(text, &url, &why), -EINVAL);
	make_host(text, 63, 63);
	assert_int_equal(pyro_url_parse(text, &url, &why), 0);
	make_host(text, 64, 64);
	assert_int_equal(pyro_url_parse(text, &url, &why), -EINVAL);

	strcpy(text, "http://h/");
	memset(text + 9, 'p', 1023);
	text[9 + 1023] = '\0';
	assert_int_equal(pyro_url_parse(text, &url, &why), 0);
	assert_int_equal(strlen(url.path), PYRO_URL_PATH_MAX);
	strcat(text, "/");
	assert_int_equal(pyro_url_parse(text, &url, &why), 0);
	strcat(text, "p");
	assert_int_equal(pyro_url_parse(text, &url, &why), -EINVAL);

	strcpy(text, "http://:");
	memset(text + 8, 'p', PYRO_URL_PASSWORD_MAX);
	strcpy(text + 8 + PYRO_URL_PASSWORD_MAX, "@h");
	assert_int_equal(pyro_url_parse(text, &url, &why), 0);
	assert_int_equal(strlen(url.password), PYRO_URL_PASSWORD_MAX);
	strcpy(text + 8 + PYRO_URL_PASSWORD_MAX, "p@h");
	assert_int_equal(pyro_url_parse(text, &url, &why), -EINVAL);
	strcpy(text, "http://");
	memset(text + 7, 'u', PYRO_URL_USER_MAX + 1);
	strcpy(text + 7 + PYRO_URL_USER_MAX + 1, "@h");
	assert_int_equal(pyro_url_parse(text, &url, &why), -EINVAL);
}

/* Nothing of an earlier address is left. */
static void test_overwrites(void **state)
{
	struct pyro_url url;
	const char *why;

	(void)state;
	memset(&url, 0xff, sizeof(url));
	assert_int_equal(pyro_url_parse("http://a", &url, &why), 0);
	assert_false(url.https || url.ipv6 || url.dropped || url.has_user ||
		     url.has_port);
	assert_string_equal(url.password, "");
	assert_string_equal(url.host, "a");
	assert_string_equal(url.path, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_user),
		cmocka_unit_test(test_redact),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_overwrites),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
