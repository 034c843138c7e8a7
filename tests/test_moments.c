// SPDX-License-Identifier: Apache-2.0
/* test_moments.c - looks at all threads, where something fails: threads that cannot
 * be listed, and those whose answer is lost */
#include "tests/unit.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "api/session.h"
#include "api/taps.h"
#include "base/on.h"
#include "base/os.h"
#include "source/cpu.h"

struct pyro_process pyro_process; /* lifecycle.c's */
static struct pyro_session session = {
	.config.stack_depth = 128,
	.types = PYRO_TYPE_THREADS,
};
static const struct pyro_wall *wall = &session.wall;

/* ---- What the rest of the api does, in short ---- */

bool pyro_budget_allows_moment(const struct pyro_session *s)
{
	(void)s;
	return true;
}

void pyro_budget_moment(struct pyro_session *s, uint64_t took_ns)
{
	(void)s;
	(void)took_ns;
}

uint64_t pyro_budget_work_ns(void)
{
	return 0;
}

void pyro_window_want_lines(struct pyro_session *s,
			    const struct pyro_stack_frames *stack,
			    uint64_t weight)
{
	(void)s;
	(void)stack;
	(void)weight;
}

void pyro_window_lines(struct pyro_session *s, bool last)
{
	(void)s;
	(void)last;
}

void pyro_output_comment(struct pyro_profile *profile, const char *what,
			 const uint64_t stops[PYRO_STOP_COUNT], uint64_t lost)
{
	(void)profile;
	(void)what;
	(void)stops;
	(void)lost;
}

bool pyro_output_window(struct pyro_session *s, enum pyro_output kind,
			struct pyro_profile *profile, bool may_go_on)
{
	(void)s;
	(void)kind;
	(void)profile;
	(void)may_go_on;
	return true;
}

bool pyro_taps_want(enum pyro_output kind)
{
	return kind == PYRO_OUTPUT_WALL;
}

void pyro_taps_add(enum pyro_output kind, const struct pyro_profile *profile,
		   uint64_t start_ns)
{
	(void)kind;
	(void)profile;
	(void)start_ns;
}

void pyro_collector_add(struct pyro_session *s,
			const struct pyro_record *record)
{
	struct pyro_stack_frames stack = {
		.frames = record->pc,
		.depth = record->depth,
		.stop = record->stop,
	};

	if (record->kind == PYRO_KIND_WALL) {
		pyro_wall_add(s, &stack, record->weight);
	} else {
		pyro_wall_answer(s, &stack, record->tid);
		pyro_threads_window_add(s, &stack, record->tid);
	}
}

static void take_record(void *arg, const struct pyro_record *record)
{
	pyro_collector_add(arg, record);
}

size_t pyro_collector_sweep(struct pyro_session *s)
{
	return pyro_slots_sweep(take_record, s);
}

/* ---- Threads that cannot be listed ---- */

/* Whether there are descriptors to be had. */
static void set_files(bool any)
{
	static struct rlimit before;
	struct rlimit none;

	if (any) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
		return;
	}
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static uint64_t threads(void)
{
	const struct pyro_stacks *stacks = &session.threads.stacks;
	uint64_t sum = 0;

	for (size_t i = 0; i < stacks->set.count; i++)
		sum += stacks->values[i].ticks;
	return sum;
}

static void test_no_list_no_profile(void **state)
{
	(void)state;
	pyro_threads_window_take(&session, true, false);
	assert_true(session.threads.taken);
	assert_int_equal(threads(), 1);
	session.threads.taken = false;
	set_files(false);
	pyro_threads_window_take(&session, true, false);
	set_files(true);
	assert_false(session.threads.taken);
	pyro_threads_window_take(&session, true, false);
	assert_true(session.threads.taken);
	assert_int_equal(threads(), 1);
	pyro_threads_window_free(&session);
}

static void look(void)
{
	session.wall.next_ns = 0;
	pyro_wall_round(&session, false, false);
}

/* Nobody has ended, and no time is lost. */
static void test_no_list_no_moment(void **state)
{
	uint64_t looked_ns;

	(void)state;
	look(); /* begins */
	look();
	assert_int_equal(wall->count, 1);
	assert_int_equal(wall->moment - wall->first, 1);
	looked_ns = wall->last_ns;
	set_files(false);
	look();
	set_files(true);
	assert_int_equal(wall->count, 1);
	assert_int_equal(wall->moment - wall->first, 1);
	assert_int_equal(wall->last_ns, looked_ns);
	assert_true(wall->next_ns > looked_ns);
	look();
	assert_int_equal(wall->count, 1);
	assert_int_equal(wall->moment - wall->first, 2);
	pyro_wall_free(&session);
}

/* Somebody asks when the session is about to end. */
static void test_none_after_the_last(void **state)
{
	(void)state;
	pyro_wall_round(&session, true, true);
	assert_true(wall->on);
	pyro_wall_window_end(&session, true);
	assert_false(wall->on);
}

/* ---- A thread whose answer is lost ---- */

static _Atomic bool done;
static _Atomic pid_t burner;

static void *burn(void *arg)
{
	burner = pyro_gettid();
	while (!done)
		__asm__ volatile("");
	return arg;
}

static struct pyro_walled *burning(void)
{
	for (size_t i = 0; i < wall->count; i++)
		if (wall->threads[i].tid == burner)
			return &wall->threads[i];
	return NULL;
}

/* Its clock has ticked, and a signal has come. */
static void let_it_burn(void)
{
	clockid_t clock = pyro_thread_clock(burner);
	uint64_t end = pyro_clock_ns(clock) + 50 * PYRO_NS_PER_MS;

	while (pyro_clock_ns(clock) < end)
		usleep(1000);
}

/* Looks until it is asked, where no record can be made of its answer. */
static pthread_t ask_for_nothing(void)
{
	pthread_t thread;

	pyro_slots_free();
	done = false;
	burner = 0;
	assert_int_equal(pthread_create(&thread, NULL, burn, NULL), 0);
	while (burner == 0)
		usleep(1000);
	do
		look();
	while (!burning() || !burning()->armed);
	let_it_burn();
	assert_int_equal(pyro_slots_init(256, PYRO_DEPTH_MAX), 0);
	return thread;
}

/* Looks until it has answered. */
static void assert_answers(void)
{
	while (burning()->armed) {
		usleep(1000);
		look();
		pyro_collector_sweep(&session);
	}
	assert_int_equal(burning()->moments, 0);
}

static void end(pthread_t thread)
{
	done = true;
	pthread_join(thread, NULL);
	pyro_wall_free(&session);
}

static void test_is_asked_again(void **state)
{
	pthread_t thread = ask_for_nothing();
	struct pyro_walled *asked = burning();
	int timer = asked->timer;

	(void)state;
	look();
	assert_true(asked->moments > 0);
	asked->armed_ns -= 2 * PYRO_NS_PER_SEC;
	look();
	assert_true(asked->armed);
	assert_int_equal(asked->timer, timer);
	assert_answers();
	end(thread);
}

/* The program reads the signal that the first timer sends. */
static void test_is_asked_by_another_signal(void **state)
{
	pthread_t thread = ask_for_nothing();
	sigset_t set;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, pyro_cpu_signal());
	pyro_cpu_leave_signals(&set);
	assert_answers();
	end(thread);
}

static int prepare(void **state)
{
	(void)state;
	if (pyro_slots_init(256, PYRO_DEPTH_MAX) || pyro_registry_init() ||
	    pyro_on_init())
		return -1;
	pyro_on_set(PYRO_ON_YES);
	return pyro_cpu_start(0, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_list_no_profile),
		cmocka_unit_test(test_no_list_no_moment),
		cmocka_unit_test(test_none_after_the_last),
		cmocka_unit_test(test_is_asked_again),
		cmocka_unit_test(test_is_asked_by_another_signal),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, prepare, NULL);
}
