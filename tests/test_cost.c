// SPDX-License-Identifier: Apache-2.0
/* test_cost.c - what handlers cost, against a clock around each; and rates that
 * change under running timers
 *
 * One in 16 of 20,000 is measured: the error of their mean is a fortieth of a
 * handler's deviation, which is about as large as its mean. Now and then a machine
 * takes the processor away for a thousand times as long, which a thread's clock may
 * count: the best of some tries is within ERROR_MAX. */
#include "tests/unit.h"

#include <math.h>
#include <signal.h>
#include <string.h>

#include "base/cost.h"
#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "base/syscall.h"
#include "image/modules.h"
#include "source/cpu.h"
#include "source/cpu_handler.h"

#define SIGNALS 20000
#define ERROR_MAX 0.2
#define TOUCHED ((size_t)512 << 10)
#define DELIVERY_NS 2300

static uint64_t around_ns;
static size_t handled;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	uint64_t began = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);

	pyro_cpu_on_tick(sig, info, context);
	around_ns += pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	handled++;
}

static void send(void *value)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = SIGURG;
	info.si_code = SI_TIMER;
	info.si_value.sival_ptr = value;
	pyro_syscall4(SYS_rt_tgsigqueueinfo, pyro_getpid(), pyro_gettid(),
		      SIGURG, (long)&info);
}

__attribute__((noinline)) static void send_from(int depth, void *value)
{
	if (depth > 0)
		send_from(depth - 1, value);
	else
		send(value);
	__asm__ volatile("" ::: "memory");
}

/* The program has its own use for the caches. */
static void touch(void)
{
	static volatile unsigned char memory[TOUCHED];

	for (size_t i = 0; i < TOUCHED; i += 64)
		memory[i]++;
}

static void sum_up(void *arg, const struct pyro_record *record)
{
	struct pyro_weight *sum = arg;

	sum->count += record->weight.count;
	sum->value += record->weight.value;
}

static struct pyro_weight sweep(void)
{
	struct pyro_weight sum = {0, 0};

	pyro_slots_sweep(sum_up, &sum);
	return sum;
}

static struct pyro_thread *begin(uint32_t rate)
{
	struct pyro_thread *self = pyro_registry_claim(PYRO_THREAD_LIVE);

	assert_non_null(self);
	assert_int_equal(pyro_cpu_start(rate, false), 0);
	atomic_store(&self->tid, pyro_gettid());
	self->stack = pyro_stack_of_main();
	return self;
}

/* What the clock around adds to each: the same without a handler in between. */
static double clock_ns(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < 1000; i++) {
		uint64_t began = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);

		sum += pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	}
	return (double)sum / 1000;
}

/* How far our measure is off. */
static double play_handlers(struct pyro_thread *self)
{
	double measured, truth;

	handled = 0;
	around_ns = 0;
	pyro_cost_forked();
	pyro_cost_calibrate();
	for (int i = 0; i < SIGNALS; i++) {
		touch();
		send_from(10 + i % 40, self);
		if (i % 100 == 99)
			sweep();
	}
	assert_int_equal(handled, SIGNALS);
	measured = (double)pyro_cost_ns(PYRO_COST_HANDLERS) / SIGNALS -
		   DELIVERY_NS;
	truth = (double)around_ns / SIGNALS - clock_ns();
	print_message("%.0f ns a handler by our measure, %.0f by a clock "
		      "around it\n",
		      measured, truth);
	return fabs(measured / truth - 1);
}

static void test_handlers(void **state)
{
	struct pyro_modules *modules = pyro_modules_new(NULL);
	struct pyro_thread *self = begin(100);
	struct sigaction action = {.sa_flags = SA_SIGINFO};
	double error = 1;

	(void)state;
	assert_true(pyro_modules_refresh(modules) >= 0);
	action.sa_sigaction = on_signal;
	assert_int_equal(sigaction(SIGURG, &action, NULL), 0);
	for (int i = 0; i < 5 && error > ERROR_MAX; i++)
		error = play_handlers(self);
	/* Where programs are emulated there is no such clock of a thread. */
	if (!UNDER_EMULATOR)
		assert_true(error <= ERROR_MAX);
	assert_int_equal(pyro_cost_ns(PYRO_COST_HOOKS), 0);
	pyro_registry_release(self);
	pyro_modules_unpublish(modules);
	assert_true(pyro_registry_quiesce());
	pyro_modules_free(modules);
}

/* A thread that waits for a processor meanwhile, as one that sleeps, does not pay. */
static void test_waiting_costs_nothing(void **state)
{
	uint64_t measured = 0;

	(void)state;
	pyro_cost_forked();
	for (int i = 0; i < 64; i++) {
		uint64_t began = pyro_cost_begin(PYRO_COST_HOOKS);

		if (began) {
			measured++;
			pyro_sleep_ns(50 * PYRO_NS_PER_MS);
		}
		pyro_cost_end(PYRO_COST_HOOKS, began);
	}
	assert_in_range(measured, 3, 5);
	assert_true(pyro_cost_ns(PYRO_COST_HOOKS) <
		    measured * 16 * 10 * PYRO_NS_PER_MS);
}

/* One that is under way when the rate changes brings its own period. */
static void test_late_signals(void **state)
{
	struct pyro_thread *self = begin(100);

	(void)state;
	pyro_cpu_set_halvings(3);
	assert_int_equal(pyro_cpu_period_ns(), 80 * PYRO_NS_PER_MS);
	send(self);
	assert_int_equal(sweep().value, 10 * PYRO_NS_PER_MS);
	send((char *)self + 3);
	assert_int_equal(sweep().value, 80 * PYRO_NS_PER_MS);
	pyro_cpu_set_halvings(0);
	send((char *)self + 3);
	assert_int_equal(sweep().value, 80 * PYRO_NS_PER_MS);
	send((char *)self + 8); /* no entry */
	assert_int_equal(sweep().value, 0);
	pyro_registry_release(self);
	pyro_cpu_stop();
}

/* Whoever waits for signals is not told of those, whatever their timer's rate. */
static void test_sent(void **state)
{
	char *entry = (char *)begin(1000);
	siginfo_t info;

	(void)state;
	memset(&info, 0, sizeof(info));
	info.si_code = SI_TIMER;
	for (size_t halvings = 0; halvings <= PYRO_CPU_HALVINGS; halvings++) {
		info.si_value.sival_ptr = entry + halvings;
		assert_true(pyro_cpu_sent(&info));
	}
	info.si_value.sival_ptr = PYRO_CPU_SHOT;
	assert_true(pyro_cpu_sent(&info));
	/* The program's own timers. */
	info.si_value.sival_ptr = &info;
	assert_false(pyro_cpu_sent(&info));
	info.si_value.sival_ptr = NULL;
	assert_false(pyro_cpu_sent(&info));
	info.si_value.sival_ptr = entry;
	info.si_code = SI_USER;
	assert_false(pyro_cpu_sent(&info));
	pyro_registry_release((struct pyro_thread *)(void *)entry);
}

#define STEP_NS (200 * PYRO_NS_PER_MS)

/* CPU time under timers whose rate goes down and up again: in all what the clock
 * says, but for what is lost at each change, half a tick (2 ms) on average, and for
 * one period at each: 16 ms at the most, whose deviation is 5. Twelve of 200 ms.
 * Returns the share of it that samples explain. */
static double explained(struct pyro_thread *self)
{
	static const unsigned halvings[] = {0, 1, 2, 3, 4, 3, 2, 1, 0, 4, 0, 4};
	struct pyro_weight sum = {0, 0};
	uint64_t began, used;

	assert_int_equal(pyro_cpu_arm(self, pyro_gettid()), 0);
	began = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	for (size_t i = 0; i < PYRO_COUNT_OF(halvings); i++) {
		pyro_cpu_set_halvings(halvings[i]);
		while (pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began <
		       (i + 1) * STEP_NS) {
			struct pyro_weight more = sweep();

			sum.count += more.count;
			sum.value += more.value;
		}
	}
	used = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	pyro_cpu_disarm(self);
	print_message("%.1f ms by %llu samples of %.1f\n",
		      (double)sum.value / 1e6, (unsigned long long)sum.count,
		      (double)used / 1e6);
	return sum.count > 500 && sum.count < 1500
		       ? (double)sum.value / (double)used
		       : 0;
}

/* Where the machine stands still for longer than a step, the time of which no tick
 * told is lost with the timer. */
static void test_rates_change(void **state)
{
	struct pyro_thread *self = begin(1000);
	bool right = false;

	(void)state;
	if (UNDER_EMULATOR)
		skip();
	for (int tries = 0; tries < 3 && !right; tries++)
		right = fabs(explained(self) - 1) < 0.05;
	assert_true(right);
	pyro_registry_release(self);
	pyro_cpu_stop();
}

static int set_up(void **state)
{
	(void)state;
	if (pyro_slots_init(256, PYRO_DEPTH_MAX) || pyro_registry_init() ||
	    (!UNDER_EMULATOR && pyro_on_init()))
		return -1;
	pyro_on_set(PYRO_ON_YES);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handlers),
		cmocka_unit_test(test_waiting_costs_nothing),
		cmocka_unit_test(test_late_signals),
		cmocka_unit_test(test_sent),
		cmocka_unit_test(test_rates_change),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
