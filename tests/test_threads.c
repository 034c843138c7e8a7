// SPDX-License-Identifier: Apache-2.0
/* test_threads.c - stacks of parked threads, against the functions that they are
 * known to stand in; and that nothing wakes them */
#include "tests/unit.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>

#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "image/modules.h"
#include "source/cpu.h"
#include "source/threads.h"

#define DEPTH 128
#define THREADS 40

static struct pyro_modules *modules;
static int wake[2];

static int start(void **state)
{
	(void)state;
	modules = pyro_modules_new("");
	return modules && pyro_modules_refresh(modules) == 1 ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	pyro_modules_free(modules);
	return 0;
}

/* --- lines of the kernel, and lines that are not --- */

static void test_lines(void **state)
{
	static const char *const bad[] = {
		"",
		"running\n",
		"-\n",
		"7 0x1 0x2 0x3 0x4 0x5 0x6 0x7\n",
		"7 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x\n",
		"7 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8 0x9\n",
		"7 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x11111111111111111\n",
		"7 0x1 0x2 0x3 0x4 0x5 0x6 0x0 0x0\n",
		"-1 0x7ffd\n",
	};
	uintptr_t pc, sp;

	(void)state;
	assert_true(pyro_threads_parse(
		"7 0x1 0x2 0x3 0x4 0x5 0x6 0x7ffd10 0x7f0a\n", &pc, &sp));
	assert_int_equal(sp, 0x7ffd10);
	assert_int_equal(pc, 0x7f0a);
	assert_true(pyro_threads_parse("-1 0x7ffd18 0x7f0b\n", &pc, &sp));
	assert_int_equal(sp, 0x7ffd18);
	assert_int_equal(pc, 0x7f0b);
	for (size_t i = 0; i < PYRO_COUNT_OF(bad); i++)
		assert_false(pyro_threads_parse(bad[i], &pc, &sp));
}

static void test_stat_lines(void **state)
{
	static const char *const bad[] = {
		"",         "7",      "7 (",
		"7 (a",     "7 (a)",  "7 (a) ",
		"7 a) S 1", "7 )( S", "7 (one more than 15) S 1",
	};
	static const struct {
		const char *line, *name, *state;
	} good[] = {
		{"7 (a) S 1 2", "a", "sleeping"},
		{"7 () R", "", "running"},
		{"7 (a b) D 1", "a b", "disk sleep"},
		{"7 (a) S (b) Z (c)) T 1", "a) S (b) Z (c)", "stopped"},
		{"7 (a\\b\nc) t 1", "a\\b\nc", "tracing stop"},
		{"7 (a) ? 1", "a", "unknown"},
	};
	struct pyro_thread_facts facts;

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(bad); i++)
		assert_false(pyro_threads_parse_stat(bad[i], &facts));
	for (size_t i = 0; i < PYRO_COUNT_OF(good); i++) {
		assert_true(pyro_threads_parse_stat(good[i].line, &facts));
		assert_string_equal(facts.name, good[i].name);
		assert_string_equal(facts.state, good[i].state);
	}
}

/* --- threads that wait --- */

static _Atomic int interrupted, ready;
static _Atomic pid_t tids[THREADS];

__attribute__((noinline)) static int wait_once(unsigned how)
{
	struct pollfd p = {.fd = wake[0], .events = POLLIN};
	struct epoll_event event = {.events = EPOLLIN};
	int result = 0, e;
	fd_set set;

	switch (how % 3) {
	case 0:
		result = poll(&p, 1, -1);
		break;
	case 1:
		e = epoll_create1(EPOLL_CLOEXEC);
		epoll_ctl(e, EPOLL_CTL_ADD, wake[0], &event);
		result = epoll_wait(e, &event, 1, -1);
		close(e);
		break;
	default:
		FD_ZERO(&set);
		FD_SET(wake[0], &set);
		result = select(wake[0] + 1, &set, NULL, NULL, NULL);
	}
	if (result < 0)
		interrupted++;
	return result;
}

static const char *const names[] = {"plain", "(a) R )", " \\n\n\t", "\xff\xfe"};

/* What the kernel says in two other files. */
static void check_facts(pid_t tid, const char *name)
{
	struct pyro_thread_facts facts;
	char path[64], line[256] = "", want[32];
	FILE *file;

	assert_int_equal(pyro_threads_describe(tid, &facts), 0);
	assert_string_equal(facts.name, name);
	snprintf(path, sizeof(path), "/proc/self/task/%d/status", (int)tid);
	file = fopen(path, "r");
	assert_non_null(file);
	while (strncmp(line, "State:", 6) != 0)
		assert_non_null(fgets(line, sizeof(line), file));
	fclose(file);
	snprintf(want, sizeof(want), "(%s)\n", facts.state);
	assert_string_equal(strchr(line, '('), want);
}

static void *park(void *arg)
{
	unsigned index = (unsigned)(uintptr_t)arg;

	tids[index] = pyro_gettid();
	pthread_setname_np(pthread_self(), names[index % PYRO_COUNT_OF(names)]);
	ready++;
	return (void *)(intptr_t)wait_once(index);
}

static bool stands_in(const uint64_t *pc, size_t n, void *function)
{
	uintptr_t lo = (uintptr_t)function;

	for (size_t i = 0; i < n; i++)
		if (pc[i] >= lo && pc[i] < lo + 4096)
			return true;
	return false;
}

/* It may not have reached its call yet, but has in the end. */
static size_t read_parked(pid_t tid, uint64_t *pc, struct pyro_walk *walk)
{
	double end = now_s() + 60;
	size_t depth;

	while (now_s() < end) {
		if (pyro_threads_read(tid, pyro_modules_current(), pc, DEPTH,
				      &depth, walk) == PYRO_THREAD_PARKED &&
		    stands_in(pc, depth, (void *)(uintptr_t)wait_once))
			return depth;
		pyro_sleep_ns(PYRO_NS_PER_MS);
	}
	return 0;
}

static void test_parked(void **state)
{
	pthread_t thread[THREADS];
	uint64_t pc[DEPTH];
	struct pyro_walk walk;

	(void)state;
	if (UNDER_EMULATOR) /* whose own registers the kernel tells */
		skip();
	assert_int_equal(pipe(wake), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, park, (void *)i), 0);
	while (ready < THREADS)
		pyro_sleep_ns(PYRO_NS_PER_MS);
	for (size_t i = 0; i < THREADS; i++) {
		errno = 77;
		size_t n = read_parked(tids[i], pc, &walk);

		assert_true(n > 0);
		assert_int_equal(errno, 77);
		check_facts(tids[i], names[i % PYRO_COUNT_OF(names)]);
		if (!UNDER_ASAN) /* whose own frames keep what is needed */
			assert_true(walk.stop == PYRO_STOP_END ||
				    walk.stop == PYRO_STOP_REGISTER);
	}
	assert_int_equal(write(wake[1], "x", 1), 1);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(interrupted, 0);
}

static _Atomic bool spinning = true;
static _Atomic pid_t spinner;

static void *spin(void *arg)
{
	spinner = pyro_gettid();
	while (spinning)
		;
	return arg;
}

static _Atomic int shots;

static void see(void *arg, const struct pyro_record *record)
{
	assert_int_equal(record->kind, PYRO_KIND_THREADS);
	assert_int_equal(record->tid, *(const pid_t *)arg);
	assert_true(
		stands_in(record->pc, record->depth, (void *)(uintptr_t)spin));
	shots++;
}

/* One that runs tells its stack itself, once, and only when it is wanted. */
static void check_shot(pid_t tid)
{
	double end = now_s() + 60;
	int timer;

	if (UNDER_EMULATOR) /* has no CPU timers */
		return;
	assert_int_equal(pyro_on_init(), 0);
	pyro_on_set(PYRO_ON_YES);
	assert_int_equal(pyro_slots_init(64, PYRO_DEPTH_MAX), 0);
	assert_int_equal(pyro_cpu_start(0, true), 0);
	assert_int_equal(pyro_cpu_shot(tid, &timer), 0);
	pyro_sleep_ns(50 * PYRO_NS_PER_MS);
	pyro_cpu_shot_end(timer);
	assert_int_equal(pyro_slots_sweep(see, &tid), 0);
	pyro_cpu_shots(true);
	assert_int_equal(pyro_cpu_shot(tid, &timer), 0);
	while (shots == 0 && now_s() < end) {
		pyro_sleep_ns(PYRO_NS_PER_MS);
		pyro_slots_sweep(see, &tid);
	}
	pyro_sleep_ns(50 * PYRO_NS_PER_MS);
	pyro_slots_sweep(see, &tid);
	assert_int_equal(shots, 1);
	pyro_cpu_shot_end(timer);
	pyro_cpu_shots(false);
	pyro_on_set(PYRO_ON_NO);
}

static void test_running_and_gone(void **state)
{
	uint64_t pc[DEPTH];
	struct pyro_walk walk;
	size_t depth = 1;
	pthread_t thread;
	pid_t tid;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, spin, NULL), 0);
	while ((tid = spinner) == 0)
		pyro_sleep_ns(PYRO_NS_PER_MS);
	assert_int_equal(pyro_threads_read(tid, pyro_modules_current(), pc,
					   DEPTH, &depth, &walk),
			 PYRO_THREAD_RUNNING);
	assert_int_equal(depth, 0);
	check_shot(tid);
	spinning = false;
	pthread_join(thread, NULL);
	assert_true(pyro_thread_gone(tid, 10 * PYRO_NS_PER_SEC));
	assert_int_equal(pyro_threads_read(tid, pyro_modules_current(), pc,
					   DEPTH, &depth, &walk),
			 PYRO_THREAD_GONE);
	assert_int_equal(
		pyro_threads_describe(tid, &(struct pyro_thread_facts){0}),
		-ESRCH);
}

/* --- nothing of it can be read, or nothing makes sense --- */

static bool copy_nothing(uint64_t *to, uintptr_t addr, size_t len)
{
	(void)to;
	(void)addr;
	(void)len;
	return false;
}

static uintptr_t no_frame(const struct pyro_map *map,
			  const struct pyro_rule *rule, uintptr_t pc)
{
	(void)map;
	(void)rule;
	(void)pc;
	return 0;
}

static void test_unreadable(void **state)
{
	uint64_t pc[DEPTH];
	struct pyro_walk walk;
	uintptr_t here = (uintptr_t)test_unreadable;
	/* The stack is there, but it is read by copy alone. */
	size_t n =
		pyro_unwind_foreign(pyro_modules_current(), here,
				    (uintptr_t)&pc[0] & ~(uintptr_t)15,
				    copy_nothing, no_frame, pc, DEPTH, &walk);

	(void)state;
	assert_int_equal(n, 1);
	assert_int_equal(pc[0], here);
	assert_int_not_equal(walk.stop, PYRO_STOP_END);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_stat_lines),
		cmocka_unit_test(test_parked),
		cmocka_unit_test(test_running_and_gone),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
