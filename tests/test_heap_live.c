// SPDX-License-Identifier: Apache-2.0
/* test_heap_live.c - the table of live samples: against a plain array, with many
 * threads and a scan, full, thinned, in a forked child */
#include "tests/unit.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "source/heap_live.h"

#define KEYS 20000
#define THREADS 4

/* Any, pages' beginnings, 16 behind those, and pools' blocks. */
static uint64_t key_of(uint64_t i)
{
	switch (i % 4) {
	case 0:
		return (i + 1) * 4096;
	case 1:
		return (i + 1) * 4096 + 16;
	case 2:
		return UINT64_C(0x7000000000) + i * 48;
	default:
		return (i + 1) * 33 | PYRO_LIVE_POOL;
	}
}

static struct pyro_heap_sample sample_of(uint64_t id)
{
	return (struct pyro_heap_sample){id, id * 7 + 3, id * 5 + 1};
}

struct sum {
	size_t count;
	uint64_t ids;
};

static void check_and_add(void *arg, const struct pyro_heap_sample *sample)
{
	struct pyro_heap_sample want = sample_of(sample->id);
	struct sum *sum = arg;

	assert_int_equal(sample->size, want.size);
	assert_int_equal(sample->interval, want.interval);
	sum->count++;
	sum->ids += sample->id;
}

static struct sum all(void)
{
	struct sum sum = {0};

	pyro_live_each(check_and_add, &sum);
	return sum;
}

static void check_empty(void)
{
	assert_int_equal(pyro_live_count(), 0);
	assert_int_equal(all().count, 0);
	assert_int_equal(pyro_live_unmarked, 0);
}

/* ids[i] is key i's, 0: not there. */
static void step(uint64_t *ids, uint64_t *random, uint64_t *id)
{
	uint64_t i = next_random(random) % KEYS;
	struct pyro_heap_sample sample = sample_of(++*id);
	struct pyro_live_entry *held;

	switch (next_random(random) % 4) {
	case 0:
	case 1: /* also where there is one, whose free was not seen */
		assert_true(pyro_live_add(key_of(i), &sample));
		ids[i] = *id;
		break;
	case 2:
		pyro_live_remove(key_of(i));
		ids[i] = 0;
		break;
	default:
		held = pyro_live_hold(key_of(i));
		assert_int_equal(held != NULL, ids[i] != 0);
		if (!held)
			break;
		assert_null(pyro_live_hold(key_of(i)));
		if (next_random(random) % 2) {
			pyro_live_restore(held, key_of(i));
		} else {
			pyro_live_drop(held, key_of(i));
			ids[i] = 0;
		}
	}
	pyro_live_grow();
}

static void test_model(void **state)
{
	static uint64_t ids[KEYS];
	uint64_t random = 42, id = 0;

	(void)state;
	assert_int_equal(pyro_live_init(), 0);
	check_empty();
	for (int i = 1; i <= 300000; i++) {
		struct sum want = {0};

		step(ids, &random, &id);
		if (i % 30000 != 0)
			continue;
		for (size_t k = 0; k < KEYS; k++) {
			want.count += ids[k] != 0;
			want.ids += ids[k];
			if (ids[k] && !(key_of(k) & PYRO_LIVE_POOL))
				assert_true(pyro_live_may_have(key_of(k)));
		}
		assert_int_equal(all().count, want.count);
		assert_int_equal(all().ids, want.ids);
		assert_int_equal(pyro_live_count(), want.count);
	}
	assert_true(pyro_live_unmarked > 0);
	pyro_live_clear();
	check_empty();
	for (size_t k = 0; k < KEYS; k++)
		assert_false(pyro_live_may_have(key_of(k)));
}

/* NULL is nobody's, though empty entries read as it. */
static void test_null(void **state)
{
	struct pyro_heap_sample sample = sample_of(1);

	(void)state;
	pyro_live_filter[0] = 1;
	pyro_live_remove(0);
	assert_null(pyro_live_hold(0));
	pyro_live_filter[0] = 0;
	check_empty();
	/* Nor does its page's filter forget others. */
	assert_true(pyro_live_add(4096, &sample));
	pyro_live_remove(0);
	assert_int_equal(pyro_live_count(), 1);
	pyro_live_remove(4096);
	check_empty();
}

static _Atomic uint64_t next_id = 1;
static _Atomic bool done;

/* Each thread has keys of its own, as the program's blocks are one thread's at a
 * time; they share buckets. */
static void *add_and_remove(void *arg)
{
	uint64_t self = *(const uint64_t *)arg, random = self + 99;

	for (int i = 0; i < 300000; i++) {
		uint64_t key =
			key_of(next_random(&random) % 3000 * THREADS + self);
		struct pyro_heap_sample sample =
			sample_of(atomic_fetch_add(&next_id, 1));
		struct pyro_live_entry *held;

		assert_true(pyro_live_add(key, &sample));
		if (i % 3 == 0) {
			held = pyro_live_hold(key);
			assert_non_null(held);
			if (i % 2)
				pyro_live_restore(held, key);
			else
				pyro_live_drop(held, key);
		}
		if (i % 2)
			pyro_live_remove(key);
	}
	for (uint64_t i = 0; i < 3000; i++)
		pyro_live_remove(key_of(i * THREADS + self));
	return NULL;
}

static void *scan(void *arg)
{
	(void)arg;
	while (!atomic_load(&done)) {
		pyro_live_grow();
		all();
		sched_yield();
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t thread[THREADS], scanner;
	uint64_t self[THREADS];

	(void)state;
	atomic_store(&done, false);
	assert_int_equal(pthread_create(&scanner, NULL, scan, NULL), 0);
	for (uint64_t i = 0; i < THREADS; i++) {
		self[i] = i;
		assert_int_equal(pthread_create(&thread[i], NULL,
						add_and_remove, &self[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&done, true);
	pthread_join(scanner, NULL);
	check_empty();
}

static void test_full(void **state)
{
	uint64_t added = 0;

	(void)state;
	for (uint64_t i = 0; i < 2 * PYRO_LIVE_MAX; i++) {
		struct pyro_heap_sample sample = sample_of(i + 1);

		added += pyro_live_add(0x7f0000000000 + i * 64, &sample);
		pyro_live_grow();
	}
	assert_int_equal(added, PYRO_LIVE_MAX);
	assert_int_equal(all().count, PYRO_LIVE_MAX);
	for (uint64_t i = 0; i < 2 * PYRO_LIVE_MAX; i++)
		pyro_live_remove(0x7f0000000000 + i * 64);
	check_empty();
}

static int keep_odd(void *arg, const struct pyro_heap_sample *sample)
{
	(void)arg;
	return sample->id % 2 ? 3 : -1;
}

static void is_doubled(void *arg, const struct pyro_heap_sample *sample)
{
	struct sum *sum = arg;

	assert_int_equal(sample->id % 2, 1);
	assert_int_equal(sample->interval, sample_of(sample->id).interval << 3);
	sum->count++;
}

static void test_thin(void **state)
{
	struct sum sum = {0};

	(void)state;
	for (uint64_t i = 0; i < KEYS; i++) {
		struct pyro_heap_sample sample = sample_of(i);

		assert_true(pyro_live_add(key_of(i), &sample));
	}
	pyro_live_thin(keep_odd, NULL);
	pyro_live_each(is_doubled, &sum);
	assert_int_equal(sum.count, KEYS / 2);
	for (uint64_t i = 0; i < KEYS; i++)
		pyro_live_remove(key_of(i));
	check_empty();
}

static int child_has_its_own(void *arg)
{
	struct pyro_heap_sample sample = sample_of(9);

	(void)arg;
	pyro_live_remove(key_of(1)); /* the parent's */
	pyro_live_forked();
	if (pyro_live_count() != 0 || all().count != 0)
		return 1;
	if (!pyro_live_add(key_of(2), &sample) || all().count != 1)
		return 2;
	pyro_live_remove(key_of(2));
	return all().count == 0 && pyro_live_count() == 0 ? 0 : 3;
}

static void test_fork(void **state)
{
	struct pyro_heap_sample sample = sample_of(5);

	(void)state;
	if (UNDER_EMULATOR)
		skip();
	assert_true(pyro_live_add(key_of(1), &sample));
	assert_int_equal(in_child(child_has_its_own, NULL), 0);
	assert_int_equal(all().count, 1);
	pyro_live_remove(key_of(1));
	check_empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),   cmocka_unit_test(test_null),
		cmocka_unit_test(test_threads), cmocka_unit_test(test_full),
		cmocka_unit_test(test_thin),    cmocka_unit_test(test_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
