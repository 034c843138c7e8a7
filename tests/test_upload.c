// SPDX-License-Identifier: Apache-2.0
/* test_upload.c - the queue, retries, and what a flush waits for, against
 * servers that answer by script */
#include "transport/upload.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/os.h"
#include "loopback.h"

/* Hang guards are seconds above what is waited for. */
#define GUARD_MS 10000
#define SEEN_MAX 64

/* What the server saw, and what it answers: one text for each request, the last
 * one for ever; "" closes the connection. */
static struct {
	pthread_mutex_t lock;
	const char *const *answers;
	unsigned count;
	uint64_t at_ms[SEEN_MAX];
	size_t len[SEEN_MAX];
	char body[SEEN_MAX][256];
	char head[1024];
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct pyro_upload_stats stats; /* of the newest uploader */

static _Atomic bool hold; /* answer nobody before this is false */

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define STATUS(code) "HTTP/1.1 " code " X\r\nContent-Length: 3\r\n\r\nwhy"

static uint64_t now_ms(void)
{
	return pyro_clock_ns(CLOCK_MONOTONIC) / PYRO_NS_PER_MS;
}

static void serve_script(struct loopback *l, int fd)
{
	static char request[1 << 20];
	size_t len = 0;
	size_t at = loopback_request(fd, request, sizeof(request), &len);

	if (at == 0)
		return;
	pthread_mutex_lock(&seen.lock);
	unsigned i = seen.count < SEEN_MAX ? seen.count : SEEN_MAX - 1;

	seen.count++;
	seen.at_ms[i] = now_ms();
	seen.len[i] = len;
	memcpy(seen.body[i], request + at, len < 256 ? len : 256);
	memcpy(seen.head, request, at < 1023 ? at : 1023);

	const char *answer = seen.answers[0];

	if (seen.answers[1])
		seen.answers++;
	pthread_mutex_unlock(&seen.lock);
	while (hold && !l->stop)
		usleep(10000);
	loopback_send(fd, answer);
}

static void start_server(struct loopback *l, uint16_t port,
			 const char *const *answers)
{
	memset(seen.head, 0, sizeof(seen.head));
	seen.answers = answers;
	seen.count = 0;
	hold = false;
	assert_true(loopback_start(l, AF_INET, port, serve_script));
}

static struct pyro_uploader *make(uint16_t port, uint32_t timeout_ms,
				  size_t queue_max, size_t bytes_max)
{
	struct pyro_uploader_config config = {
		.user_agent = "test/1",
		.timeout_ms = timeout_ms,
		.queue_max = queue_max,
		.queue_bytes_max = bytes_max,
		.stats = &stats,
	};
	char text[64];
	const char *why;

	memset(&stats, 0, sizeof(stats));
	sprintf(text, "http://127.0.0.1:%u/base", port);
	assert_int_equal(pyro_url_parse(text, &config.url, &why), 0);

	struct pyro_uploader *u = pyro_uploader_new(&config);

	assert_non_null(u);
	return u;
}

static int push_bytes(struct pyro_uploader *u, const void *data, size_t len)
{
	struct pyro_upload upload = {
		.made_ns = pyro_clock_ns(CLOCK_MONOTONIC),
	};

	pyro_buf_put(&upload.body, data, len);
	int err = pyro_uploader_push(u, &upload);

	assert_null(upload.body.data);
	return err;
}

static void push(struct pyro_uploader *u, const char *text)
{
	assert_int_equal(push_bytes(u, text, strlen(text)), 0);
}

/* Wait until the server has seen count requests. */
static void await_seen(unsigned count)
{
	uint64_t end = now_ms() + GUARD_MS;
	unsigned got;

	do {
		usleep(5000);
		pthread_mutex_lock(&seen.lock);
		got = seen.count;
		pthread_mutex_unlock(&seen.lock);
	} while (got < count && now_ms() < end);
	assert_true(got >= count);
}

static void await_failed(uint64_t tries)
{
	uint64_t end = now_ms() + GUARD_MS;

	while (stats.failed_tries < tries && now_ms() < end)
		usleep(5000);
	assert_true(stats.failed_tries >= tries);
}

static char log_path[] = "/tmp/test_upload.XXXXXX";

static int count_in_log(const char *what)
{
	static char text[1 << 16];
	FILE *f = fopen(log_path, "r");
	int count = 0;

	assert_non_null(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	for (const char *at = text; (at = strstr(at, what)); at++)
		count++;
	return count;
}

static int empty_log(void **state)
{
	(void)state;
	return truncate(log_path, 0);
}

static void test_send(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	char want[512];

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	assert_int_equal(pyro_uploader_flush(u, 0, 0), 0);
	push(u, "first");
	push(u, "second");
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(seen.count, 2);
	assert_memory_equal(seen.body[0], "first", 5);
	assert_memory_equal(seen.body[1], "second", 6);
	sprintf(want,
		"POST /base/push.v1.PusherService/Push HTTP/1.1\r\n"
		"Host: 127.0.0.1:%u\r\nUser-Agent: test/1\r\n"
		"Content-Type: application/proto\r\nContent-Encoding: gzip\r\n"
		"Content-Length: 6\r\nConnection: close\r\n\r\n",
		l.port);
	assert_string_equal(seen.head, want);

	assert_int_equal(stats.sent, 2);
	assert_int_equal(stats.failed_tries, 0);
	assert_int_equal(stats.last_status, 200);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
	assert_int_equal(count_in_log("\n"), 0);
}

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
	assert_int_equal(count_in_log("\n"), 2);
	assert_int_equal(count_in_log("cannot send for now to http://"), 1);
	assert_int_equal(count_in_log("HTTP 503 why\n"), 1);
	assert_int_equal(count_in_log("sending again to http://"), 1);
	pyro_uploader_free(u, GUARD_MS);
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
	assert_int_equal(count_in_log("\n"), 2);
	assert_int_equal(count_in_log("HTTP 401 why\n"), 1);
	assert_int_equal(count_in_log("HTTP 400 why\n"), 1);
	pyro_uploader_free(u, GUARD_MS);
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

/* The oldest goes first, but never the one on the wire. */
static void test_queue_count(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	char name[] = "0";

	(void)state;
	start_server(&l, 0, answers);
	hold = true;
	struct pyro_uploader *u = make(l.port, GUARD_MS, 3, 1 << 20);

	push(u, "wire");
	await_seen(1);
	for (; name[0] <= '9'; name[0]++)
		push(u, name);
	assert_int_equal(stats.dropped_full, 7);
	hold = false;
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(seen.count, 4);
	assert_memory_equal(seen.body[0], "wire", 4);
	assert_memory_equal(seen.body[1], "7", 1);
	assert_memory_equal(seen.body[2], "8", 1);
	assert_memory_equal(seen.body[3], "9", 1);
	assert_int_equal(stats.sent, 4);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

static void test_queue_bytes(void **state)
{
	static const char *const answers[] = {OK, NULL};
	static char page[4096];
	struct loopback l;

	(void)state;
	start_server(&l, 0, answers);
	hold = true;
	struct pyro_uploader *u = make(l.port, GUARD_MS, 100, 3 * 4096);

	push(u, "wire");
	await_seen(1);
	for (int i = 0; i < 10; i++) {
		memset(page, '0' + i, sizeof(page));
		assert_int_equal(push_bytes(u, page, sizeof(page)), 0);
	}
	assert_int_equal(stats.dropped_full, 7);
	/* Larger than all of the queue: nothing else goes for it. */
	static char large[3 * 4096 + 1];

	assert_int_equal(push_bytes(u, large, sizeof(large)), -EFBIG);
	assert_int_equal(stats.dropped_full, 8);
	hold = false;
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(seen.count, 4);
	assert_int_equal(seen.body[1][0], '7');
	assert_int_equal(seen.body[3][0], '9');
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

/* Between its tries the oldest is as any other. */
static void test_drop_in_backoff(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 503 X\r\nRetry-After: 99\r\n\r\n", OK, NULL};
	struct loopback l;

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 1, 1 << 20);

	push(u, "old");
	await_failed(1);
	push(u, "young"); /* one place is for what is on the wire */
	assert_int_equal(stats.dropped_full, 1);
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(seen.count, 2);
	assert_memory_equal(seen.body[1], "young", 5);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

static void test_old(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	struct pyro_upload upload = {
		.made_ns = pyro_clock_ns(CLOCK_MONOTONIC) -
			   56 * 60 * PYRO_NS_PER_SEC,
	};

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 10, 1 << 20);

	pyro_buf_puts(&upload.body, "old");
	assert_int_equal(pyro_uploader_push(u, &upload), 0);
	push(u, "young");
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	assert_int_equal(seen.count, 1);
	assert_memory_equal(seen.body[0], "young", 5);
	assert_int_equal(stats.dropped_old, 1);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

static void test_broken_body(void **state)
{
	struct pyro_upload upload = {.body = {.failed = true}};
	struct pyro_uploader *u = make(1, GUARD_MS, 10, 1 << 20);

	(void)state;
	assert_int_equal(pyro_uploader_push(u, &upload), -ENOMEM);
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	pyro_uploader_free(u, 0);
	pyro_uploader_free(NULL, 0);
	assert_int_equal(stats.dropped_freed, 0);
}

/* Each flush tries once at once, also in the middle of a long backoff; after
 * ten tries the profile is given up. */
static void test_flush_dead(void **state)
{
	struct pyro_uploader *u =
		make(loopback_closed_port(), GUARD_MS, 10, 1 << 20);
	uint64_t start;

	(void)state;
	push(u, "x");
	await_failed(1);
	for (unsigned i = 2; i <= 8; i++) {
		start = now_ms();
		assert_int_equal(pyro_uploader_flush(u, 60000, 100),
				 -ETIMEDOUT);
		assert_true(now_ms() - start < GUARD_MS);
		await_failed(i);
	}
	assert_int_equal(stats.last_status, -ECONNREFUSED);
	/* One more may have been made by the end of a backoff. */
	pyro_uploader_flush(u, 60000, 100);
	await_failed(9);
	pyro_uploader_flush(u, 60000, 100);
	await_failed(10);
	assert_int_equal(pyro_uploader_flush(u, 0, 0), 0);
	assert_int_equal(stats.failed_tries, 10);
	assert_int_equal(stats.dropped_refused, 1);
	assert_int_equal(count_in_log("\n"), 1);
	assert_int_equal(count_in_log("connection refused\n"), 1);
	pyro_uploader_free(u, GUARD_MS);
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
	assert_int_equal(count_in_log("\n"), 2);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

/* Nothing has failed yet when the server hangs: the longer time counts. */
static void test_flush_hanging(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	uint64_t start;

	(void)state;
	start_server(&l, 0, answers);
	hold = true;
	struct pyro_uploader *u = make(l.port, 60000, 10, 1 << 20);

	push(u, "x");
	start = now_ms();
	assert_int_equal(pyro_uploader_flush(u, 2000, 100), -ETIMEDOUT);
	assert_true(now_ms() - start >= 1999);
	assert_true(now_ms() - start < 2000 + GUARD_MS);

	/* The try that hangs is given up. */
	start = now_ms();
	pyro_uploader_free(u, 60000);
	assert_true(now_ms() - start < GUARD_MS);
	assert_int_equal(count_in_log("\n"), 0);
	loopback_stop(&l);
}

static int count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int count = -2; /* . and .. */

	assert_non_null(d);
	while (readdir(d))
		count++;
	closedir(d);
	return count;
}

/* Without time to wait, the thread is left alone, and ends. */
static void test_free_at_once(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	uint64_t end;

	(void)state;
	start_server(&l, 0, answers);
	hold = true;

	int before = count_threads();
	struct pyro_uploader *u = make(l.port, 60000, 10, 1 << 20);

	push(u, "x");
	push(u, "y");
	await_seen(1);
	pyro_uploader_free(u, 0);
	end = now_ms() + GUARD_MS;
	while (count_threads() > before && now_ms() < end)
		usleep(5000);
	assert_int_equal(count_threads(), before);
	loopback_stop(&l);
}

static void test_halt(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	uint64_t start = now_ms();

	(void)state;
	start_server(&l, 0, answers);
	hold = true;
	struct pyro_uploader *u = make(l.port, 60000, 10, 1 << 20);

	push(u, "x");
	await_seen(1);
	assert_int_equal(pyro_uploader_halt(u, GUARD_MS), 0);
	assert_int_equal(pyro_uploader_halt(u, 0), 0);
	assert_int_equal(push_bytes(u, "y", 1), -ECANCELED);
	assert_int_equal(pyro_uploader_flush(u, 60000, 60000), -ETIMEDOUT);
	assert_true(now_ms() - start < GUARD_MS);
	pyro_uploader_free(u, 0);
	loopback_stop(&l);

	u = make(l.port, GUARD_MS, 10, 1 << 20);
	assert_int_equal(pyro_uploader_halt(u, 0), 0);
	assert_int_equal(pyro_uploader_flush(u, GUARD_MS, GUARD_MS), 0);
	pyro_uploader_free(u, 0);
}

static void *flush_in_thread(void *arg)
{
	return (void *)(intptr_t)pyro_uploader_flush(arg, GUARD_MS, GUARD_MS);
}

/* What is pushed while a flush waits is not waited for, and that some of it is
 * dropped is not taken for what is waited for. */
static void test_flush_bound(void **state)
{
	static const char *const answers[] = {
		OK, "HTTP/1.1 503 X\r\nRetry-After: 99\r\n\r\n", NULL};
	struct loopback l;
	pthread_t thread;
	void *result;

	(void)state;
	start_server(&l, 0, answers);
	hold = true;
	struct pyro_uploader *u = make(l.port, GUARD_MS, 1, 1 << 20);

	push(u, "before");
	await_seen(1);
	assert_int_equal(pthread_create(&thread, NULL, flush_in_thread, u), 0);
	usleep(200000);
	for (int i = 0; i < 5; i++)
		push(u, "after");
	usleep(200000);
	assert_int_equal(pthread_tryjoin_np(thread, &result), EBUSY);
	hold = false;
	pthread_join(thread, &result);
	assert_null(result);
	assert_int_equal(stats.dropped_full, 4);
	await_failed(1);
	assert_int_equal(pyro_uploader_flush(u, 60000, 0), -ETIMEDOUT);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

static long resident_kib(void)
{
	long pages = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%ld %ld", &pages, &resident), 2);
	fclose(f);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

/* 100 MB through a queue of 1 MiB. */
static void test_memory_flat(void **state)
{
	static char body[100000];
	struct pyro_uploader *u =
		make(loopback_closed_port(), GUARD_MS, 100, 1 << 20);

	(void)state;
	memset(body, 'x', sizeof(body));
	push(u, "x");
	await_failed(1);

	for (int i = 0; i < 100; i++)
		assert_int_equal(push_bytes(u, body, sizeof(body)), 0);

	long before = resident_kib();

	for (int i = 0; i < 1000; i++)
		assert_int_equal(push_bytes(u, body, sizeof(body)), 0);
	assert_true(resident_kib() - before < 4096);
	assert_true(stats.dropped_full >= 980);
	pyro_uploader_free(u, GUARD_MS);
}

static void *push_many(void *arg)
{
	for (int i = 0; i < 50; i++)
		push_bytes(arg, "x", 1);
	return NULL;
}

static void test_many_threads(void **state)
{
	static const char *const answers[] = {OK, NULL};
	struct loopback l;
	pthread_t threads[4];

	(void)state;
	start_server(&l, 0, answers);
	struct pyro_uploader *u = make(l.port, GUARD_MS, 1000, 1 << 24);

	for (size_t i = 0; i < PYRO_COUNT_OF(threads); i++)
		assert_int_equal(
			pthread_create(&threads[i], NULL, push_many, u), 0);
	for (size_t i = 0; i < PYRO_COUNT_OF(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(pyro_uploader_flush(u, 3 * GUARD_MS, GUARD_MS), 0);
	assert_int_equal(stats.sent, 200);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_send, empty_log),
		cmocka_unit_test_setup(test_retry, empty_log),
		cmocka_unit_test_setup(test_statuses, empty_log),
		cmocka_unit_test_setup(test_refused_log, empty_log),
		cmocka_unit_test_setup(test_retry_after, empty_log),
		cmocka_unit_test_setup(test_queue_count, empty_log),
		cmocka_unit_test_setup(test_queue_bytes, empty_log),
		cmocka_unit_test_setup(test_drop_in_backoff, empty_log),
		cmocka_unit_test_setup(test_old, empty_log),
		cmocka_unit_test_setup(test_broken_body, empty_log),
		cmocka_unit_test_setup(test_flush_dead, empty_log),
		cmocka_unit_test_setup(test_flush_revived, empty_log),
		cmocka_unit_test_setup(test_flush_hanging, empty_log),
		cmocka_unit_test_setup(test_free_at_once, empty_log),
		cmocka_unit_test_setup(test_halt, empty_log),
		cmocka_unit_test_setup(test_flush_bound, empty_log),
		cmocka_unit_test_setup(test_memory_flat, empty_log),
		cmocka_unit_test_setup(test_many_threads, empty_log),
	};
	int fd = mkstemp(log_path);

	if (fd < 0)
		return 1;
	close(fd);
	alarm(180);
	signal(SIGPIPE, SIG_DFL);
	pyro_log_to(log_path);
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(log_path);
	return failed;
}
