// SPDX-License-Identifier: Apache-2.0
/* test_load.c - the public calls in a linked program: addresses, return codes,
 * many calls and many threads, start and stop
 *
 * What starts profiling runs in a forked child of its own, so that each begins
 * anew; the child's lines on descriptor 2 are read by the parent. */
#include "tests/loopback.h"
#include "tests/unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>

#include "pyroscope/pyroscope.h"

/* What a child tells its parent beside its lines. */
static struct report {
	bool on;
	double slowest_s; /* a call to load */
	int failed;       /* line of the first CHECK that did not hold */
} * report;

#define CHECK(condition)                                 \
	do {                                             \
		if (!(condition) && report->failed == 0) \
			report->failed = __LINE__;       \
	} while (0)

static char lines[65536];

/* fn(arg) in a child, its descriptor 2 in lines. Every line must be ours and
 * whole. Returns how many, less those that say that the server is not there:
 * whether the child lives long enough to find that out is chance. */
static int run(void (*fn)(const void *), const void *arg)
{
	int fds[2], status, count = 0;
	size_t len = 0;
	ssize_t n;

	*report = (struct report){0};
	assert_int_equal(pipe(fds), 0);

	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		dup2(fds[1], 2);
		close(fds[0]);
		close(fds[1]);
		fn(arg);
		exit(0);
	}
	close(fds[1]);
	while ((n = read(fds[0], lines + len, sizeof(lines) - 1 - len)) > 0)
		len += (size_t)n;
	close(fds[0]);
	lines[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("status %x; %s", (unsigned)status, lines);
	if (report->failed)
		fail_msg("line %d did not hold; %s", report->failed, lines);
	for (const char *at = lines; *at; at = strchr(at, '\n') + 1) {
		assert_memory_equal(at, "pyroscope: ", 11);
		assert_non_null(strchr(at, '\n'));
		count += strncmp(at + 11, "cannot send for now", 19) != 0;
	}
	return count;
}

static void timed_load(const char *address)
{
	double began = now_s();

	errno = 77;
	pyroscope_load(address);
	CHECK(errno == 77);

	double took = now_s() - began;

	if (took > report->slowest_s)
		report->slowest_s = took;
}

/* On, when a start says so; a session that this has begun is ended. */
static bool is_on(void)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	config.server_address = "http://127.0.0.1:1";
	if (pyroscope_start(&config) == -EALREADY)
		return true;
	pyroscope_stop(0);
	return false;
}

static void load_one(const void *address)
{
	timed_load(address);
	report->on = is_on();
}

static void load_ten_times(const void *address)
{
	for (int i = 0; i < 10; i++)
		timed_load(address);
	report->on = is_on();
}

static void *load_in_thread(void *address)
{
	timed_load(address);
	return NULL;
}

static void load_in_five_threads(const void *address)
{
	pthread_t thread[5];

	for (int i = 0; i < 5; i++)
		CHECK(pthread_create(&thread[i], NULL, load_in_thread,
				     (void *)(uintptr_t)address) == 0);
	for (int i = 0; i < 5; i++)
		pthread_join(thread[i], NULL);
	report->on = is_on();
}

static const char *const host_of_300 = "http://"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh"
				       "hhhhhhhhhhhhhhhhhhhh:4040";

static const struct {
	const char *address;
	bool on;
	int lines;
} addresses[] = {
	{NULL, true, 0},
	{"", true, 0},
	{" ", true, 0},
	{"\n", true, 0},
	{"null", false, 1},
	{"0", false, 1},
	{"-1", false, 1},
	{"http://", false, 1},
	{"://", false, 1},
	{"4040", false, 1},
	{"localhost", false, 1},
	{"127.0.0.1", false, 1},
	{"ftp://server:4040", false, 1},
	{"ws://server:4040", false, 1},
	{"http://[::1]:4040", true, 0},
	{"http://127.0.0.1:99999", false, 1},
	{"://no-protocol.com", false, 1},
	{"http://127.0.0.1:1", true, 0},
	{"http://127.0.0.1:1/with/path", true, 0},
	{"http://127.0.0.1:1?query=1", true, 1},
	{"http://127.0.0.1:1/p#fragment", true, 1},
	{"https://127.0.0.1:1", true, 0},
	{"http://no.such.host.invalid", true, 0},
	{"%s%n%s", false, 1},
	{"http://127.0.0.1:1\r\nX: y", false, 1},
};

static void check_addresses(const char *how, void (*fn)(const void *),
			    int calls)
{
	double slowest = 0;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		const char *address = addresses[i].address;
		int count = run(fn, address);
		int most = addresses[i].on ? addresses[i].lines
					   : addresses[i].lines * calls;

		if (count < addresses[i].lines || count > most ||
		    report->on != addresses[i].on)
			fail_msg("\"%s\": %s, %d lines: %s", address,
				 report->on ? "on" : "off", count, lines);
		if (report->slowest_s > slowest)
			slowest = report->slowest_s;
	}
	print_message("%s: the slowest call took %.2f ms\n", how,
		      slowest * 1000);
	assert_true(slowest < 1);
}

static void test_addresses(void **state)
{
	(void)state;
	check_addresses("once", load_one, 1);
	assert_int_equal(run(load_one, host_of_300), 1);
	assert_false(report->on);
}

static void test_ten_times(void **state)
{
	(void)state;
	check_addresses("ten times", load_ten_times, 10);
}

static void test_five_threads(void **state)
{
	(void)state;
	check_addresses("five threads", load_in_five_threads, 5);
}

static void test_hostname(void **state)
{
	(void)state;
	setenv("HOSTNAME", "a-host", 1);
	assert_int_equal(run(load_one, ""), 0);
	setenv("HOSTNAME", "", 1);
	assert_int_equal(run(load_one, ""), 0);
	unsetenv("HOSTNAME");
	assert_int_equal(run(load_one, ""), 0);
}

/* --- start, stop, flush --- */

static volatile uint64_t sink;

static void burn(double seconds)
{
	double end = now_s() + seconds;

	while (now_s() < end)
		for (int i = 0; i < 10000; i++)
			sink = sink * 3 + 1;
}

static void return_codes(const void *arg)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
	struct {
		struct pyroscope_config known;
		int more;
	} newer = {PYROSCOPE_CONFIG_INIT, 1};

	(void)arg;
	CHECK(pyroscope_stop(0) == 0);
	CHECK(pyroscope_stop(1000) == 0);
	CHECK(pyroscope_flush(0) == 0);
	CHECK(pyroscope_flush(1000) == 0);
	config.server_address = "nonsense";
	CHECK(pyroscope_start(&config) == -EINVAL);
	config.server_address = "http://127.0.0.1:1";
	config.sample_rate = 1001;
	CHECK(pyroscope_start(&config) == -EINVAL);
	config.sample_rate = 0;
	config.upload_interval_ms = 1;
	CHECK(pyroscope_start(&config) == -EINVAL);
	config.upload_interval_ms = 0;
	config.size = 3;
	CHECK(pyroscope_start(&config) == -EINVAL);
	newer.known.size = sizeof(newer);
	CHECK(pyroscope_start(&newer.known) == -E2BIG);
	CHECK(pyroscope_flush(0) == 0); /* still off */

	config.size = sizeof(config);
	for (int i = 0; i < 5; i++) {
		errno = 77;
		CHECK(pyroscope_start(&config) == 0);
		CHECK(pyroscope_start(&config) == -EALREADY);
		CHECK(pyroscope_start(NULL) == -EALREADY);
		CHECK(pyroscope_stop(i % 2 ? 500 : 0) <= 0);
		CHECK(pyroscope_stop(0) == 0);
		CHECK(errno == 77);
	}
	CHECK(pyroscope_start(NULL) == 0);
	CHECK(pyroscope_stop(0) <= 0);
}

static void test_return_codes(void **state)
{
	(void)state;
	/* One line for each of the five that were refused. */
	assert_int_equal(run(return_codes, NULL), 5);
}

static int thread_count(void)
{
	DIR *dir = opendir("/proc/self/task");
	int count = -2; /* "." and ".." */

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

static void switched_off(const void *arg)
{
	(void)arg;
	setenv("PYROSCOPE_PROFILING_ENABLED", "0", 1);
	errno = 77;
	CHECK(pyroscope_start(NULL) == -ECANCELED);
	pyroscope_load("http://127.0.0.1:1");
	CHECK(pyroscope_start(NULL) == -ECANCELED);
	CHECK(pyroscope_flush(1000) == 0);
	CHECK(pyroscope_stop(1000) == 0);
	CHECK(errno == 77);
	CHECK(thread_count() == 1);
	unsetenv("PYROSCOPE_PROFILING_ENABLED");
	CHECK(pyroscope_start(NULL) == 0);
	CHECK(thread_count() == 2);
	CHECK(pyroscope_stop(0) <= 0);
}

static void test_switched_off(void **state)
{
	(void)state;
	assert_int_equal(run(switched_off, NULL), 0);
}

/* Old programs have fewer fields than the library knows, new ones more. */
static void test_stats(void **state)
{
	struct {
		struct pyroscope_stats known;
		uint64_t more[2];
	} newer = {PYROSCOPE_STATS_INIT, {7, 7}};
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	(void)state;
	assert_int_equal(pyroscope_stats(NULL), -EINVAL);
	stats.size = 7;
	assert_int_equal(pyroscope_stats(&stats), -EINVAL);
	stats.size = 65537;
	assert_int_equal(pyroscope_stats(&stats), -EINVAL);

	memset(&stats, 0xa5, sizeof(stats));
	stats.size = offsetof(struct pyroscope_stats, lost);
	assert_int_equal(pyroscope_stats(&stats), 0);
	assert_int_equal(stats.size, offsetof(struct pyroscope_stats, lost));
	assert_int_equal(stats.samples, 0);
	assert_int_equal(stats.lost, 0xa5a5a5a5a5a5a5a5);

	newer.known.size = sizeof(newer.known) + sizeof(newer.more[0]);
	errno = 77;
	assert_int_equal(pyroscope_stats(&newer.known), 0);
	assert_int_equal(errno, 77);
	assert_int_equal(newer.more[0], 0);
	assert_int_equal(newer.more[1], 7);
}

/* What is not delivered is counted, too, by a thread that may be on its way. */
static void check_stats(void)
{
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	for (int i = 0; i < 1000 && !stats.profiles_dropped_stopped; i++) {
		CHECK(pyroscope_stats(&stats) == 0);
		usleep(10000);
	}
	CHECK(stats.samples > 0 && stats.objects == 0);
	CHECK(stats.profiles_sent == 0 && stats.tries_failed > 0);
	CHECK(stats.profiles_dropped_stopped > 0);
}

static void undelivered(const void *arg)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
	double began;

	(void)arg;
	config.server_address = "http://127.0.0.1:1"; /* nobody listens */
	CHECK(pyroscope_start(&config) == 0);
	burn(0.3);
	CHECK(pyroscope_flush(0) == 0);
	began = now_s();
	CHECK(pyroscope_flush(1100) == -ETIMEDOUT);
	CHECK(now_s() - began < 5);
	CHECK(pyroscope_start(&config) == -EALREADY); /* goes on */
	began = now_s();
	CHECK(pyroscope_stop(1000) == -ETIMEDOUT);
	CHECK(now_s() - began < 5);
	check_stats();
	CHECK(pyroscope_start(&config) == 0);
	CHECK(pyroscope_stop(0) <= 0);
}

static void test_undelivered(void **state)
{
	(void)state;
	run(undelivered, NULL);
}

static void app_names(const void *arg)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
	char name[300];

	(void)arg;
	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	config.server_address = "http://127.0.0.1:1";
	CHECK(pyroscope_set_app_name(name) == -EINVAL);
	name[255] = '\0';
	CHECK(pyroscope_set_app_name(name) == 0);
	CHECK(pyroscope_set_app_name("") == 0);
	CHECK(pyroscope_set_app_name(NULL) == 0);
	CHECK(pyroscope_set_app_name("app") == 0);
	CHECK(pyroscope_start(&config) == 0);
	CHECK(pyroscope_set_app_name("other") == -EALREADY);
	CHECK(pyroscope_stop(0) <= 0);
	CHECK(pyroscope_set_app_name("other") == 0);
}

static void test_app_names(void **state)
{
	(void)state;
	assert_int_equal(run(app_names, NULL), 0);
}

static void test_texts(void **state)
{
	static const int codes[] = {
		0,      EALREADY,   EINVAL,        E2BIG,        ENOTSUP,
		ENOMEM, EAGAIN,     ETIMEDOUT,     EACCES,       ENOSPC,
		ENOENT, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT, EMFILE,
		ENFILE, EBADF,      EPIPE,         EIO};

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
		const char *text = pyroscope_strerror(-codes[i]);

		assert_string_equal(text, pyroscope_strerror(codes[i]));
		assert_string_not_equal(text, "unknown error");
		assert_true(text[strlen(text) - 1] != '.');
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(text,
						pyroscope_strerror(codes[k]));
	}
	assert_string_equal(pyroscope_strerror(123456), "unknown error");
	assert_string_equal(pyroscope_strerror(INT32_MIN + 1), "unknown error");
	assert_string_equal(pyroscope_strerror(INT32_MIN), "unknown error");
	assert_string_equal(pyroscope_version(), PYROSCOPE_VERSION_STRING);
}

static void test_features(void **state)
{
	(void)state;
	assert_int_equal(pyroscope_features(),
			 PYROSCOPE_FEATURE_CPU | PYROSCOPE_FEATURE_HEAP |
				 PYROSCOPE_FEATURE_HTTPS |
				 PYROSCOPE_FEATURE_LINES |
				 PYROSCOPE_FEATURE_RESOLVER);
}

/* --- whom it reaches --- */

static void answer(struct loopback *l, int fd)
{
	char request[1 << 16];
	size_t len;

	(void)l;
	if (loopback_request(fd, request, sizeof(request), &len))
		loopback_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
				  "Connection: close\r\n\r\n{}");
}

static void first_wins(const void *arg)
{
	const char *const *address = arg;

	pyroscope_load("bad");
	pyroscope_load(address[0]);
	pyroscope_load(address[1]);
	pyroscope_load("also bad");
	burn(0.3);
	CHECK(pyroscope_flush(20000) == 0);
	burn(0.3);
	CHECK(pyroscope_stop(20000) == 0);
	/* Off: nothing goes anywhere. */
	burn(0.3);
	CHECK(pyroscope_flush(5000) == 0);
}

static void test_first_wins(void **state)
{
	struct loopback a, b;
	char text[2][64];
	const char *address[2] = {text[0], text[1]};

	(void)state;
	assert_true(loopback_start(&a, AF_INET, 0, answer));
	assert_true(loopback_start(&b, AF_INET, 0, answer));
	snprintf(text[0], sizeof(text[0]), "http://127.0.0.1:%u", a.port);
	snprintf(text[1], sizeof(text[1]), "http://127.0.0.1:%u", b.port);
	/* "bad" is one line; what comes after the first good one is not read. */
	assert_int_equal(run(first_wins, address), 1);
	assert_int_equal(atomic_load(&a.connections), 2);
	assert_int_equal(atomic_load(&b.connections), 0);
	loopback_stop(&a);
	loopback_stop(&b);
}

/* --- all at once --- */

static _Atomic bool enough;

static void *start_and_stop(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg + 1;
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	config.server_address = "http://127.0.0.1:1";
	config.sample_rate = 1000;
	while (!atomic_load(&enough)) {
		switch (next_random(&random) % 7) {
		case 0:
			pyroscope_start(&config);
			break;
		case 1:
			pyroscope_stop((uint32_t)(next_random(&random) % 30));
			break;
		case 2:
			pyroscope_flush((uint32_t)(next_random(&random) % 30));
			break;
		case 3:
			pyroscope_set_app_name("name");
			break;
		case 4:
			pyroscope_load("http://127.0.0.1:1");
			break;
		case 5:
			CHECK(pyroscope_stats(&stats) == 0);
			break;
		default:
			burn(0.005);
		}
	}
	return NULL;
}

static void all_at_once(const void *arg)
{
	pthread_t thread[6];

	(void)arg;
	for (uintptr_t i = 0; i < 6; i++)
		CHECK(pthread_create(&thread[i], NULL, start_and_stop,
				     (void *)i) == 0);
	burn(3);
	atomic_store(&enough, true);
	for (int i = 0; i < 6; i++)
		pthread_join(thread[i], NULL);
	pyroscope_stop(0);
	CHECK(!is_on());
}

static void test_all_at_once(void **state)
{
	(void)state;
	if (run(all_at_once, NULL) != 0)
		fail_msg("%s", lines);
}

static int set_up(void **state)
{
	(void)state;
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return report == MAP_FAILED;
}

int main(void)
{
	/* One profile a window. */
	setenv("PYROSCOPE_PROFILE_TYPES", "cpu", 1);

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_ten_times),
		cmocka_unit_test(test_five_threads),
		cmocka_unit_test(test_hostname),
		cmocka_unit_test(test_return_codes),
		cmocka_unit_test(test_switched_off),
		cmocka_unit_test(test_stats),
		cmocka_unit_test(test_undelivered),
		cmocka_unit_test(test_app_names),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_first_wins),
		cmocka_unit_test(test_all_at_once),
	};

	alarm(170);
	return cmocka_run_group_tests(tests, set_up, NULL);
}
