// SPDX-License-Identifier: Apache-2.0
/* test_wait.c - waits as hooks report them: Go's rule without bias, exact sums of
 * what has no stack, rates that stay in bounds
 *
 * Of waits of d ns, sampled at a rate of R > d, each estimate of the whole time is
 * a binomial number of samples times R: its variance is n d (R - d). An estimate
 * may be 5 standard deviations from the truth, the mean of RUNS 5 / sqrt(RUNS). */
#include "tests/unit.h"

#include <math.h>
#include <string.h>

#include "base/on.h"
#include "base/os.h"
#include "source/wait.h"

#define RATE PYRO_NS_PER_MS
#define RUNS 30
#define BOUND 5.0

/* What came, by kind. */
static struct seen {
	struct pyro_weight sum;
	size_t records;
	uint64_t least, most; /* of a record's value */
} seen[PYRO_KIND_COUNT];

static void see(void *arg, const struct pyro_record *record)
{
	struct seen *s = &seen[record->kind];

	(void)arg;
	s->sum.count += record->weight.count;
	s->sum.value += record->weight.value;
	s->least = s->records ? pyro_min(s->least, record->weight.value)
			      : record->weight.value;
	s->most = pyro_max(s->most, record->weight.value);
	s->records++;
	if (record->kind == PYRO_KIND_BLOCK)
		assert_int_equal(record->wait_class, PYRO_WAIT_IO);
	/* No tables: the caller alone. */
	assert_int_equal(record->depth, 1);
	assert_int_equal(record->pc[0], 0x1234);
}

static void sweep(void)
{
	pyro_slots_sweep(see, NULL);
}

static void begin(uint64_t rate, bool mutex)
{
	memset(seen, 0, sizeof(seen));
	pyro_wait_start(0, 0, false);
	pyro_wait_start(rate, 1u << PYRO_WAIT_IO, mutex);
	pyro_wait_adapt(1);
}

static void blocked(uint64_t ns)
{
	pyro_wait_blocked(PYRO_WAIT_IO, ns, NULL, (void *)(uintptr_t)0x1235);
}

static void caused(uint64_t count, uint64_t ns)
{
	pyro_wait_caused((struct pyro_weight){count, ns}, NULL,
			 (void *)(uintptr_t)0x1235);
}

/* A second goes by for those that keep rates. */
static void rest(void)
{
	static uint64_t now = 1;

	now += PYRO_NS_PER_SEC;
	pyro_wait_adapt(now);
}

static void test_long_waits_are_exact(void **state)
{
	(void)state;
	begin(RATE, false);
	for (uint64_t i = 0; i < 100; i++)
		blocked(RATE + i);
	sweep();
	assert_int_equal(seen[PYRO_KIND_BLOCK].records, 100);
	assert_int_equal(seen[PYRO_KIND_BLOCK].sum.count, 100);
	assert_int_equal(seen[PYRO_KIND_BLOCK].sum.value, 100 * RATE + 4950);
	assert_int_equal(seen[PYRO_KIND_BLOCK].least, RATE);
}

/* n waits of ns: deviations of time and number from the truth. */
static void short_waits(uint64_t ns, uint64_t n, double *time, double *number)
{
	double d = (double)ns, p = d / (double)RATE, all = (double)n;

	begin(RATE, false);
	for (uint64_t i = 0; i < n; i++) {
		blocked(ns);
		if (i % 64 == 63) {
			sweep();
			rest(); /* or the rate rises */
		}
	}
	sweep();
	assert_int_equal(pyro_wait_state.rate, RATE);
	*time = ((double)seen[PYRO_KIND_BLOCK].sum.value - all * d) /
		sqrt(all * d * ((double)RATE - d));
	/* Rounding a weight of 1/p at random adds no more than p / 4 each. */
	*number = ((double)seen[PYRO_KIND_BLOCK].sum.count - all) /
		  sqrt(all * ((1 - p) / p + p / 4));
}

static void test_short_waits_are_right_on_average(void **state)
{
	static const struct {
		uint64_t ns, n;
	} all[] = {{1000, 400000}, {37123, 40000}, {600000, 20000}};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(all); i++) {
		double times = 0, numbers = 0;

		for (int run = 0; run < RUNS; run++) {
			double time, number;

			short_waits(all[i].ns, all[i].n, &time, &number);
			assert_true(fabs(time) < BOUND);
			assert_true(fabs(number) < BOUND);
			times += time;
			numbers += number;
		}
		assert_true(fabs(times / RUNS) < BOUND / sqrt(RUNS));
		assert_true(fabs(numbers / RUNS) < BOUND / sqrt(RUNS));
	}
}

/* With a rate that rises and falls in between. */
static void test_rate_rises_without_bias(void **state)
{
	const uint64_t n = 100000, ns = 300000;
	double mean = 0;

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		begin(RATE, false);
		for (uint64_t i = 0; i < n; i++) {
			blocked(ns);
			if (i % 64 == 63)
				sweep();
		}
		sweep();
		assert_true(pyro_wait_state.rate >= 8 * RATE);
		/* Some thousand stacks of 30000 at the first rate. */
		assert_true(seen[PYRO_KIND_BLOCK].records < 6000);
		mean += (double)seen[PYRO_KIND_BLOCK].sum.value / RUNS;
		for (int i = 0; i < 60; i++)
			rest();
		assert_int_equal(pyro_wait_state.rate, RATE);
	}
	/* A run's deviation is below that of n waits at 128 ms. */
	assert_true(fabs(mean - (double)(n * ns)) <
		    BOUND * sqrt((double)n * (double)ns * 128 * (double)RATE) /
			    sqrt(RUNS));
}

/* The same where the budget says so, and it comes back only as far as that allows. */
static void test_rate_is_halved_without_bias(void **state)
{
	const uint64_t n = 20000, ns = 300000;
	double mean = 0;

	(void)state;
	for (int run = 0; run < RUNS; run++) {
		begin(RATE, false);
		for (uint64_t i = 0; i < n; i++) {
			if (i == n / 4)
				pyro_wait_set_halvings(2);
			if (i == n / 2)
				pyro_wait_set_halvings(1);
			blocked(ns);
			if (i % 64 == 63) {
				sweep();
				rest();
			}
			if (i == n / 2 - 1)
				assert_int_equal(pyro_wait_state.rate,
						 4 * RATE);
		}
		sweep();
		mean += (double)seen[PYRO_KIND_BLOCK].sum.value / RUNS;
		assert_int_equal(pyro_wait_state.rate, 2 * RATE);
	}
	assert_true(fabs(mean - (double)(n * ns)) <
		    BOUND * sqrt((double)n * (double)ns * 4 * (double)RATE) /
			    sqrt(RUNS));
}

static void test_nothing_is_nothing(void **state)
{
	(void)state;
	begin(RATE, false);
	blocked(0);
	assert_true(pyro_wait_wants(PYRO_WAIT_IO));
	assert_false(pyro_wait_wants(PYRO_WAIT_SYNC));
	assert_false(pyro_wait_wants_caused());
	pyro_in_library_thread = true;
	assert_false(pyro_wait_wants(PYRO_WAIT_IO));
	pyro_in_library_thread = false;
	pyro_on_set(PYRO_ON_NO);
	assert_false(pyro_wait_wants(PYRO_WAIT_IO));
	pyro_on_set(PYRO_ON_YES);
	pyro_wait_start(0, 0, false);
	assert_false(pyro_wait_wants(PYRO_WAIT_IO));
	blocked(5 * RATE);
	sweep();
	assert_int_equal(seen[PYRO_KIND_BLOCK].records, 0);
}

/* Every delay is somewhere: with a stack, without, or in what was lost. */
static void test_delays_add_up(void **state)
{
	struct pyro_weight lost, rest_of, left;
	uint64_t count = 0, ns = 0;

	(void)state;
	begin(0, true);
	assert_true(pyro_wait_wants_caused());
	pyro_slots_lost(PYRO_KIND_MUTEX);
	for (uint64_t i = 1; i <= 5000; i++) {
		caused(i % 3 + 1, 7 * i);
		count += i % 3 + 1;
		ns += 7 * i;
		if (i % 100 == 0)
			sweep();
	}
	sweep();
	pyro_wait_not_captured(PYRO_KIND_MUTEX, 10, 1000);
	pyro_wait_left_over(3, 33);
	lost = pyro_slots_lost(PYRO_KIND_MUTEX);
	rest_of = pyro_wait_take_not_captured(PYRO_KIND_MUTEX);
	left = pyro_wait_take_left_over();
	assert_int_equal(left.count, 3);
	assert_int_equal(left.value, 33);
	assert_true(seen[PYRO_KIND_MUTEX].records <= PYRO_CAUSED_RATE_MAX);
	assert_true(seen[PYRO_KIND_MUTEX].records >= PYRO_CAUSED_RATE_MAX / 2);
	assert_int_equal(seen[PYRO_KIND_MUTEX].sum.count + lost.count +
				 rest_of.count,
			 count + 10);
	assert_int_equal(seen[PYRO_KIND_MUTEX].sum.value + lost.value +
				 rest_of.value,
			 ns + 1000);
	assert_int_equal(pyro_wait_take_not_captured(PYRO_KIND_MUTEX).value, 0);
	pyro_wait_left_over(1, 1);
	pyro_wait_forked();
	assert_int_equal(pyro_wait_take_left_over().value, 0);
}

/* Fewer stacks, and the same sums. What is allowed comes in small change: 15 a
 * second in looks of 20 ms each. */
static void test_delays_add_up_when_halved(void **state)
{
	struct pyro_weight rest_of;
	size_t before;

	(void)state;
	begin(0, true);
	pyro_wait_set_halvings(6);
	for (int i = 0; i < 2 * PYRO_CAUSED_RATE_MAX; i++) {
		caused(1, 100);
		if (i % 64 == 63)
			sweep();
	}
	sweep();
	before = seen[PYRO_KIND_MUTEX].records;
	for (uint64_t now = 1; now <= 200; now++) {
		pyro_wait_adapt(UINT64_C(1) << 50 | now * 20 * PYRO_NS_PER_MS);
		caused(1, 100);
		caused(1, 100);
		sweep();
	}
	assert_in_range(seen[PYRO_KIND_MUTEX].records - before,
			4 * (PYRO_CAUSED_RATE_MAX >> 6) - 2,
			4 * (PYRO_CAUSED_RATE_MAX >> 6) + 17);
	rest_of = pyro_wait_take_not_captured(PYRO_KIND_MUTEX);
	assert_int_equal(seen[PYRO_KIND_MUTEX].sum.count + rest_of.count,
			 2 * PYRO_CAUSED_RATE_MAX + 400);
	assert_int_equal(seen[PYRO_KIND_MUTEX].sum.value + rest_of.value,
			 (2 * PYRO_CAUSED_RATE_MAX + 400) * 100);
}

static int set_up(void **state)
{
	(void)state;
	if (pyro_slots_init(1024, PYRO_DEPTH_MAX) ||
	    (!UNDER_EMULATOR && pyro_on_init()))
		return -1;
	pyro_on_set(PYRO_ON_YES);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_long_waits_are_exact),
		cmocka_unit_test(test_short_waits_are_right_on_average),
		cmocka_unit_test(test_rate_rises_without_bias),
		cmocka_unit_test(test_nothing_is_nothing),
		cmocka_unit_test(test_rate_is_halved_without_bias),
		cmocka_unit_test(test_delays_add_up),
		cmocka_unit_test(test_delays_add_up_when_halved),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
