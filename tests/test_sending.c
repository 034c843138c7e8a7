// SPDX-License-Identifier: Apache-2.0
/* test_sending.c - the settings of authentication, headers and formats: which
 * wins, what is said of a bad one, and that no secret is ever said
 *
 * Includes the sources: api/ is not in the library that unit tests link. */
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/config.c"
#include "api/identity.c"
#include "api/sending.c"

#define SECRET "s3cret"
#define BASIC(pair) "Authorization: Basic " pair "\r\n"

static char log_path[] = "/tmp/test_sending.XXXXXX";
static char file_path[] = "/tmp/test_sending.XXXXXX";
static struct pyro_config config;
static struct pyroscope_config code;

static int set_up(void **state)
{
	static const struct pyroscope_config init = PYROSCOPE_CONFIG_INIT;

	(void)state;
	clearenv();
	code = init;
	return truncate(log_path, 0);
}

/* Load, and want so many lines, none of which holds a secret, and in the last
 * one this. */
static void load(int err, int lines, const char *what)
{
	char text[8192];
	FILE *f = fopen(log_path, "r");
	int count = 0;

	memset(&config, 0x5a, sizeof(config));
	assert_int_equal(pyro_config_load(&config, &code, false), err);
	assert_non_null(f);

	size_t len = fread(text, 1, sizeof(text) - 1, f);

	fclose(f);
	text[len] = '\0';
	for (size_t i = 0; i < len; i++)
		count += text[i] == '\n';
	if (count != lines || (what && !strstr(text, what)) ||
	    strstr(text, SECRET))
		fail_msg("%d lines, not %d with %s: %s", count, lines, what,
			 text);
	assert_int_equal(truncate(log_path, 0), 0);
}

static void headers_are(const char *want)
{
	assert_string_equal(config.headers.text, want);
}

static void write_file(const char *data, size_t len)
{
	FILE *f = fopen(file_path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void test_defaults(void **state)
{
	(void)state;
	load(0, 0, NULL);
	headers_are("");
	assert_int_equal(config.format, PYRO_FORMAT_PUSH);
	assert_int_equal(config.send_timeout_ms, 10000);
	assert_int_equal(config.queue_max, 1024);
	assert_int_equal(config.tries_max, 10);
	setenv("PYROSCOPE_PROFILE_EXPORT_TIMEOUT", "3s", 1);
	setenv("PYROSCOPE_PUSH_QUEUE_CAPACITY", "8", 1);
	setenv("PYROSCOPE_INGEST_MAX_TRIES", "7", 1);
	load(0, 0, NULL);
	assert_int_equal(config.send_timeout_ms, 3000);
	assert_int_equal(config.queue_max, 8);
	assert_int_equal(config.tries_max, 7);
}

static void test_basic(void **state)
{
	(void)state;
	setenv("PYROSCOPE_BASIC_AUTH_USER", "env", 1);
	load(0, 0, NULL);
	headers_are(BASIC("ZW52Og=="));
	setenv("PYROSCOPE_BASIC_AUTH_PASSWORD", SECRET, 1);
	load(0, 0, NULL);
	headers_are(BASIC("ZW52OnMzY3JldA=="));
	code.basic_auth_user = "code";
	load(0, 0, NULL);
	headers_are(BASIC("Y29kZTpzM2NyZXQ="));
	code.basic_auth_password = "x";
	load(0, 0, NULL);
	headers_are(BASIC("Y29kZTp4"));
	/* Basic authentication goes before a token. */
	setenv("PYROSCOPE_AUTH_TOKEN", SECRET, 1);
	load(0, 1, "auth_token is not used: there is a header of that name");
	headers_are(BASIC("Y29kZTp4"));
}

static void test_no_user(void **state)
{
	(void)state;
	setenv("PYROSCOPE_BASIC_AUTH_PASSWORD", SECRET, 1);
	load(0, 1, "basic_auth_password is not used: there is no basic_auth_");
	code.basic_auth_password = SECRET;
	load(-EINVAL, 1, "not started: basic_auth_password: there is no");
	code.basic_auth_user = "a:b";
	load(-EINVAL, 1, "not started: basic_auth_user: a colon");
	set_up(NULL);
	setenv("PYROSCOPE_BASIC_AUTH_USER", "a:b", 1);
	load(0, 1, "basic_auth_user is not used: a colon");
	headers_are("");
}

static void test_files(void **state)
{
	static char large[PYRO_SECRET_MAX + 2];

	(void)state;
	setenv("PYROSCOPE_BASIC_AUTH_USER", "u", 1);
	setenv("PYROSCOPE_BASIC_AUTH_PASSWORD_FILE", file_path, 1);
	write_file(SECRET "\r\n", strlen(SECRET) + 2);
	load(0, 0, NULL);
	headers_are(BASIC("dTpzM2NyZXQ="));
	setenv("PYROSCOPE_BASIC_AUTH_PASSWORD", "x", 1);
	load(0, 0, NULL);
	headers_are(BASIC("dTp4"));

	set_up(NULL);
	setenv("PYROSCOPE_AUTH_TOKEN_FILE", file_path, 1);
	load(0, 0, NULL);
	headers_are("Authorization: Bearer " SECRET "\r\n");
	write_file(SECRET "\0x", strlen(SECRET) + 2);
	load(0, 1, "auth_token_file is not used: there is a NUL");
	headers_are("");
	write_file(SECRET "\nx", strlen(SECRET) + 2);
	load(0, 1, "auth_token_file is not used: a line end");
	headers_are("");
	write_file("", 0);
	load(0, 1, "auth_token_file is not used: an empty token");
	memset(large, 't', sizeof(large));
	write_file(large, PYRO_SECRET_MAX + 1);
	load(0, 1, "auth_token_file is not used: the file is too long");
	write_file(large, PYRO_SECRET_MAX);
	load(0, 0, NULL);
	setenv("PYROSCOPE_AUTH_TOKEN_FILE", "/no/such/file", 1);
	load(0, 1, "auth_token_file is not used: the file cannot be read");
	setenv("PYROSCOPE_AUTH_TOKEN_FILE", "/tmp", 1);
	load(0, 1, "auth_token_file is not used: the file cannot be read");
}

static void test_user_file(void **state)
{
	(void)state;
	setenv("PYROSCOPE_BASIC_AUTH_USER_FILE", file_path, 1);
	setenv("PYROSCOPE_BASIC_AUTH_PASSWORD", SECRET, 1);
	write_file("u\n", 2);
	load(0, 0, NULL);
	headers_are(BASIC("dTpzM2NyZXQ="));
	setenv("PYROSCOPE_BASIC_AUTH_USER", "env", 1);
	load(0, 0, NULL);
	headers_are(BASIC("ZW52OnMzY3JldA=="));
	unsetenv("PYROSCOPE_BASIC_AUTH_USER");
	write_file("\n", 1);
	load(0, 1, "basic_auth_user_file is not used: an empty user name");
	headers_are("");
}

/* The settings file, as the environment names it. */
static void write_settings(const char *text)
{
	write_file(text, strlen(text));
	setenv("PYROSCOPE_CONFIGURATION_FILE", file_path, 1);
}

/* Of two for one header the stronger place's is sent, and that is no error. */
static void test_places(void **state)
{
	(void)state;
	code.auth_token = SECRET;
	setenv("PYROSCOPE_BASIC_AUTH_USER", "u", 1);
	setenv("PYROSCOPE_BASIC_AUTH_PASSWORD", SECRET, 1);
	load(0, 1, "basic_auth_user is not used: there is a header of that");
	headers_are("Authorization: Bearer " SECRET "\r\n");
	code.basic_auth_user = "u";
	code.basic_auth_password = SECRET;
	load(0, 1, "auth_token is not used: there is a header of that name");
	headers_are(BASIC("dTpzM2NyZXQ="));

	set_up(NULL);
	code.http_headers = "{\"authorization\":\"" SECRET "\",\"X-A\":\"1\"}";
	setenv("PYROSCOPE_AUTH_TOKEN", SECRET "2", 1);
	load(0, 1, "auth_token is not used: there is a header of that name");
	headers_are("authorization: " SECRET "\r\nX-A: 1\r\n");
	code.auth_token = SECRET;
	load(0, 1, "not all of http_headers is used: there is a header of");
	headers_are("Authorization: Bearer " SECRET "\r\nX-A: 1\r\n");

	set_up(NULL);
	code.http_headers = "{\"X-Scope-OrgID\":\"code\"}";
	setenv("PYROSCOPE_TENANT_ID", "env", 1);
	load(0, 1, "tenant_id is not used: there is a header of that name");
	headers_are("X-Scope-OrgID: code\r\n");
	code.tenant_id = "field";
	load(0, 1, "http_headers is not used: there is a header of that name");
	headers_are("X-Scope-OrgID: field\r\n");

	set_up(NULL);
	write_settings("basic_auth_user = file\ntenant_id = file\n");
	load(0, 0, NULL);
	headers_are(BASIC("ZmlsZTo=") "X-Scope-OrgID: file\r\n");
	setenv("PYROSCOPE_AUTH_TOKEN", SECRET, 1);
	setenv("PYROSCOPE_HTTP_HEADERS", "{\"x-scope-orgid\":\"env\"}", 1);
	load(0, 3, "tenant_id is not used: there is a header of that name");
	headers_are("Authorization: Bearer " SECRET
		    "\r\nx-scope-orgid: env\r\n");
	/* One that is bad in the stronger place is as if it were not there. */
	unsetenv("PYROSCOPE_HTTP_HEADERS");
	setenv("PYROSCOPE_TENANT_ID", "a/b", 1);
	setenv("PYROSCOPE_AUTH_TOKEN", SECRET "\n", 1);
	load(0, 2, "tenant_id is not used: a character");
	headers_are(BASIC("ZmlsZTo=") "X-Scope-OrgID: file\r\n");
}

/* A file that the environment names goes before what the settings file says. */
static void test_files_by_place(void **state)
{
	char secret_path[] = "/tmp/test_sending.XXXXXX";
	int fd = mkstemp(secret_path);

	(void)state;
	assert_int_equal(write(fd, SECRET, strlen(SECRET)), strlen(SECRET));
	close(fd);
	write_settings("auth_token = x\n");
	load(0, 0, NULL);
	headers_are("Authorization: Bearer x\r\n");
	setenv("PYROSCOPE_AUTH_TOKEN_FILE", secret_path, 1);
	load(0, 0, NULL);
	headers_are("Authorization: Bearer " SECRET "\r\n");
	setenv("PYROSCOPE_AUTH_TOKEN_FILE", "/no/such/file", 1);
	load(0, 1, "auth_token_file is not used: the file cannot be read");
	headers_are("Authorization: Bearer x\r\n");
	setenv("PYROSCOPE_AUTH_TOKEN", "y", 1);
	load(0, 1, "PYROSCOPE_AUTH_TOKEN is used, but deprecated");
	headers_are("Authorization: Bearer y\r\n");

	set_up(NULL);
	write_settings("basic_auth_user = u\nbasic_auth_password = x\n");
	setenv("PYROSCOPE_BASIC_AUTH_PASSWORD_FILE", secret_path, 1);
	load(0, 0, NULL);
	headers_are(BASIC("dTpzM2NyZXQ="));
	unlink(secret_path);
}

static void test_headers(void **state)
{
	(void)state;
	setenv("PYROSCOPE_AUTH_TOKEN", SECRET, 1);
	setenv("PYROSCOPE_TENANT_ID", "team-1", 1);
	setenv("PYROSCOPE_HTTP_HEADERS", "{\"X-A\":\"1\",\"X-B\":\"2\"}", 1);
	load(0, 1, "PYROSCOPE_AUTH_TOKEN is used, but deprecated");
	headers_are("Authorization: Bearer " SECRET "\r\n"
		    "X-Scope-OrgID: team-1\r\nX-A: 1\r\nX-B: 2\r\n");
	setenv("PYROSCOPE_HTTP_HEADERS", "{\"X-A\":\"" SECRET "\\r\\nX-B: 2\"}",
	       1);
	load(0, 2, "http_headers is not used: it is not like");
	/* Those behind a refused one are sent. */
	setenv("PYROSCOPE_HTTP_HEADERS",
	       "{\"Host\":\"" SECRET "\",\"X-B\":\"2\"}", 1);
	load(0, 2,
	     "not all of http_headers is used: a header that the library");
	headers_are("Authorization: Bearer " SECRET "\r\n"
		    "X-Scope-OrgID: team-1\r\nX-B: 2\r\n");
	code.http_headers = "{\"Host\":\"x\",\"X-B\":\"2\"}";
	load(-EINVAL, 1,
	     "not started: http_headers: a header that the library");
	code.http_headers = NULL;
	setenv("PYROSCOPE_HTTP_HEADERS", SECRET, 1);
	load(0, 2, "http_headers is not used: it is not like");
	setenv("PYROSCOPE_TENANT_ID", "a/b", 1);
	load(0, 3, "tenant_id is not used: a character");
	headers_are("Authorization: Bearer " SECRET "\r\n");
	code.tenant_id = "a/b";
	load(-EINVAL, 1, "not started: tenant_id: a character");
	code.tenant_id = NULL;
	code.auth_token = SECRET "\r\nX: y";
	load(-EINVAL, 1, "not started: auth_token: a line end");
	setenv("PYROSCOPE_AUTH_TOKEN", SECRET "\n", 1);
	code.auth_token = NULL;
	load(0, 3, "auth_token is not used: a line end");
}

/* Said once in a tree of processes. */
static void test_quiet(void **state)
{
	struct stat st;

	(void)state;
	setenv("PYROSCOPE_TENANT_ID", "a/b", 1);
	setenv("PYROSCOPE_HTTP_HEADERS", SECRET, 1);
	setenv("PYROSCOPE_FORMAT", "file", 1);
	assert_int_equal(pyro_config_load(&config, NULL, true), 0);
	assert_int_equal(stat(log_path, &st), 0);
	assert_int_equal(st.st_size, 0);
}

static void test_formats(void **state)
{
	(void)state;
	setenv("PYROSCOPE_FORMAT", "ingest", 1);
	load(0, 0, NULL);
	assert_int_equal(config.format, PYRO_FORMAT_INGEST);
	code.format = "push";
	load(0, 0, NULL);
	assert_int_equal(config.format, PYRO_FORMAT_PUSH);
	code.format = "otlp";
	load(-EINVAL, 1, "push, ingest, file or none");
	code.format = NULL;
	setenv("PYROSCOPE_FORMAT", "jfr", 1);
	load(0, 1, "push, ingest, file or none");
	assert_int_equal(config.format, PYRO_FORMAT_PUSH);
	setenv("PYROSCOPE_FORMAT", "none", 1);
	load(0, 0, NULL);
	assert_int_equal(config.format, PYRO_FORMAT_NONE);
	setenv("PYROSCOPE_FORMAT", "file", 1);
	load(0, 1, "format is not used: file needs output_dir");
	code.format = "file";
	load(-EINVAL, 1, "not started: format: file needs output_dir");
	setenv("PYROSCOPE_OUTPUT_DIR", "/tmp", 1);
	load(0, 0, NULL);
	assert_string_equal(config.output_dir, "/tmp");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_defaults, set_up),
		cmocka_unit_test_setup(test_basic, set_up),
		cmocka_unit_test_setup(test_no_user, set_up),
		cmocka_unit_test_setup(test_files, set_up),
		cmocka_unit_test_setup(test_user_file, set_up),
		cmocka_unit_test_setup(test_places, set_up),
		cmocka_unit_test_setup(test_files_by_place, set_up),
		cmocka_unit_test_setup(test_headers, set_up),
		cmocka_unit_test_setup(test_quiet, set_up),
		cmocka_unit_test_setup(test_formats, set_up),
	};
	int log = mkstemp(log_path), file = mkstemp(file_path);

	if (log < 0 || file < 0)
		return 1;
	close(log);
	close(file);
	pyro_log_to(log_path);

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(log_path);
	unlink(file_path);
	return failed;
}
