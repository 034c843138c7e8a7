// SPDX-License-Identifier: Apache-2.0
/* test_threads_frame.c - how large frames are, against the frame pointers that a
 * signal finds there; this file is compiled with frame pointers */
#include "tests/unit.h"

#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

#include "image/modules.h"
#include "source/threads_frame.h"

#define PLACES 400

#if defined(__x86_64__)

static struct {
	uintptr_t pc, sp, fp;
} place[PLACES];
static volatile size_t places;

static void on_signal(int sig, siginfo_t *info, void *arg)
{
	const greg_t *g = ((ucontext_t *)arg)->uc_mcontext.gregs;

	(void)sig;
	(void)info;
	if (places == PLACES)
		return;
	place[places].pc = (uintptr_t)g[REG_RIP];
	place[places].sp = (uintptr_t)g[REG_RSP];
	place[places].fp = (uintptr_t)g[REG_RBP];
	places++;
}

/* --- frames of several shapes --- */

static volatile unsigned turns = 300;

__attribute__((noinline)) static unsigned spin(unsigned n)
{
	volatile unsigned sum = n;

	for (unsigned i = 0; i < turns; i++)
		sum += i * n;
	return sum;
}

__attribute__((noinline)) static unsigned leave_early(unsigned n)
{
	char room[72];

	if (n % 3 == 0)
		return spin(n) + 1;
	memset(room, (int)n, sizeof(room));
	if (n % 3 == 1)
		return spin(n) + (unsigned)room[n % 72];
	return spin(n + 1) + (unsigned)room[(n + 5) % 72] + n;
}

__attribute__((noinline)) static unsigned many(unsigned a, unsigned b,
					       unsigned c, unsigned d,
					       unsigned e, unsigned f,
					       unsigned g, unsigned h)
{
	unsigned sum = leave_early(a) + leave_early(b);

	return sum + c * d + e * f + g * h + leave_early(sum);
}

__attribute__((noinline)) static unsigned below(unsigned n, int depth)
{
	unsigned numbers[20];

	memset(numbers, (int)n, sizeof(numbers));
	if (depth == 0)
		return many(n, 1, 2, 3, 4, 5, 6, numbers[n % 20]);
	return below(n + 1, depth - 1) + numbers[3] +
	       many(1, n, 3, 2, numbers[2], 5, 8, 7);
}

static void run(void)
{
	struct itimerval often = {{0, 1000}, {0, 1000}}, never = {0};
	struct sigaction action = {.sa_sigaction = on_signal,
				   .sa_flags = SA_SIGINFO | SA_RESTART};
	double end = now_s() + 60;

	assert_int_equal(sigaction(SIGPROF, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_PROF, &often, NULL), 0);
	for (unsigned n = 0; places < PLACES && now_s() < end; n++)
		below(n, (int)(n % 5));
	setitimer(ITIMER_PROF, &never, NULL);
}

static void test_places(void **state)
{
	struct pyro_modules *modules = pyro_modules_new("");
	const struct pyro_snapshot *snapshot;
	size_t by_fp = 0, found = 0;

	(void)state;
	assert_non_null(modules);
	run();
	assert_true(places > 0);
	assert_int_equal(pyro_modules_refresh(modules), 1);
	snapshot = pyro_modules_current();
	for (size_t i = 0; i < places; i++) {
		uintptr_t pc = place[i].pc, distance;
		const struct pyro_map *map = pyro_snapshot_find(snapshot, pc);
		const struct pyro_rule *rule =
			map && map->table
				? pyro_unwind_rule(map->table, pc - map->bias)
				: NULL;

		if (!rule || rule->cfa != PYRO_CFA_FP)
			continue;
		by_fp++;
		distance = pyro_threads_frame(map, rule, pc);
		found += distance != 0;
		if (distance)
			assert_int_equal(
				place[i].sp + distance,
				place[i].fp +
					(uintptr_t)(intptr_t)rule->cfa_off);
	}
	print_message("%zu places by fp, %zu found\n", by_fp, found);
	assert_true(by_fp > PLACES / 4);
	if (!UNDER_ASAN) /* whose frames are not of constant size */
		assert_true(found >= by_fp * 9 / 10);
	pyro_modules_free(modules);
}

#else

static void test_places(void **state)
{
	(void)state;
	skip();
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
