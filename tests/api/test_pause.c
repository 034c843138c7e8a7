// SPDX-License-Identifier: Apache-2.0
/* test_pause.c - types that are paused and resumed: what the calls return, that
 * nothing is sampled meanwhile, and that nothing breaks where threads do it all the
 * time. What is in the profiles: e2e/pauses.sh. */
#include "tests/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pyroscope/pyroscope.h"

static void start(const char *types)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	config.server_address = "http://127.0.0.1:1";
	config.profile_types = types;
	config.heap_interval = 4096;
	assert_int_equal(pyroscope_start(&config), 0);
	pyroscope_flush(0);
}

static void test_results(void **state)
{
	static const char *const bad[] = {"wall", "cpu,", "cpu wall",
					  ",",    "CPU",  "cpu,heap,nothing"};

	(void)state;
	errno = 77;
	assert_int_equal(pyroscope_pause("cpu"), -ENOENT);
	assert_int_equal(pyroscope_resume("cpu"), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(pyroscope_pause(bad[i]), -EINVAL);
		assert_int_equal(pyroscope_resume(bad[i]), -EINVAL);
	}
	start("cpu,mutex_count");
	assert_int_equal(pyroscope_pause("wall"), -EINVAL);
	assert_int_equal(pyroscope_pause("heap,block"), -ENOENT);
	assert_int_equal(pyroscope_pause("mutex_duration"), -ENOENT);
	assert_int_equal(pyroscope_pause("mutex, cpu "), 0);
	assert_int_equal(pyroscope_pause("mutex_count"), 0);
	assert_int_equal(pyroscope_profile_write("cpu", 0, 1), -ENOENT);
	assert_int_equal(pyroscope_resume(NULL), 0);
	assert_int_equal(pyroscope_resume("cpu,heap"), 0);
	assert_int_equal(pyroscope_pause(""), 0);
	assert_int_equal(errno, 77);
	pyroscope_stop(0);
	assert_int_equal(pyroscope_resume(NULL), -ENOENT);
}

/* ---- Work of all kinds ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool done;

/* Not left out by the compiler. */
static void allocate(size_t size)
{
	void *volatile block = malloc(size);

	free(block);
}

static void *nothing(void *arg)
{
	return arg;
}

static void work_once(void)
{
	pthread_t thread;

	for (int i = 0; i < 20; i++)
		allocate(1000);
	pthread_mutex_lock(&lock);
	for (int i = 0; i < 100000; i++)
		__asm__ volatile("");
	usleep(100);
	pthread_mutex_unlock(&lock);
	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static void *work(void *arg)
{
	while (!done)
		work_once();
	return arg;
}

#define WORKERS 2

static void begin_work(pthread_t thread[WORKERS])
{
	done = false;
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, NULL),
				 0);
}

static void end_work(const pthread_t thread[WORKERS])
{
	done = true;
	for (int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
}

static void burn(unsigned ms)
{
	clock_t end = clock() + (clock_t)ms * (CLOCKS_PER_SEC / 1000);

	while (clock() < end)
		for (int i = 0; i < 1000; i++)
			allocate(100);
}

/* The process's own; -1: the kernel does not tell. */
static int timers(void)
{
	char line[256];
	int count = 0;
	FILE *f = fopen("/proc/self/timers", "r");

	while (f && fgets(line, sizeof(line), f))
		count += strncmp(line, "ID:", 3) == 0;
	if (!f)
		return -1;
	fclose(f);
	return count;
}

static struct pyroscope_stats stats_now(void)
{
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	assert_int_equal(pyroscope_flush(0), 0);
	assert_int_equal(pyroscope_stats(&stats), 0);
	return stats;
}

/* A record that was under way may come late: one of each thread. */
static void assert_stands_still(void)
{
	struct pyroscope_stats before = stats_now(), after;

	burn(200);
	after = stats_now();
	assert_in_range(after.samples, before.samples, before.samples + 3);
	assert_in_range(after.heap_samples, before.heap_samples,
			before.heap_samples + 3);
	assert_true(timers() <= 0);
}

static void assert_goes_on(void)
{
	struct pyroscope_stats before = stats_now(), after;

	burn(200);
	after = stats_now();
	assert_in_range(after.samples, before.samples + 4, UINT64_MAX);
	assert_in_range(after.heap_samples, before.heap_samples + 4,
			UINT64_MAX);
	assert_int_not_equal(timers(), 0);
}

static void test_nothing_is_sampled(void **state)
{
	pthread_t thread[WORKERS];

	(void)state;
	start("cpu,heap,mutex,block");
	begin_work(thread);
	assert_goes_on();
	assert_int_equal(pyroscope_pause(NULL), 0);
	assert_stands_still();
	assert_int_equal(pyroscope_resume("cpu,heap"), 0);
	assert_goes_on();

	/* The heap is sampled for any of its types. */
	assert_int_equal(pyroscope_pause("cpu,alloc_space,inuse_space"), 0);

	struct pyroscope_stats before = stats_now();

	burn(200);
	assert_true(stats_now().heap_samples > before.heap_samples);
	assert_int_equal(pyroscope_pause("alloc_objects,inuse_objects"), 0);
	assert_stands_still();
	pyroscope_stop(0);
	assert_true(timers() <= 0);

	/* Another session knows nothing of it. */
	start("cpu,heap");
	assert_goes_on();
	end_work(thread);
	pyroscope_stop(0);
}

/* ---- All at once ---- */

#define CHANGES 250 /* of each thread */

static _Atomic bool may_stop, fetched;
static _Atomic int wrong;

static void expect(int result)
{
	if (result != 0 && !(may_stop && result == -ENOENT) &&
	    atomic_fetch_add(&wrong, 1) == 0)
		print_message("%s\n", pyroscope_strerror(result));
}

static void *change(void *arg)
{
	static const char *const types[] = {"cpu", "heap,alloc_space",
					    "mutex,block_count,inuse_space",
					    NULL};
	const char *mine = types[(uintptr_t)arg];

	for (int i = 0; i < CHANGES; i++) {
		expect(pyroscope_pause(mine));
		expect(pyroscope_resume(mine));
	}
	return NULL;
}

/* Has all threads looked at, and asked, meanwhile. */
static void *fetch(void *arg)
{
	int fd = open("/dev/null", O_WRONLY);

	while (!fetched) {
		expect(pyroscope_profile_write("wall", 0, fd));
		usleep(50000);
	}
	close(fd);
	return arg;
}

static void change_in_four(void (*meanwhile)(void))
{
	pthread_t thread[4];

	for (uintptr_t i = 0; i < 4; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, change, (void *)i), 0);
	if (meanwhile)
		meanwhile();
	for (int i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(wrong, 0);
}

static int changes_in_child(void *arg)
{
	int err;

	(void)arg;
	pthread_mutex_init(&lock, NULL); /* a thread may have it that is gone */
	pyroscope_fork_child();
	work_once();
	err = pyroscope_pause(NULL);
	work_once();
	return err || pyroscope_resume(NULL) || pyroscope_pause("cpu");
}

static void fork_some(void)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(in_child(changes_in_child, NULL), 0);
}

static void start_and_stop(void)
{
	for (int i = 0; i < 20; i++) {
		usleep(5000);
		pyroscope_stop(0);
		start("cpu,heap,mutex,block");
	}
}

static void test_all_at_once(void **state)
{
	pthread_t thread[WORKERS], fetcher;

	(void)state;
	start("cpu,heap,mutex,block");
	begin_work(thread);
	assert_int_equal(pthread_create(&fetcher, NULL, fetch, NULL), 0);
	change_in_four(fork_some);
	may_stop = true;
	change_in_four(start_and_stop);
	fetched = true;
	pthread_join(fetcher, NULL);
	may_stop = false;
	assert_int_equal(pyroscope_resume(NULL), 0);
	assert_goes_on();
	assert_int_equal(pyroscope_pause(NULL), 0);
	assert_stands_still();
	end_work(thread);
	pyroscope_stop(0);
	assert_true(timers() <= 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_nothing_is_sampled),
		cmocka_unit_test(test_all_at_once),
	};

	alarm(170);
	setenv("PYROSCOPE_LOG_LEVEL", "none", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
