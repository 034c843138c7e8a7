// SPDX-License-Identifier: Apache-2.0
/* test_upload_retry.c - what is sent again, when, for how long, and what is told
 * of it */
#include "tests/upload_util.h"

/* What can pass is sent again, the same bytes, before what came later. */
static void test_retry(void **state)
{
	static const char *const answers[] = {
		STATUS("503"), STATUS("500"), "", "SSH-2.0\r\n", OK, NULL,
	};
	struct loopback l;

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	push(u, "same bytes");
	push(u, "later");
	assert_int_equal(pyro_uploader_flush(u, 3 * GUARD_MS, 3 * GUARD_MS), 0);
	assert_int_equal(seen.count, 6);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(seen.len[i], 10);
		assert_memory_equal(seen.body[i], "same bytes", 10);
	}
	assert_memory_equal(seen.body[5], "later", 5);
	/* 0.25 to 0.5 s, 0.5 to 1 s, 1 to 2 s, 2 to 4 s. */
	assert_true(seen.at_ms[4] - seen.at_ms[0] >= 3000);

	assert_int_equal(stats.sent, 2);
	assert_int_equal(stats.failed_tries, 4);
	pyro_uploader_free(u, GUARD_MS);
	assert_int_equal(count_in_log("\n"), 2);
	assert_int_equal(count_in_log("cannot send for now to http://"), 1);
	assert_int_equal(count_in_log("HTTP 503 why\n"), 1);
	assert_int_equal(count_in_log("sending again to http://"), 1);
	loopback_stop(&l);
}

static void check_status(const char *answer, bool again)
{
	const char *const answers[] = {answer, OK, NULL};
	struct loopback l;

	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	push(u, "x");
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	if (seen.count != (again ? 2 : 1))
		fail_msg("%u tries: %s", seen.count, answer);
	assert_int_equal(stats.sent, again);
	assert_int_equal(stats.dropped_refused, !again);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

static void test_statuses(void **state)
{
	static const char *const pass[] = {
		STATUS("408"), STATUS("429"), STATUS("500"),
		STATUS("502"), STATUS("503"), STATUS("504"),
	};
	static const char *const refuse[] = {
		STATUS("400"), STATUS("401"), STATUS("403"), STATUS("404"),
		STATUS("405"), STATUS("413"), STATUS("415"), STATUS("422"),
		STATUS("301"), STATUS("307"), STATUS("304"), STATUS("418"),
		STATUS("501"), STATUS("505"),
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(pass); i++)
		check_status(pass[i], true);
	for (size_t i = 0; i < PYRO_COUNT_OF(refuse); i++)
		check_status(refuse[i], false);
}

/* One line for each distinct status. */
static void test_refused_log(void **state)
{
	static const char *const answers[] = {
		STATUS("401"), STATUS("401"), STATUS("400"), STATUS("401"), OK,
		NULL,
	};
	struct loopback l;

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	for (int i = 0; i < 5; i++)
		push(u, "x");
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(stats.dropped_refused, 4);
	assert_int_equal(stats.sent, 1);
	pyro_uploader_free(u, GUARD_MS);
	assert_int_equal(count_in_log("\n"), 2);
	assert_int_equal(count_in_log("HTTP 401 why\n"), 1);
	assert_int_equal(count_in_log("HTTP 400 why\n"), 1);
	loopback_stop(&l);
}

static void test_retry_after(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 429 X\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n",
		OK, NULL};
	struct loopback l;

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	push(u, "x");
	await_seen(2);
	assert_true(seen.at_ms[1] - seen.at_ms[0] >= 2900);
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

/* Fail count times more: each flush tries once at once, also in the middle of a
 * long backoff. */
static void fail_more(struct pyro_uploader *u, unsigned count)
{
	uint64_t had = stats.failed_tries;

	while (stats.failed_tries < had + count) {
		uint64_t before = stats.failed_tries, start = now_ms();

		pyro_uploader_flush(u, 60000, 100);
		assert_true(now_ms() - start < GUARD_MS);
		await_failed(before + 1);
	}
}

/* A server that is not there, or that says so, loses no profile. */
static void test_flush_dead(void **state)
{
	static const char *const answers[] = {STATUS("502"),
					      STATUS("503"),
					      STATUS("504"),
					      "",
					      STATUS("502"),
					      STATUS("503"),
					      STATUS("504"),
					      "",
					      STATUS("502"),
					      STATUS("503"),
					      STATUS("504"),
					      "",
					      OK,
					      NULL};
	uint16_t port = loopback_closed_port();
	struct pyro_uploader *u = make(port, GUARD_MS, 10, 1 << 20);
	struct loopback l;

	(void)state;
	push(u, "x");
	await_failed(1);
	fail_more(u, 11);
	assert_int_equal(stats.last_status, -ECONNREFUSED);
	assert_int_equal(pyro_uploader_flush(u, 60000, 100), -ETIMEDOUT);
	assert_int_equal(count_in_log("\n"), 1);
	assert_int_equal(count_in_log("connection refused\n"), 1);

	start_server(&l, port, answers);
	fail_more(u, 12);
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(stats.sent, 1);
	assert_int_equal(stats.dropped_refused, 0);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

/* One that works but does not want this one gets ten tries of it. */
static void test_given_up(void **state)
{
	static const char *const answers[] = {
		STATUS("500"), STATUS("503"), STATUS("429"), STATUS("408"),
		STATUS("500"), STATUS("500"), STATUS("500"), STATUS("500"),
		STATUS("500"), STATUS("500"), STATUS("500"), OK,
		NULL};
	struct loopback l;

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	push(u, "bad");
	push(u, "good");
	await_failed(1);
	fail_more(u, 10);
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(stats.failed_tries, 11);
	assert_int_equal(stats.dropped_refused, 1);
	assert_int_equal(stats.sent, 1);
	assert_int_equal(seen.count, 12);
	assert_memory_equal(seen.body[10], "bad", 3);
	assert_memory_equal(seen.body[11], "good", 4);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

/* /ingest: its own path and type, and a 422 may be one that passes. */
static void test_ingest(void **state)
{
	static const char *const answers[] = {STATUS("422"), STATUS("422"),
					      STATUS("422"), OK, NULL};
	static const char request[] = "/ingest?name=a\0multipart/x; b=c\0body";
	struct loopback l;
	char want[256];

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	for (int i = 0; i < 2; i++) {
		struct pyro_upload upload = {
			.body_at = sizeof(request) - 1 - 4,
			.time_ns = (int64_t)pyro_clock_ns(CLOCK_REALTIME),
		};

		pyro_buf_put(&upload.body, request, sizeof(request) - 1);
		assert_int_equal(pyro_uploader_push(u, &upload), 0);
	}
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(seen.count, 4);
	assert_int_equal(stats.dropped_refused, 1);
	assert_int_equal(stats.sent, 1);
	assert_int_equal(seen.len[3], 4);
	assert_memory_equal(seen.body[3], "body", 4);
	sprintf(want,
		"POST /base/ingest?name=a HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
		"User-Agent: test/1\r\nContent-Type: multipart/x; b=c\r\n"
		"X-Scope-OrgID: team\r\nContent-Length: 4\r\n"
		"Connection: close\r\n\r\n",
		l.port);
	assert_string_equal(seen.head, want);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

/* What is secret goes to the server and nowhere else. */
static void test_secrets(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 302 X\r\nLocation: http://127.0.0.1:1/\r\n"
		"Content-Length: 6\r\n\r\nmoved!",
		STATUS("503"), OK, NULL};
	struct loopback l;
	char text[128];

	(void)state;
	start_server(&l, 0, answers);
	sprintf(text, "http://me:pass%%20word@127.0.0.1:%u/base", l.port);
	struct pyro_uploader *u = make_at(text, GUARD_MS, 10, 1 << 20);

	push(u, "x");
	push(u, "y");
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_non_null(strstr(
		seen.head, "\r\nAuthorization: Basic bWU6cGFzcyB3b3Jk\r\n"));
	assert_int_equal(seen.count, 3);
	assert_int_equal(stats.dropped_refused, 1);
	assert_int_equal(stats.sent, 1);
	sprintf(text,
		"profiles are refused by http://127.0.0.1:%u/base: "
		"HTTP 302 leads elsewhere",
		l.port);
	pyro_uploader_free(u, GUARD_MS);
	assert_int_equal(count_in_log(text), 1);
	assert_int_equal(count_in_log("\n"), 3);
	assert_int_equal(count_in_log("pass"), 0);
	assert_int_equal(count_in_log("bWU6"), 0);
	loopback_stop(&l);
}

static void test_bad_user(void **state)
{
	struct pyro_uploader *u =
		make_at("http://a%3ab:pass@127.0.0.1:1", 1, 10, 1 << 20);

	(void)state;
	assert_int_equal(count_in_log("\n"), 1);
	assert_int_equal(count_in_log("the user name in the server's address "
				      "is not used: a colon"),
			 1);
	assert_int_equal(count_in_log("pass"), 0);
	pyro_uploader_free(u, 0);
}

/* A server that came back is found by the flush. */
static void test_flush_revived(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	uint16_t port = loopback_closed_port();
	struct pyro_uploader *u = make(port, GUARD_MS, 10, 1 << 20);

	(void)state;
	push(u, "x");
	push(u, "y");
	await_failed(3);
	start_server(&l, port, answers);
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(stats.sent, 2);
	pyro_uploader_free(u, GUARD_MS);
	assert_int_equal(count_in_log("\n"), 2);
	loopback_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_retry, empty_log),
		cmocka_unit_test_setup(test_statuses, empty_log),
		cmocka_unit_test_setup(test_refused_log, empty_log),
		cmocka_unit_test_setup(test_retry_after, empty_log),
		cmocka_unit_test_setup(test_flush_dead, empty_log),
		cmocka_unit_test_setup(test_given_up, empty_log),
		cmocka_unit_test_setup(test_ingest, empty_log),
		cmocka_unit_test_setup(test_secrets, empty_log),
		cmocka_unit_test_setup(test_bad_user, empty_log),
		cmocka_unit_test_setup(test_flush_revived, empty_log),
	};

	return cmocka_run_group_tests(tests, begin_log, end_log);
}
