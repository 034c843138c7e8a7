// SPDX-License-Identifier: Apache-2.0
/* test_http.c - the response parser on whole, cut and broken input, and the
 * client against servers that behave and servers that do not */
#include "transport/http.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "base/os.h"
#include "loopback.h"
#include "transport/http_parse.h"

/* A copy that ends where memory ends: a read behind it faults. */
struct guarded {
	char *map;
	size_t pages;
	char *data;
};

static struct guarded guard(const char *text, size_t len)
{
	struct guarded g = {.pages = (len + 4095) & ~(size_t)4095};

	g.map = mmap(NULL, g.pages + 4096, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(g.map, MAP_FAILED);
	assert_int_equal(mprotect(g.map + g.pages, 4096, PROT_NONE), 0);
	g.data = g.map + g.pages - len;
	memcpy(g.data, text, len);
	return g;
}

static void unguard(struct guarded *g)
{
	munmap(g->map, g->pages + 4096);
}

static int parse_guarded(struct pyro_http_parser *parser, const char *text,
			 size_t len)
{
	struct guarded g = guard(text, len);

	*parser = (struct pyro_http_parser){0};
	int got = pyro_http_parse(parser, g.data, len);

	unguard(&g);
	return got;
}

/* Cut anywhere, and fed in any two parts, it must come to the same. */
static void check_cuts(const char *text, size_t len)
{
	struct pyro_http_parser whole;
	int got = parse_guarded(&whole, text, len);

	for (size_t n = 0; n <= len; n++) {
		struct pyro_http_parser parts;
		int first = parse_guarded(&parts, text, n);
		int last = first ? first
				 : pyro_http_parse(&parts, text + n, len - n);

		assert_int_equal(last, got);
		assert_int_equal(parts.head_done, whole.head_done);
		if (whole.head_done)
			assert_memory_equal(&parts.response, &whole.response,
					    sizeof(whole.response));
	}
}

struct parse_case {
	const char *text;
	int got; /* of the whole text */
	int status;
	uint32_t retry_after_s;
	const char *message;
};

static void test_parser(void **state)
{
	// clang-format off
	static const struct parse_case cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1, 200, 0, ""},
		{"HTTP/1.0 200\r\nContent-Length: 2\r\n\r\nhi", 1, 200, 0, "hi"},
		{"HTTP/1.1 200 OK\nContent-Length:2\n\nhi!", 1, 200, 0, "hi"},
		{"HTTP/1.1 204 No\r\n\r\n", 1, 204, 0, ""},
		{"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", 1, 304, 0, ""},
		{"HTTP/1.1 500 \r\n\r\nto the\r\nend\x01\xff", 0, 500, 0, "to the  end??"},
		{"HTTP/1.1 400 Bad\r\ncontent-LENGTH: \t 3 \t\r\n\r\nabcdef", 1, 400, 0, "abc"},
		{"HTTP/1.1 400 Bad\r\nContent-Length: -1\r\n\r\nabc", 0, 400, 0, "abc"},
		{"HTTP/1.1 400 Bad\r\nContent-Length: 3x\r\n\r\nabcd", 0, 400, 0, "abcd"},
		{"HTTP/1.1 400 Bad\r\nContent-Length: 99999999999999999999999\r\n\r\nab", 0, 400, 0, "ab"},
		{"HTTP/1.1 503 No\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n", 1, 503, 17, ""},
		{"HTTP/1.1 503 No\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n", 1, 503, UINT32_MAX, ""},
		{"HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 503 No\r\nRetry-After: Tue, 01 Mar 2044 00:00:10 GMT\r\nDate: Mon, 29 Feb 2044 23:59:00 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 70, ""},
		{"HTTP/1.1 503 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 503 No\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:36 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 503 No\r\nDate: Thu, 01 Jan 1970 00:00:01 GMT\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, UINT32_MAX, ""},
		{"HTTP/1.1 503 No\r\nDate: Wed, 01 Mar 2000 00:00:00 GMT\r\nRetry-After: Thu, 01 Mar 2001 00:00:01 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 31536001, ""},
		{"HTTP/1.1 503 No\r\nDate: Mon, 01 Mar 1999 00:00:00 GMT\r\nRetry-After: Wed, 01 Mar 2000 00:00:01 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 31622401, ""},
		{"HTTP/1.1 503 No\r\nDate: yesterday\r\nRetry-After: Wed, 01 Mar 2000 00:00:01 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 503 No\r\nDate: Wed, 01 Mar 2000 00:00:00 GMT\r\nRetry-After: Wed, 01 Max 2000 00:00:01 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 503 No\r\nDate: Wed, 01 Mar 2000 00:00:00 GMT\r\nRetry-After: Wed, 01 anF 2000 00:00:01 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 503 No\r\nDate: Wed, 01 Mar 2000 00:00:00 GMT\r\nRetry-After: Wed, 01 Mar 2000 00:x0:01 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 100 Continue\r\nDate: Wed, 01 Mar 2000 00:00:00 GMT\r\n\r\nHTTP/1.1 503 No\r\nRetry-After: Wed, 01 Mar 2000 00:00:01 GMT\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 503 No\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", 1, 503, 0, ""},
		{"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n", 1, 429, 0, "abc0123456789"},
		{"HTTP/1.1 429 No\r\nTransfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n\r\n2\r\nab\r\n0\r\n", 1, 429, 0, "ab"},
		{"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", 1, 429, 0, ""},
		{"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n\r\nabc", 1, 429, 0, ""},
		{"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", 1, 429, 0, "abc"},
		{"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc", 1, 429, 0, ""},
		{"HTTP/1.1 429 No\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc", 0, 429, 0, "abc"},
		{"HTTP/1.1 100 Continue\r\nRetry-After: 9\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 7\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", 0, 200, 0, "x"},
		{"HTTP/1.1 200 OK\r\nX: folded\r\n Content-Length: 1\r\n\r\nxy", 0, 200, 0, "xy"},
		{"HTTP/1.1 200 OK\r\nContent-Lengthy: 1\r\nContent-Lengt: 1\r\n\r\nxy", 0, 200, 0, "xy"},
		{"HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n", 1, 599, 0, ""},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5", 0, 0, 0, NULL},
		{"HTTP/1.1 100 Continue\r\n\r\n", 0, 0, 0, NULL},
		{"", 0, 0, 0, NULL},
		{"\r\n", -EPROTO, 0, 0, NULL},
		{"SSH-2.0-OpenSSH_9.2\r\n", -EPROTO, 0, 0, NULL},
		{"\x15\x03\x01\x00\x02\x02\x16", -EPROTO, 0, 0, NULL},
		{"http/1.1 200 OK\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/2 200\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.1 20\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.1 2000\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.1 600 X\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.1 099 X\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.1  200 X\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.x 200 X\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.1\r\n", -EPROTO, 0, 0, NULL},
		{"HTTP/1.1 100 Continue\r\n\r\nGarbage", -EPROTO, 0, 0, NULL},
	};
	// clang-format on

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		const struct parse_case *want = &cases[i];
		struct pyro_http_parser p;
		int got = parse_guarded(&p, want->text, strlen(want->text));

		if (got != want->got || p.head_done != (want->message != NULL))
			fail_msg("%d, not %d: %s", got, want->got, want->text);
		if (want->message) {
			assert_int_equal(p.response.status, want->status);
			assert_int_equal(p.response.retry_after_s,
					 want->retry_after_s);
			assert_string_equal(p.response.message, want->message);
		}
		check_cuts(want->text, strlen(want->text));
	}
}

static void test_parser_limits(void **state)
{
	static char text[3 * PYRO_HTTP_HEAD_MAX];
	struct pyro_http_parser p;
	int head = sprintf(text, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: ");
	size_t end;

	(void)state;
	/* One header up to the limit, and one byte more. */
	memset(text + head, 'x', sizeof(text) - (size_t)head);
	end = PYRO_HTTP_HEAD_MAX;
	memcpy(text + end - 4, "\r\n\r\n", 4);
	assert_int_equal(parse_guarded(&p, text, end), 1);
	memset(text + end - 4, 'x', 4);
	memcpy(text + end - 3, "\r\n\r\n", 4);
	assert_int_equal(parse_guarded(&p, text, end + 1), -EPROTO);
	memset(text + end - 3, 'x', 4);
	assert_int_equal(parse_guarded(&p, text, sizeof(text)), -EPROTO);

	/* Endless interim responses. */
	for (end = 0; end + 32 < sizeof(text); end += 25)
		memcpy(text + end, "HTTP/1.1 100 Continue\r\n\r\n", 25);
	assert_int_equal(parse_guarded(&p, text, end), -EPROTO);

	/* An endless body, and an endless chunk line, just end. */
	head = sprintf(text, "HTTP/1.1 500 X\r\n\r\n");
	memset(text + head, 'b', sizeof(text) - (size_t)head);
	end = (size_t)head + PYRO_HTTP_BODY_MAX;
	assert_int_equal(parse_guarded(&p, text, end - 1), 0);
	assert_int_equal(parse_guarded(&p, text, end), 1);
	assert_int_equal(strlen(p.response.message),
			 sizeof(p.response.message) - 1);
	head = sprintf(text, "HTTP/1.1 500 X\r\n"
			     "Transfer-Encoding: chunked\r\n\r\n");
	memset(text + head, '0', sizeof(text) - (size_t)head);
	assert_int_equal(parse_guarded(&p, text, sizeof(text)), 1);
	assert_int_equal(p.response.status, 500);

	/* A header that does not fit the line buffer is not looked at, also
	 * when its beginning would be valid. */
	head = sprintf(text, "HTTP/1.1 503 X\r\nRetry-After: ");
	memset(text + head, ' ', 400);
	sprintf(text + head + 400, "7\r\nContent-Length: 0\r\n\r\n");
	assert_int_equal(parse_guarded(&p, text, strlen(text)), 1);
	assert_int_equal(p.response.retry_after_s, 0);
}

static uint64_t now_ms(void)
{
	return pyro_clock_ns(CLOCK_MONOTONIC) / PYRO_NS_PER_MS;
}

static int post_to(const char *address, const void *body, size_t len,
		   uint32_t timeout_ms, struct pyro_http_response *response)
{
	struct pyro_url url;
	const char *why;
	struct pyro_http_request request = {
		.url = &url,
		.path = "/push.v1.PusherService/Push",
		.content_type = "application/proto",
		.content_encoding = "gzip",
		.user_agent = "test/1",
		.body = body,
		.body_len = len,
		.timeout_ms = timeout_ms,
	};

	assert_int_equal(pyro_url_parse(address, &url, &why), 0);
	return pyro_http_post(&request, response);
}

static int post(uint16_t port, const void *body, size_t len,
		uint32_t timeout_ms, struct pyro_http_response *response)
{
	char address[64];

	sprintf(address, "http://127.0.0.1:%u/base/", port);
	return post_to(address, body, len, timeout_ms, response);
}

static char request_seen[1 << 16];
static size_t request_body_at, request_body_len;

static void serve_ok(struct loopback *l, int fd)
{
	(void)l;
	request_body_at = loopback_request(
		fd, request_seen, sizeof(request_seen), &request_body_len);
	loopback_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* Hang guards are seconds above what is waited for. */
#define GUARD_MS 5000

static void test_ok(void **state)
{
	struct loopback l;
	struct pyro_http_response response;
	char want[512];

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_ok));
	assert_int_equal(post(l.port, "a\0b", 3, GUARD_MS, &response), 0);
	loopback_stop(&l);
	assert_int_equal(response.status, 200);
	sprintf(want,
		"POST /base/push.v1.PusherService/Push HTTP/1.1\r\n"
		"Host: 127.0.0.1:%u\r\nUser-Agent: test/1\r\n"
		"Content-Type: application/proto\r\nContent-Encoding: gzip\r\n"
		"Content-Length: 3\r\nConnection: close\r\n\r\n",
		l.port);
	assert_int_equal(request_body_at, strlen(want));
	assert_memory_equal(request_seen, want, strlen(want));
	assert_memory_equal(request_seen + request_body_at, "a\0b", 3);
}

static void test_headers(void **state)
{
	static const char more[] = "X-Scope-OrgID: t\r\nX-B: c\r\n";
	struct loopback l;
	struct pyro_http_response response;
	struct pyro_url url;
	struct pyro_proxy proxy = {.scheme = ""};
	char address[64];
	const char *why;

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_ok));
	sprintf(address, "http://me:pass@127.0.0.1:%u", l.port);
	assert_int_equal(pyro_url_parse(address, &url, &why), 0);

	struct pyro_http_request request = {
		.url = &url,
		.path = "/x",
		.content_type = "text/plain",
		.user_agent = "test/1",
		.headers = more,
		.proxy = &proxy,
		.timeout_ms = GUARD_MS,
	};

	assert_int_equal(pyro_http_post(&request, &response), 0);
	loopback_stop(&l);
	sprintf(address, "Host: 127.0.0.1:%u\r\n", l.port);
	assert_non_null(strstr(request_seen, address));
	assert_non_null(strstr(request_seen, "text/plain\r\nX-Scope-OrgID: t"
					     "\r\nX-B: c\r\nContent-Length"));
}

static void test_socket(void **state)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct loopback l = {.serve = serve_ok};
	struct pyro_http_response response;
	char text[256];

	(void)state;
	sprintf(at.sun_path, "/tmp/test_http.%d.sock", (int)getpid());
	sprintf(text, "unix://%s", at.sun_path);
	assert_int_equal(post_to(text, "x", 1, GUARD_MS, &response), -ENOENT);
	l.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(l.listener, (struct sockaddr *)&at, sizeof(at)),
			 0);
	assert_int_equal(post_to(text, "x", 1, GUARD_MS, &response),
			 -ECONNREFUSED);
	assert_int_equal(listen(l.listener, 1), 0);
	assert_int_equal(pthread_create(&l.thread, NULL, loopback_main, &l), 0);
	assert_int_equal(post_to(text, "x", 1, GUARD_MS, &response), 0);
	loopback_stop(&l);
	unlink(at.sun_path);
	assert_int_equal(response.status, 200);
	assert_non_null(strstr(request_seen, "POST /push.v1"));
	assert_non_null(strstr(request_seen, "\r\nHost: localhost\r\n"));
}

static void test_ipv6(void **state)
{
	struct loopback l;
	struct pyro_http_response response;
	char text[64];

	(void)state;
	if (!loopback_start(&l, AF_INET6, 0, serve_ok))
		skip();
	sprintf(text, "http://[::1]:%u", l.port);
	assert_int_equal(post_to(text, "x", 1, GUARD_MS, &response), 0);
	loopback_stop(&l);
	assert_int_equal(response.status, 200);
	sprintf(text, "\r\nHost: [::1]:%u\r\n", l.port);
	assert_non_null(strstr(request_seen, text));
}

/* localhost may be ::1 first, where nobody listens. */
static void test_name(void **state)
{
	struct loopback l;
	struct pyro_http_response response;
	char text[64];

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_ok));
	sprintf(text, "http://localhost:%u", l.port);
	assert_int_equal(post_to(text, "", 0, GUARD_MS, &response), 0);
	loopback_stop(&l);
	assert_int_equal(response.status, 200);
}

/* Where there is no network, so that no name server is asked: 0 for the error
 * that it must be, 1 for another, 77 when no such place can be made. */
static int resolve_without_network(void)
{
	struct pyro_http_response response;

	if (unshare(CLONE_NEWNET) < 0 &&
	    unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 77;
	return post_to("http://no-such-host.invalid", "", 0, GUARD_MS,
		       &response) == -EHOSTUNREACH
		       ? 0
		       : 1;
}

static void test_no_such_name(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(resolve_without_network());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_refused(void **state)
{
	struct pyro_http_response response;

	(void)state;
	assert_int_equal(
		post(loopback_closed_port(), "x", 1, GUARD_MS, &response),
		-ECONNREFUSED);
}

static void serve_500(struct loopback *l, int fd)
{
	size_t len;

	(void)l;
	loopback_request(fd, request_seen, sizeof(request_seen), &len);
	loopback_send(fd, "HTTP/1.1 100 Continue\r\n\r\n"
			  "HTTP/1.1 500 Oh\r\nRetry-After: 3\r\n"
			  "Transfer-Encoding: chunked\r\n\r\n"
			  "7\r\noh dear\r\n0\r\n\r\n");
}

static void test_500(void **state)
{
	struct loopback l;
	struct pyro_http_response response;

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_500));
	assert_int_equal(post(l.port, "x", 1, GUARD_MS, &response), 0);
	loopback_stop(&l);
	assert_int_equal(response.status, 500);
	assert_int_equal(response.retry_after_s, 3);
	assert_string_equal(response.message, "oh dear");
}

static void serve_nothing(struct loopback *l, int fd)
{
	loopback_hang(l, fd);
}

static void serve_drip(struct loopback *l, int fd)
{
	loopback_send(fd, "HTTP/1.1 200 OK\r\nX: ");
	while (!l->stop && send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		usleep(50000);
}

static void serve_drip_body(struct loopback *l, int fd)
{
	loopback_send(fd, "HTTP/1.1 202 OK\r\n\r\n");
	while (!l->stop && send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		usleep(50000);
}

static void check_deadline(void (*serve)(struct loopback *, int), size_t len)
{
	static char body[8 << 20];
	struct loopback l;
	struct pyro_http_response response;
	uint64_t start = now_ms();

	assert_true(loopback_start(&l, AF_INET, 0, serve));
	assert_int_equal(post(l.port, body, len, 1000, &response), -ETIMEDOUT);
	assert_true(now_ms() - start >= 999);
	assert_true(now_ms() - start < 1000 + GUARD_MS);
	loopback_stop(&l);
}

static void test_hang(void **state)
{
	(void)state;
	check_deadline(serve_nothing, 1);
}

static void serve_unread(struct loopback *l, int fd)
{
	(void)fd;
	while (!l->stop)
		usleep(20000);
}

static void test_unread(void **state)
{
	(void)state;
	check_deadline(serve_unread, 8 << 20);
}

static void test_drip(void **state)
{
	(void)state;
	check_deadline(serve_drip, 1);
}

/* The answer is known; its body is not waited for as long as for a head. */
static void test_drip_body(void **state)
{
	struct loopback l;
	struct pyro_http_response response;
	uint64_t start = now_ms();

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_drip_body));
	assert_int_equal(post(l.port, "x", 1, 60000, &response), 0);
	assert_int_equal(response.status, 202);
	assert_true(now_ms() - start < 1000 + GUARD_MS);
	loopback_stop(&l);
}

/* Refuses after the head, and hangs up with most of the body unread: the
 * client's system sees a reset. */
static void serve_early(struct loopback *l, int fd)
{
	char bytes[512];

	(void)l;
	if (read(fd, bytes, sizeof(bytes)) > 0)
		loopback_send(fd, "HTTP/1.1 413 Too large\r\n"
				  "Content-Length: 3\r\n\r\nbig");
	usleep(100000);
}

static void test_early_answer(void **state)
{
	static char body[16 << 20];
	struct loopback l;
	struct pyro_http_response response;

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_early));
	assert_int_equal(post(l.port, body, sizeof(body), GUARD_MS, &response),
			 0);
	loopback_stop(&l);
	assert_int_equal(response.status, 413);
	assert_string_equal(response.message, "big");
}

static void reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void serve_reset(struct loopback *l, int fd)
{
	char bytes[512];

	(void)l;
	if (read(fd, bytes, sizeof(bytes)) > 0)
		loopback_send(fd, "HTTP/1.1 20");
	reset(fd);
}

static void test_reset(void **state)
{
	static char body[16 << 20];
	struct loopback l;
	struct pyro_http_response response;
	int err;

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_reset));
	err = post(l.port, body, sizeof(body), GUARD_MS, &response);
	assert_true(err == -ECONNRESET || err == -EPIPE);
	err = post(l.port, body, 10, GUARD_MS, &response);
	assert_true(err == -ECONNRESET || err == -EPIPE);
	loopback_stop(&l);
}

static void serve_close(struct loopback *l, int fd)
{
	size_t len;

	(void)l;
	loopback_request(fd, request_seen, sizeof(request_seen), &len);
}

static void serve_cut_body(struct loopback *l, int fd)
{
	serve_close(l, fd);
	loopback_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut");
}

static void serve_garbage(struct loopback *l, int fd)
{
	serve_close(l, fd);
	loopback_send(fd, "220 mail.example ESMTP\r\n");
}

static void test_cut(void **state)
{
	struct loopback l;
	struct pyro_http_response response;

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_close));
	assert_int_equal(post(l.port, "x", 1, GUARD_MS, &response),
			 -ECONNRESET);
	loopback_stop(&l);
	assert_true(loopback_start(&l, AF_INET, 0, serve_cut_body));
	assert_int_equal(post(l.port, "x", 1, GUARD_MS, &response), 0);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.message, "cut");
	loopback_stop(&l);
	assert_true(loopback_start(&l, AF_INET, 0, serve_garbage));
	assert_int_equal(post(l.port, "x", 1, GUARD_MS, &response), -EPROTO);
	loopback_stop(&l);
}

static _Atomic uint32_t cancel;

static void *cancel_soon(void *arg)
{
	(void)arg;
	usleep(200000);
	cancel = 1;
	return NULL;
}

static void test_cancel(void **state)
{
	struct loopback l;
	struct pyro_http_response response;
	struct pyro_url url;
	const char *why;
	char text[64];
	pthread_t thread;
	uint64_t start = now_ms();

	(void)state;
	assert_true(loopback_start(&l, AF_INET, 0, serve_nothing));
	sprintf(text, "http://127.0.0.1:%u", l.port);
	assert_int_equal(pyro_url_parse(text, &url, &why), 0);

	struct pyro_http_request request = {
		.url = &url,
		.path = "/",
		.content_type = "text/plain",
		.user_agent = "test/1",
		.timeout_ms = 60000,
		.cancel = &cancel,
	};

	assert_int_equal(pthread_create(&thread, NULL, cancel_soon, NULL), 0);
	assert_int_equal(pyro_http_post(&request, &response), -ECANCELED);
	assert_true(now_ms() - start < GUARD_MS);
	pthread_join(thread, NULL);
	loopback_stop(&l);
}

/* With the standard streams closed, their numbers stay free. */
static void test_low_descriptors(void **state)
{
	int saved = dup(STDIN_FILENO);

	(void)state;
	close(STDIN_FILENO);
	int fd = pyro_http_socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd > STDERR_FILENO);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(STDIN_FILENO, F_GETFD), -1);
	close(fd);
	if (saved >= 0) {
		dup2(saved, STDIN_FILENO);
		close(saved);
	}
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* SIGPIPE has its default action in this program: any would end it. */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parser),
		cmocka_unit_test(test_parser_limits),
		cmocka_unit_test(test_ok),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_no_such_name),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_500),
		cmocka_unit_test(test_hang),
		cmocka_unit_test(test_unread),
		cmocka_unit_test(test_drip),
		cmocka_unit_test(test_drip_body),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_low_descriptors),
	};

	alarm(120);
	signal(SIGPIPE, SIG_DFL);
	int before = count_descriptors();
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	if (count_descriptors() != before) {
		fprintf(stderr, "descriptors leaked\n");
		return 1;
	}
	return failed;
}
