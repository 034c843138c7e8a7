// SPDX-License-Identifier: Apache-2.0
/* test_proxy.c - which proxy the environment names for which server */
#include "transport/proxy.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"

static char log_path[] = "/tmp/test_proxy.XXXXXX";
static struct pyro_proxy proxy;

static int set_up(void **state)
{
	static const char *const names[] = {
		"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
		"all_proxy",  "ALL_PROXY",  "no_proxy",    "NO_PROXY"};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(names); i++)
		unsetenv(names[i]);
	return truncate(log_path, 0);
}

/* The host of the proxy for a server, "" for none. */
static const char *find(const char *server)
{
	struct pyro_url url;
	const char *why;

	memset(&proxy, 0x5a, sizeof(proxy));
	assert_int_equal(pyro_url_parse(server, &url, &why), 0);
	pyro_proxy_find(&url, &proxy);
	return *proxy.scheme ? proxy.at.host : "";
}

static size_t read_log(char *to, size_t cap)
{
	FILE *f = fopen(log_path, "r");

	assert_non_null(f);
	size_t len = fread(to, 1, cap - 1, f);

	fclose(f);
	to[len] = '\0';
	return len;
}

static void test_variables(void **state)
{
	(void)state;
	assert_string_equal(find("http://server"), "");
	setenv("HTTP_PROXY", "http://client-decides:1", 1);
	assert_string_equal(find("http://server"), "");
	setenv("ALL_PROXY", "http://any:1", 1);
	assert_string_equal(find("http://server"), "any");
	assert_string_equal(find("https://server"), "any");
	setenv("all_proxy", "http://any2:1", 1);
	assert_string_equal(find("http://server"), "any2");
	setenv("HTTPS_PROXY", "http://tls:1", 1);
	assert_string_equal(find("http://server"), "any2");
	assert_string_equal(find("https://server"), "tls");
	setenv("https_proxy", "", 1); /* empty is unset */
	assert_string_equal(find("https://server"), "tls");
	setenv("https_proxy", "http://tls2:1", 1);
	setenv("http_proxy", "http://plain:1", 1);
	assert_string_equal(find("https://server"), "tls2");
	assert_string_equal(find("http://server"), "plain");
	assert_int_equal(read_log((char[16]){0}, 16), 0);
}

static void test_this_host(void **state)
{
	static const char *const here[] = {
		"unix:///a.sock",   "http://localhost:1", "http://LOCALHOST",
		"http://127.0.0.1", "http://127.1.2.3:9", "http://[::1]:4040",
	};
	static const char *const there[] = {
		"http://localhost.example",
		"http://128.0.0.1",
		"http://[::2]",
		"http://0.0.0.0",
	};

	(void)state;
	setenv("all_proxy", "p:1", 1);
	for (size_t i = 0; i < PYRO_COUNT_OF(here); i++)
		assert_string_equal(find(here[i]), "");
	for (size_t i = 0; i < PYRO_COUNT_OF(there); i++)
		assert_string_equal(find(there[i]), "p");
}

static void test_exceptions(void **state)
{
	static const struct {
		const char *list, *server;
		bool direct;
	} cases[] = {
		{"*", "http://a", true},
		{"a.example", "http://a.example", true},
		{"A.Example", "http://b.a.EXAMPLE", true},
		{".a.example", "http://a.example", true},
		{".a.example", "http://b.a.example", true},
		{"a.example", "http://ba.example", false},
		{"b.a.example", "http://a.example", false},
		{"x, a.example\ty", "http://a.example", true},
		{"x,,,  a.example", "http://a.example", true},
		{"x y", "http://y", true},
		{"", "http://a", false},
		{",", "http://a", false},
		{".", "http://a", false},
		{"10.1.2.3", "http://10.1.2.3", true},
		{"2.3", "http://10.1.2.3", false},
		{"10.1.2.4", "http://10.1.2.3", false},
		{"10.0.0.0/8", "http://10.1.2.3", true},
		{"10.1.2.2/31", "http://10.1.2.3", true},
		{"10.1.2.4/31", "http://10.1.2.3", false},
		{"11.0.0.0/8", "http://10.1.2.3", false},
		{"0.0.0.0/0", "http://10.1.2.3", true},
		{"10.1.2.3/32", "http://10.1.2.3", true},
		{"10.1.2.3/33", "http://10.1.2.3", false},
		{"10.1.2.3/", "http://10.1.2.3", false},
		{"10.1.2.3/x", "http://10.1.2.3", false},
		{"fd00::/8", "http://[fd12::1]", true},
		{"fe80::/10", "http://[fd12::1]", false},
		{"fd12::0001", "http://[fd12::1]", true},
		{"10.0.0.0/8", "http://[fd12::1]", false},
		{"10.0.0.0/8", "http://ten.example", false},
	};

	(void)state;
	setenv("all_proxy", "p:1", 1);
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		setenv("no_proxy", cases[i].list, 1);
		if (!*find(cases[i].server) != cases[i].direct)
			fail_msg("no_proxy=%s, %s", cases[i].list,
				 cases[i].server);
	}
	unsetenv("no_proxy");
	setenv("NO_PROXY", "server", 1);
	assert_string_equal(find("http://server"), "");
}

static void test_forms(void **state)
{
	(void)state;
	setenv("all_proxy", "host", 1);
	find("http://s");
	assert_string_equal(proxy.scheme, "http");
	assert_int_equal(proxy.at.port, 1080);
	setenv("all_proxy", "HTTPS://u%40:p%3a@host/", 1);
	find("http://s");
	assert_string_equal(proxy.scheme, "https");
	assert_int_equal(proxy.at.port, 443);
	assert_true(proxy.at.has_user);
	assert_string_equal(proxy.at.user, "u@");
	assert_string_equal(proxy.at.password, "p:");
	setenv("all_proxy", "socks5h://[::1]:9", 1);
	find("http://s");
	assert_string_equal(proxy.scheme, "socks5h");
	assert_string_equal(proxy.at.host, "::1");
	assert_int_equal(proxy.at.port, 9);
	setenv("all_proxy", "http://host:80", 1);
	find("http://s");
	assert_int_equal(proxy.at.port, 80);
}

/* One line, without what may be secret in it. */
static void test_bad(void **state)
{
	static const char *const bad[] = {
		"ftp://me:secret@host:1",      "http://me:secret@ho st:1",
		"http://me:secret@host:0",     "me:secret@:1",
		"socks6://me:secret@host:1",   "http://me:sec%ret@host:1",
		"http://me:secret\r\n@host:1",
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(bad); i++) {
		assert_int_equal(truncate(log_path, 0), 0);
		setenv("all_proxy", bad[i], 1);
		assert_string_equal(find("http://server"), "");

		size_t len = read_log(text, sizeof(text));

		assert_true(len > 0);
		assert_ptr_equal(strchr(text, '\n'), text + len - 1);
		assert_non_null(strstr(text, "all_proxy is not used"));
		assert_null(strstr(text, "sec"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_variables, set_up),
		cmocka_unit_test_setup(test_this_host, set_up),
		cmocka_unit_test_setup(test_exceptions, set_up),
		cmocka_unit_test_setup(test_forms, set_up),
		cmocka_unit_test_setup(test_bad, set_up),
	};
	int fd = mkstemp(log_path);

	if (fd < 0)
		return 1;
	close(fd);
	pyro_log_to(log_path);

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(log_path);
	return failed;
}
