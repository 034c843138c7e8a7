// SPDX-License-Identifier: Apache-2.0
/* test_heap_sample.c - estimates against the truth: ten mixes of sizes, a million
 * allocations each, twenty seeds
 *
 * The blocks are numbers: what is tried is what a hook does around the real call.
 * An estimate may be 4 standard deviations from the truth (its variance is the sum
 * of x^2 (1 - p) / p over all blocks), and over the seeds the mean of the errors,
 * in standard deviations, may be 4 / sqrt(seeds) from 0. */
#include "tests/unit.h"

#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/on.h"
#include "base/poisson.h"
#include "base/slots.h"
#include "source/heap.h"
#include "source/heap_sample.h"

#define ALLOCATIONS 1000000
#ifndef SEEDS
#define SEEDS 20
#endif
#define BLOCKS 65536 /* live at a time */
#define BOUND 4.0

struct estimate {
	double objects, bytes;
	double objects_var, bytes_var; /* of the truth: its estimate's */
};

static void add_sample(void *arg, const struct pyro_heap_sample *sample)
{
	struct estimate *e = arg;
	double weight = pyro_poisson_weight(sample->size, sample->interval);

	e->objects += weight;
	e->bytes += weight * (double)sample->size;
}

/* sign is 1 for a block that comes, -1 for one that goes. */
static void add_truth(struct estimate *e, size_t size, double weight,
		      double sign)
{
	double bytes = (double)size;

	e->objects += sign;
	e->bytes += sign * bytes;
	e->objects_var += sign * (weight - 1);
	e->bytes_var += sign * bytes * bytes * (weight - 1);
}

static void add_record(void *arg, const struct pyro_record *record)
{
	assert_int_equal(record->kind, PYRO_KIND_HEAP);
	add_sample(arg, &record->heap);
}

/* What mixes draw from: sizes and how often of 1000. So many that some samples
 * are expected of what has the largest weight: a few have no normal
 * distribution. */
struct mix {
	const char *name;
	uint64_t interval;
	struct {
		size_t size;
		unsigned per_mille;
	} part[4];
};

static const struct mix mixes[] = {
	{"tiny", 16384, {{16, 500}, {24, 300}, {0, 200}}},
	{"small", 65536, {{64, 600}, {100, 300}, {1000, 100}}},
	{"many tiny, few huge", 65536, {{64, 999}, {1 << 20, 1}}},
	{"around the interval",
	 4096,
	 {{2048, 4}, {4096, 4}, {8192, 4}, {8, 988}}},
	{"pages", 1 << 20, {{4096, 900}, {65536, 100}}},
	{"one size", 32768, {{48, 1000}}},
	{"powers of two", 262144, {{32, 400}, {512, 400}, {16384, 200}}},
	{"large alone", 64 << 20, {{1 << 20, 500}, {4 << 20, 500}}},
	{"wide", 65536, {{64, 700}, {300, 290}, {100000, 9}, {10 << 20, 1}}},
	{"default", 524288, {{400, 500}, {2000, 300}, {50000, 200}}},
};

static size_t draw_size(const struct mix *mix, uint64_t *random)
{
	unsigned at = next_random(random) % 1000;
	size_t i = 0;

	while (at >= mix->part[i].per_mille)
		at -= mix->part[i++].per_mille;
	/* Not one size alone, but for what is said to be. */
	return mix->part[i].size > 1000 && mix->part[1].per_mille
		       ? mix->part[i].size - next_random(random) % 100
		       : mix->part[i].size;
}

struct run {
	struct estimate alloc, inuse, true_alloc, true_inuse;
	uint64_t interval;
	double weight[1024]; /* of small sizes */
	size_t size[BLOCKS]; /* SIZE_MAX: none */
};

static void begin(struct run *run, uint64_t interval, uint64_t random)
{
	memset(run, 0, sizeof(*run));
	memset(run->size, 0xff, sizeof(run->size));
	run->interval = interval;
	for (size_t i = 0; i < PYRO_COUNT_OF(run->weight); i++)
		run->weight[i] = pyro_poisson_weight(i, interval);
	pyro_heap_thread = (struct pyro_heap_thread){.random = random};
	assert_int_equal(pyro_heap_start(interval), 0);
}

static void end(void)
{
	pyro_heap_stop();
	pyro_heap_forget();
}

static double weight_of(const struct run *run, size_t size)
{
	return size < PYRO_COUNT_OF(run->weight)
		       ? run->weight[size]
		       : pyro_poisson_weight(size, run->interval);
}

static void allocate(struct run *run, size_t block, size_t size)
{
	struct pyro_heap_call call;
	uintptr_t key = 4096 * (block + 1);
	size_t old = run->size[block];
	double weight = weight_of(run, size);

	if (old != SIZE_MAX) {
		pyro_live_remove(key);
		add_truth(&run->true_inuse, old, weight_of(run, old), -1);
	}
	pyro_heap_begin(&call, size);
	pyro_heap_end(&call, (void *)key, __builtin_return_address(0));
	run->size[block] = size;
	add_truth(&run->true_alloc, size, weight, 1);
	add_truth(&run->true_inuse, size, weight, 1);
}

static void play(struct run *run, const struct mix *mix, uint64_t random)
{
	uint64_t swept = 0, clock = 1;

	begin(run, mix->interval, random);
	for (int i = 0; i < ALLOCATIONS; i++) {
		allocate(run, next_random(&random) % BLOCKS,
			 draw_size(mix, &random));
		if (pyro_heap.samples - swept < 100)
			continue;
		swept = pyro_heap.samples;
		pyro_slots_sweep(add_record, &run->alloc);
		/* Of its own clock: half as fast as is allowed. */
		pyro_heap_adapt(clock += PYRO_NS_PER_SEC / 5);
	}
	pyro_slots_sweep(add_record, &run->alloc);
	pyro_live_each(add_sample, &run->inuse);
	assert_int_equal(pyro_heap_interval(), mix->interval);
	end();
}

static double check(const char *mix, const char *what, double estimated,
		    double variance, double truth)
{
	/* p is 1 for all: no error at all. */
	double z = variance > 1 ? (estimated - truth) / sqrt(variance)
				: estimated - truth;

	if (fabs(z) > BOUND)
		print_error("%s, %s: %.0f for %.0f, sd %.0f\n", mix, what,
			    estimated, truth, sqrt(variance));
	assert_true(fabs(z) <= BOUND);
	return z;
}

static void check_mean(const char *mix, const char *what, double sum)
{
	double mean = sum / SEEDS;

	print_message(
		"%s, %s: mean error %.2f standard deviations of the mean\n",
		mix, what, mean * sqrt(SEEDS));
	assert_true(fabs(mean) * sqrt(SEEDS) <= BOUND);
}

/* Fewer live samples, each of which stands for more: the estimates stay true, and
 * so does the variance of the new interval. */
static void test_thinning(void **state)
{
	static const struct mix mix = {
		"thinned", 4096, {{200, 900}, {3000, 90}, {100000, 10}}};
	static struct run run;
	double z[2] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t random = seed * UINT64_C(0xd1342543de82ef95);
		struct estimate thinned = {0}, before = {0};

		begin(&run, mix.interval, random);
		run.interval = 16 * mix.interval;
		for (size_t i = 0; i < PYRO_COUNT_OF(run.weight); i++)
			run.weight[i] = pyro_poisson_weight(i, run.interval);
		for (size_t i = 0; i < BLOCKS; i++) {
			allocate(&run, i, draw_size(&mix, &random));
			if (i % 100 == 0) {
				pyro_slots_sweep(add_record, &run.alloc);
				pyro_heap_adapt((i + 1) * PYRO_NS_PER_SEC);
			}
		}
		pyro_live_each(add_sample, &before);
		pyro_heap_thin(run.interval);
		pyro_live_each(add_sample, &thinned);
		assert_true(thinned.objects != before.objects);
		z[0] += check(mix.name, "in-use objects", thinned.objects,
			      run.true_inuse.objects_var,
			      run.true_inuse.objects);
		z[1] += check(mix.name, "in-use bytes", thinned.bytes,
			      run.true_inuse.bytes_var, run.true_inuse.bytes);
		pyro_slots_sweep(add_record, &run.alloc);
		end();
	}
	check_mean(mix.name, "in-use objects", z[0]);
	check_mean(mix.name, "in-use bytes", z[1]);
}

/* The rate is halved three times and doubled again while the program goes on: each
 * sample weighs what it was drawn with. The variance is that of the lowest rate,
 * which is more than there is. */
static void test_halvings(void **state)
{
	static const struct mix mix = {
		"halved", 8192, {{100, 900}, {3000, 95}, {100000, 5}}};
	static const unsigned halvings[] = {0, 1, 2, 3, 3, 2, 1, 0};
	const size_t part = ALLOCATIONS / 4 / PYRO_COUNT_OF(halvings);
	static struct run run;
	double z[2] = {0};

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t random = seed * UINT64_C(0x9e6c63d0876a9a47);
		uint64_t clock = 1;

		begin(&run, mix.interval, random);
		run.interval = 8 * mix.interval;
		for (size_t i = 0; i < PYRO_COUNT_OF(run.weight); i++)
			run.weight[i] = pyro_poisson_weight(i, run.interval);
		for (size_t i = 0; i < part * PYRO_COUNT_OF(halvings); i++) {
			if (i % part == 0)
				pyro_heap_set_halvings(halvings[i / part]);
			allocate(&run, next_random(&random) % BLOCKS,
				 draw_size(&mix, &random));
			if (i % 500 != 0)
				continue;
			pyro_slots_sweep(add_record, &run.alloc);
			pyro_heap_adapt(clock += PYRO_NS_PER_SEC);
			assert_true(pyro_heap_interval() >=
				    mix.interval << halvings[i / part]);
		}
		pyro_slots_sweep(add_record, &run.alloc);
		assert_int_equal(pyro_slots_lost(PYRO_KIND_HEAP).count, 0);
		assert_int_equal(pyro_heap_interval(), mix.interval);
		z[0] += check(mix.name, "alloc objects", run.alloc.objects,
			      run.true_alloc.objects_var,
			      run.true_alloc.objects);
		z[1] += check(mix.name, "alloc bytes", run.alloc.bytes,
			      run.true_alloc.bytes_var, run.true_alloc.bytes);
		end();
	}
	check_mean(mix.name, "alloc objects", z[0]);
	check_mean(mix.name, "alloc bytes", z[1]);
}

static void play_seeds(const struct mix *mix)
{
	static struct run run;
	double z[4] = {0};
	static const char *const what[] = {"alloc objects", "alloc bytes",
					   "in-use objects", "in-use bytes"};

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		play(&run, mix,
		     (seed + SEEDS * (uint64_t)(mix - mixes)) *
			     UINT64_C(0x9e3779b97f4a7c15));
		assert_int_equal(pyro_slots_lost(PYRO_KIND_HEAP).count, 0);
		z[0] += check(mix->name, what[0], run.alloc.objects,
			      run.true_alloc.objects_var,
			      run.true_alloc.objects);
		z[1] += check(mix->name, what[1], run.alloc.bytes,
			      run.true_alloc.bytes_var, run.true_alloc.bytes);
		z[2] += check(mix->name, what[2], run.inuse.objects,
			      run.true_inuse.objects_var,
			      run.true_inuse.objects);
		z[3] += check(mix->name, what[3], run.inuse.bytes,
			      run.true_inuse.bytes_var, run.true_inuse.bytes);
	}
	for (int i = 0; i < 4; i++)
		check_mean(mix->name, what[i], z[i]);
}

static void test_mixes(void **state)
{
	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(mixes); i++)
		play_seeds(&mixes[i]);
}

/* At 1 byte all are sampled, and counted exactly, until that is too often. */
static void test_every_allocation(void **state)
{
	static struct run run;
	uint64_t random = 5;

	(void)state;
	begin(&run, 1, 0);
	for (size_t i = 0; i < 900; i++) {
		allocate(&run, i, next_random(&random) % 100);
		if (i % 50 == 0)
			pyro_slots_sweep(add_record, &run.alloc);
	}
	pyro_slots_sweep(add_record, &run.alloc);
	pyro_live_each(add_sample, &run.inuse);
	assert_true(run.alloc.objects == run.true_alloc.objects);
	assert_true(run.alloc.bytes == run.true_alloc.bytes);
	assert_true(run.inuse.objects == run.true_inuse.objects);
	assert_true(run.inuse.bytes == run.true_inuse.bytes);
	assert_int_equal(pyro_heap_interval(), 1);
	end();
}

/* What a hooked call calls itself is part of it; one that fails is not counted;
 * while off nothing is. */
static void test_calls(void **state)
{
	struct pyro_heap_call outer, inner;
	struct estimate seen = {0};
	struct pyro_heap_thread *t = &pyro_heap_thread;

	(void)state;
	*t = (struct pyro_heap_thread){0};
	assert_int_equal(pyro_heap_start(1), 0);
	pyro_heap_begin(&outer, 100);
	pyro_heap_begin(&inner, 50);
	assert_false(inner.sampled);
	pyro_heap_end(&inner, t, NULL);
	assert_false(pyro_heap_passes(10));
	pyro_heap_end(&outer, t, NULL);
	pyro_heap_begin(&outer, 7);
	pyro_heap_end(&outer, NULL, NULL);
	pyro_slots_sweep(add_record, &seen);
	assert_true(seen.objects == 1 && seen.bytes == 100);
	assert_int_equal(pyro_live_count(), 1);
	end();
	assert_int_equal(pyro_live_count(), 0);

	pyro_heap_begin(&outer, 100);
	assert_false(outer.sampled);
	pyro_heap_end(&outer, t, NULL);
	assert_true(t->left > 0);
	/* A size that no memory has does not turn the countdown over. */
	pyro_heap_begin(&outer, SIZE_MAX / 2 + 1);
	pyro_heap_end(&outer, NULL, NULL);
	assert_true(t->left < UINT64_C(1) << 40);
}

/* Much too fast: the interval grows, and what does not fit the pool is counted. */
static void test_rate(void **state)
{
	static struct run run;
	uint64_t random = 77, began;
	struct pyro_weight lost;
	double seen;

	(void)state;
	begin(&run, 64, 99);
	began = pyro_heap.samples;
	for (size_t i = 0; i < 1000000; i++) {
		allocate(&run, next_random(&random) % BLOCKS, 200);
		if (i % 5000 == 0)
			pyro_slots_sweep(add_record, &run.alloc);
	}
	pyro_slots_sweep(add_record, &run.alloc);
	assert_true(pyro_heap_interval() >= 8 * 64);
	assert_true(pyro_heap.samples - began < 1000);
	lost = pyro_slots_lost(PYRO_KIND_HEAP);
	seen = run.alloc.objects + (double)lost.count;
	print_message("%.0f objects in records, %.0f lost, of %.0f\n",
		      run.alloc.objects, (double)lost.count,
		      run.true_alloc.objects);
	assert_true(fabs(seen / run.true_alloc.objects - 1) < 0.2);
	for (int i = 1; i < 200 && pyro_heap_interval() > 64; i++)
		pyro_heap_adapt((uint64_t)i * PYRO_NS_PER_SEC);
	assert_int_equal(pyro_heap_interval(), 64); /* calm again */
	end();
}

static int set_up(void **state)
{
	(void)state;
	if (pyro_slots_init(256, PYRO_DEPTH_MAX) ||
	    (!UNDER_EMULATOR && pyro_on_init()))
		return -1;
	pyro_on_set(PYRO_ON_YES);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_allocation),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_mixes),
		cmocka_unit_test(test_thinning),
		cmocka_unit_test(test_halvings),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
