// SPDX-License-Identifier: Apache-2.0
/* upload_util.h - an uploader, and a server that answers by script */
#ifndef PYRO_TESTS_UPLOAD_UTIL_H
#define PYRO_TESTS_UPLOAD_UTIL_H

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

static inline uint64_t now_ms(void)
{
	return pyro_clock_ns(CLOCK_MONOTONIC) / PYRO_NS_PER_MS;
}

static inline void serve_script(struct loopback *l, int fd)
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

static inline void start_server(struct loopback *l, uint16_t port,
				const char *const *answers)
{
	memset(seen.head, 0, sizeof(seen.head));
	seen.answers = answers;
	seen.count = 0;
	hold = false;
	assert_true(loopback_start(l, AF_INET, port, serve_script));
}

static inline struct pyro_uploader *make_at(const char *text,
					    uint32_t timeout_ms,
					    size_t queue_max, size_t bytes_max)
{
	struct pyro_uploader_config config = {
		.user_agent = "test/1",
		.timeout_ms = timeout_ms,
		.queue_max = queue_max,
		.queue_bytes_max = bytes_max,
		.tries_max = 10,
		.stats = &stats,
	};
	const char *why;

	memset(&stats, 0, sizeof(stats));
	assert_int_equal(pyro_url_parse(text, &config.url, &why), 0);
	assert_null(pyro_headers_tenant(&config.headers, "team"));

	struct pyro_uploader *u = pyro_uploader_new(&config);

	assert_non_null(u);
	return u;
}

static inline struct pyro_uploader *make(uint16_t port, uint32_t timeout_ms,
					 size_t queue_max, size_t bytes_max)
{
	char text[64];

	sprintf(text, "http://127.0.0.1:%u/base", port);
	return make_at(text, timeout_ms, queue_max, bytes_max);
}

static inline int push_bytes(struct pyro_uploader *u, const void *data,
			     size_t len)
{
	struct pyro_upload upload = {
		.time_ns = (int64_t)pyro_clock_ns(CLOCK_REALTIME),
	};

	pyro_buf_put(&upload.body, data, len);
	int err = pyro_uploader_push(u, &upload);

	assert_null(upload.body.data);
	return err;
}

static inline void push(struct pyro_uploader *u, const char *text)
{
	assert_int_equal(push_bytes(u, text, strlen(text)), 0);
}

/* Wait until the server has seen count requests. */
static inline void await_seen(unsigned count)
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

static inline void await_failed(uint64_t tries)
{
	uint64_t end = now_ms() + GUARD_MS;

	while (stats.failed_tries < tries && now_ms() < end)
		usleep(5000);
	assert_true(stats.failed_tries >= tries);
}

static char log_path[] = "/tmp/test_upload.XXXXXX";

static inline int count_in_log(const char *what)
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

static inline int empty_log(void **state)
{
	(void)state;
	return truncate(log_path, 0);
}

/* Of the group: log lines are kept, and a hang ends. */
static inline int begin_log(void **state)
{
	int fd = mkstemp(log_path);

	(void)state;
	if (fd < 0)
		return -1;
	close(fd);
	alarm(180);
	signal(SIGPIPE, SIG_DFL);
	pyro_log_to(log_path);
	return 0;
}

static inline int end_log(void **state)
{
	(void)state;
	return unlink(log_path);
}

#endif
