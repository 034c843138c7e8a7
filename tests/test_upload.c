// SPDX-License-Identifier: Apache-2.0
/* test_upload.c - the queue and its bounds, and what a flush waits for */
#include "tests/upload_util.h"

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
		"X-Scope-OrgID: team\r\nContent-Length: 6\r\nConnection: "
		"close\r\n\r\n",
		l.port);
	assert_string_equal(seen.head, want);

	assert_int_equal(stats.sent, 2);
	assert_int_equal(stats.failed_tries, 0);
	assert_int_equal(stats.last_status, 200);
	pyro_uploader_free(u, GUARD_MS);
	loopback_stop(&l);
	assert_int_equal(count_in_log("\n"), 0);
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
		.time_ns = (int64_t)(pyro_clock_ns(CLOCK_REALTIME) -
				     56 * 60 * PYRO_NS_PER_SEC),
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
		cmocka_unit_test_setup(test_queue_count, empty_log),
		cmocka_unit_test_setup(test_queue_bytes, empty_log),
		cmocka_unit_test_setup(test_drop_in_backoff, empty_log),
		cmocka_unit_test_setup(test_old, empty_log),
		cmocka_unit_test_setup(test_broken_body, empty_log),
		cmocka_unit_test_setup(test_flush_hanging, empty_log),
		cmocka_unit_test_setup(test_free_at_once, empty_log),
		cmocka_unit_test_setup(test_halt, empty_log),
		cmocka_unit_test_setup(test_flush_bound, empty_log),
		cmocka_unit_test_setup(test_memory_flat, empty_log),
		cmocka_unit_test_setup(test_many_threads, empty_log),
	};

	return cmocka_run_group_tests(tests, begin_log, end_log);
}
