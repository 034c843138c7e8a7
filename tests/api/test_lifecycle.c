// SPDX-License-Identifier: Apache-2.0
/* test_lifecycle.c - in one process that lives on: a thousand sessions, the log as
 * the program takes it, flushes, labels of new threads, cancellation */
#include "tests/unit.h"

#include <dirent.h>
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <threads.h>

#include "pyroscope/pyroscope.h"

static struct pyroscope_config nowhere(void)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	config.server_address = "http://127.0.0.1:1";
	return config;
}

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir))
		count++;
	if (dir)
		closedir(dir);
	return count;
}

/* Of /proc/self/status. */
static long status_kib(const char *field)
{
	char line[256];
	long kib = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, field, strlen(field)) == 0)
			kib = atol(line + strlen(field));
	if (f)
		fclose(f);
	return kib;
}

/* --- the log --- */

static struct {
	int count[PYROSCOPE_LOG_DEBUG + 1];
	int strangers; /* not called on a thread that may */
	char last[600];
	int err; /* what a call inside returned */
} log_seen;
static int log_arg;
static pid_t caller;

static bool all_blocked(void)
{
	sigset_t now;

	pthread_sigmask(SIG_BLOCK, NULL, &now);
	return sigismember(&now, SIGTERM) && sigismember(&now, SIGURG) &&
	       sigismember(&now, SIGPROF);
}

static void take(int level, const char *text, void *arg)
{
	pid_t tid = (pid_t)syscall(SYS_gettid);

	assert_ptr_equal(arg, &log_arg);
	assert_in_range(level, PYROSCOPE_LOG_ERROR, PYROSCOPE_LOG_DEBUG);
	assert_null(strchr(text, '\n'));
	assert_int_not_equal(strncmp(text, "pyroscope", 9), 0);
	log_seen.count[level]++;
	log_seen.strangers += tid != caller && !all_blocked();
	snprintf(log_seen.last, sizeof(log_seen.last), "%s", text);
	errno = 5;
}

static void take_within(int level, const char *text, void *arg)
{
	take(level, text, arg);
	log_seen.err = pyroscope_set_log(NULL, NULL);
}

/* What is on descriptor 2 after fn. */
static size_t bytes_on_stderr(void (*fn)(void))
{
	char bytes[4096];
	int fds[2], old = dup(2);

	assert_int_equal(pipe(fds), 0);
	dup2(fds[1], 2);
	fn();
	dup2(old, 2);
	close(old);
	close(fds[1]);

	ssize_t n = read(fds[0], bytes, sizeof(bytes));

	close(fds[0]);
	return n > 0 ? (size_t)n : 0;
}

static void refused(void)
{
	struct pyroscope_config config = nowhere();

	errno = 77;
	config.sample_rate = 1001;
	assert_int_equal(pyroscope_start(&config), -EINVAL);
	assert_int_equal(errno, 77);
}

static void test_log(void **state)
{
	struct pyroscope_config config = nowhere();

	(void)state;
	caller = (pid_t)syscall(SYS_gettid);
	assert_int_equal(pyroscope_set_log(take, &log_arg), 0);
	assert_int_equal(bytes_on_stderr(refused), 0);
	assert_int_equal(log_seen.count[PYROSCOPE_LOG_ERROR], 1);
	assert_non_null(strstr(log_seen.last, "sample_rate is 1001"));

	/* From the library's threads, too: the server is not there. */
	setenv("PYROSCOPE_LOG_LEVEL", "debug", 1);
	assert_int_equal(pyroscope_start(&config), 0);
	for (int i = 0; i < 3000 && !log_seen.count[PYROSCOPE_LOG_WARN]; i++) {
		for (int k = 0; k < 1000000; k++)
			__asm__ volatile("");
		if (i % 100 == 0)
			pyroscope_flush(0);
		usleep(1000);
	}
	assert_int_equal(pyroscope_stop(0), -ETIMEDOUT);
	unsetenv("PYROSCOPE_LOG_LEVEL");
	assert_int_not_equal(log_seen.count[PYROSCOPE_LOG_WARN], 0);
	assert_int_not_equal(log_seen.count[PYROSCOPE_LOG_INFO], 0);
	assert_int_equal(log_seen.strangers, 0);

	/* A call from within is told, and does not hang. */
	assert_int_equal(pyroscope_set_log(take_within, &log_arg), 0);
	refused();
	assert_int_equal(log_seen.err, -EBUSY);

	assert_int_equal(pyroscope_set_log(NULL, NULL), 0);
	assert_int_not_equal(bytes_on_stderr(refused), 0);
}

/* A function that waits for what the thread that logs has: the line takes the
 * other way. */
static pthread_mutex_t programs = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool inside;

static void take_locked(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
	atomic_store(&inside, true);
	pthread_mutex_lock(&programs);
	pthread_mutex_unlock(&programs);
}

static void *refused_thread(void *arg)
{
	refused();
	return arg;
}

static void refused_in_lock(void)
{
	pthread_t thread;

	pthread_mutex_lock(&programs);
	assert_int_equal(pthread_create(&thread, NULL, refused_thread, NULL),
			 0);
	while (!atomic_load(&inside))
		usleep(1000);
	/* Not by start, for which the other thread has the session. */
	assert_int_equal(pyroscope_config_set(NULL, "x", "y"), -EINVAL);

	struct pyroscope_config config = nowhere();

	assert_int_equal(pyroscope_config_set(&config, "x", "y"), -EINVAL);
	pthread_mutex_unlock(&programs);
	pthread_join(thread, NULL);
}

static void test_log_waits(void **state)
{
	(void)state;
	assert_int_equal(pyroscope_set_log(take_locked, NULL), 0);
	assert_int_not_equal(bytes_on_stderr(refused_in_lock), 0);
	assert_int_equal(pyroscope_set_log(NULL, NULL), 0);
}

/* --- a flush that follows one that gave up --- */

static atomic_int profiles_begun;
static sem_t profile_may_end;
static atomic_bool gate_open, flushed;
static int flush_result = 1;

/* The collector waits here, in the middle of a window's end. */
static void take_gated(int level, const char *text, void *arg)
{
	(void)arg;
	if (level != PYROSCOPE_LOG_DEBUG ||
	    strncmp(text, "a profile: ", 11) != 0 || atomic_load(&gate_open))
		return;
	atomic_fetch_add(&profiles_begun, 1);
	while (sem_wait(&profile_may_end) != 0)
		;
}

static void wait_for_profile(int which)
{
	while (atomic_load(&profiles_begun) < which)
		usleep(1000);
}

static void *flush_patiently(void *arg)
{
	flush_result = pyroscope_flush(60000);
	atomic_store(&flushed, true);
	return arg;
}

static void test_flush_after_timeout(void **state)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
	char dir[] = "/tmp/pyro-lifecycle.XXXXXX", command[64];
	pthread_t thread;

	(void)state;
	assert_non_null(mkdtemp(dir));
	setenv("PYROSCOPE_OUTPUT_DIR", dir, 1);
	setenv("PYROSCOPE_LOG_LEVEL", "debug", 1);
	sem_init(&profile_may_end, 0, 0);
	assert_int_equal(pyroscope_set_log(take_gated, NULL), 0);
	config.profile_types = "heap"; /* one profile a window */
	assert_int_equal(pyroscope_start(&config), 0);
	assert_int_equal(pyroscope_flush(0), -ETIMEDOUT);
	wait_for_profile(1);
	pthread_create(&thread, NULL, flush_patiently, NULL);
	usleep(100000); /* most likely it has asked by then */
	sem_post(&profile_may_end);
	wait_for_profile(2);
	usleep(100000);
	assert_false(flushed); /* its window has not ended */
	atomic_store(&gate_open, true);
	sem_post(&profile_may_end);
	pthread_join(thread, NULL);
	assert_int_equal(flush_result, 0);
	assert_int_equal(pyroscope_stop(0), 0);
	assert_int_equal(pyroscope_set_log(NULL, NULL), 0);
	unsetenv("PYROSCOPE_LOG_LEVEL");
	unsetenv("PYROSCOPE_OUTPUT_DIR");
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* Without a word in the environment. */
static void test_output_dir(void **state)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
	char dir[] = "/tmp/pyro-lifecycle.XXXXXX", command[96];

	(void)state;
	assert_non_null(mkdtemp(dir));
	config.format = "file";
	config.output_dir = dir;
	config.profile_types = "heap";
	assert_int_equal(pyroscope_start(&config), 0);
	assert_int_equal(pyroscope_stop(10000), 0);
	snprintf(command, sizeof(command),
		 "ls %s/*.heap.pb.gz >/dev/null && rm -r %s", dir, dir);
	assert_int_equal(system(command), 0);
}

/* --- threads that work, and call nothing of the library --- */

#define WORKERS 2

static _Thread_local bool is_worker;
static _Atomic bool workers_done;
static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;

static void *end_at_once(void *arg)
{
	return arg;
}

static void *work(void *arg)
{
	void *volatile block;
	pthread_t thread;

	is_worker = true;
	while (!workers_done) {
		block = malloc(100000);
		pthread_mutex_lock(&contended);
		for (int i = 0; i < 100000; i++)
			__asm__ volatile("");
		pthread_mutex_unlock(&contended);
		free(block);
		if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
			pthread_join(thread, NULL);
		usleep(2000);
	}
	return arg;
}

static void begin_workers(pthread_t thread[WORKERS])
{
	workers_done = false;
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, NULL),
				 0);
}

static void end_workers(const pthread_t thread[WORKERS])
{
	workers_done = true;
	for (int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
}

/* Lines, and those given to a worker, of which each is in a signal handler or in a
 * call that is wrapped: here and in a forked child. */
static struct {
	_Atomic int lines, wrong;
} * told;

static void take_by_thread(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
	told->lines++;
	told->wrong += is_worker;
}

/* It comes to life in a call that is wrapped. */
static int live_for_a_while(void *arg)
{
	(void)arg;
	is_worker = true;
	for (int i = 0; i < 20; i++) {
		usleep(10000);
		for (int k = 0; k < 5000000; k++)
			__asm__ volatile("");
	}
	return 0;
}

static void test_log_no_hook(void **state)
{
	struct pyroscope_config config = nowhere();
	struct sigaction taken = {.sa_handler = SIG_IGN};
	pthread_t thread[WORKERS];
	int lines;

	(void)state;
	told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(told, MAP_FAILED);
	setenv("PYROSCOPE_LOG_LEVEL", "debug", 1);
	assert_int_equal(pyroscope_set_log(take_by_thread, NULL), 0);
	config.heap_interval = 1000;
	config.upload_interval_ms = 1000;
	assert_int_equal(pyroscope_start(&config), 0);
	begin_workers(thread);
	for (int i = 0; i < 10; i++) {
		usleep(20000);
		pyroscope_labels_set(
			pyroscope_labels_with(0, "not a name", "x"));
		pyroscope_flush(0);
	}
	sigaction(SIGURG, &taken, NULL);
	lines = told->lines;
	assert_in_range(lines, 20, 10000);
	assert_int_equal(in_child(live_for_a_while, NULL), 0);
	end_workers(thread);
	pyroscope_stop(0);
	signal(SIGURG, SIG_DFL);
	unsetenv("PYROSCOPE_LOG_LEVEL");
	assert_int_equal(pyroscope_set_log(NULL, NULL), 0);
	assert_int_equal(told->wrong, 0);
	munmap(told, sizeof(*told));
}

/* --- labels of new threads --- */

static void *labels_of(void *arg)
{
	*(pyroscope_labels *)arg = pyroscope_labels_get();
	return NULL;
}

static int labels_of_c11(void *arg)
{
	labels_of(arg);
	return 0;
}

/* Those of one thread of each kind, started with a label on. */
static void labels_within(uint32_t inherit, pyroscope_labels found[2])
{
	struct pyroscope_config config = nowhere();
	pthread_t thread;
	thrd_t c11;

	config.inherit_labels = inherit;
	assert_int_equal(pyroscope_start(&config), 0);
	{
		PYROSCOPE_LABELS_SCOPE("route", "/cart");
		assert_int_equal(
			pthread_create(&thread, NULL, labels_of, &found[0]), 0);
		assert_int_equal(thrd_create(&c11, labels_of_c11, &found[1]),
				 thrd_success);
		pthread_join(thread, NULL);
		thrd_join(c11, NULL);
	}
	pyroscope_stop(0);
}

static void test_inherit(void **state)
{
	struct pyroscope_config config = nowhere();
	pyroscope_labels found[2], route;

	(void)state;
	labels_within(0, found);
	assert_int_equal(found[0], 0);
	assert_int_equal(found[1], 0);
	route = pyroscope_labels_with(0, "route", "/cart");
	labels_within(1, found);
	assert_int_equal(found[0], route);
	assert_int_equal(found[1], route);
	setenv("PYROSCOPE_INHERIT_LABELS", "1", 1);
	labels_within(0, found);
	unsetenv("PYROSCOPE_INHERIT_LABELS");
	assert_int_equal(found[0], route);
	assert_int_equal(pyroscope_labels_get(), 0);

	assert_int_equal(pyroscope_config_set(&config, "inherit_labels", "yes"),
			 0);
	assert_int_equal(config.inherit_labels, 1);
	config.inherit_labels = 2;
	assert_int_equal(pyroscope_start(&config), -EINVAL);
}

/* --- cancellation --- */

static _Atomic int steps;

/* None of these is a point where a thread is cancelled. */
static void *call_with_pending(void *arg)
{
	struct pyroscope_config config = nowhere();

	(void)arg;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	pthread_cancel(pthread_self());
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	steps += pyroscope_start(&config) == 0;
	steps += seteuid(geteuid()) == 0;
	steps += pyroscope_stop(0) <= 0;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	return NULL;
}

/* With lines in the log. */
static void test_cancelled(void **state)
{
	struct pyroscope_config config = nowhere();
	pthread_t thread;
	void *end;

	(void)state;
	setenv("PYROSCOPE_LOG_LEVEL", "info", 1);
	assert_int_equal(pthread_create(&thread, NULL, call_with_pending, NULL),
			 0);
	pthread_join(thread, &end);
	assert_int_equal(steps, 3);
	assert_null(end);
	assert_int_equal(pyroscope_start(&config), 0);
	assert_true(pyroscope_stop(0) <= 0);
	unsetenv("PYROSCOPE_LOG_LEVEL");
}

/* --- a thousand sessions --- */

/* Is a thread of the library there? */
static bool has_library_thread(void)
{
	char path[64], name[32];
	DIR *dir = opendir("/proc/self/task");
	bool found = false;

	for (struct dirent *e; dir && (e = readdir(dir));) {
		snprintf(path, sizeof(path), "/proc/self/task/%.10s/comm",
			 e->d_name);

		FILE *f = fopen(path, "r");

		if (f && fgets(name, sizeof(name), f))
			found |= strncmp(name, "pyro-", 5) == 0;
		if (f)
			fclose(f);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* It says that it has ended a little before it is gone. */
static void wait_alone(void)
{
	for (int i = 0; i < 5000 && has_library_thread(); i++)
		usleep(1000);
	assert_false(has_library_thread());
}

/* Not even one that was armed while it was stopped. */
static void assert_no_timers(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/timers", "r");

	if (!f)
		return; /* the kernel does not tell */
	assert_null(fgets(line, sizeof(line), f));
	fclose(f);
}

/* All types, with threads that work; most times without those that wait for
 * threads to answer. */
static void test_thousand(void **state)
{
	struct pyroscope_config config = nowhere();
	pthread_t thread[WORKERS];
	int fds = 0;
	long early = 0;

	(void)state;
	setenv("PYROSCOPE_LOG_LEVEL", "none", 1);
	begin_workers(thread);
	for (int i = 0; i < 1000; i++) {
		config.profile_types =
			i % 10 ? "cpu,heap,mutex,block"
			       : "cpu,heap,mutex,block,threads,goroutines,"
				 "thread_creation";
		assert_int_equal(pyroscope_start(&config), 0);
		free(malloc(1000));
		if (i % 100 == 0)
			usleep(20000); /* far enough for the tables */
		assert_true(pyroscope_stop(0) <= 0);
		wait_alone();
		assert_no_timers();
		if (i == 200) {
			fds = entries("/proc/self/fd");
			early = status_kib("RssAnon:");
		}
	}
	end_workers(thread);
	assert_int_equal(entries("/proc/self/fd"), fds);
	if (status_kib("RssAnon:") > early + 4096)
		fail_msg("%ld KiB, then %ld", early, status_kib("RssAnon:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_waits),
		cmocka_unit_test(test_flush_after_timeout),
		cmocka_unit_test(test_output_dir),
		cmocka_unit_test(test_log_no_hook),
		cmocka_unit_test(test_inherit),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_thousand),
	};

	alarm(170);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
