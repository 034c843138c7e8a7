// SPDX-License-Identifier: Apache-2.0
/* test_slots.c - records between many writers and one sweeper: each arrives
 * once and whole, or its weight is counted as lost */
#include "tests/unit.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/os.h"
#include "base/slots.h"

#define COUNT 256
#define WRITERS 6
#define RECORDS 60000
#define MS PYRO_NS_PER_MS

struct sum {
	uint64_t ns, ticks;
};

/* Written by one thread each, added up at the end. */
static struct sum produced[WRITERS];
static _Atomic uint32_t writing;

static struct pyro_record *take(pid_t tid, uint64_t ns, uint64_t ticks)
{
	return pyro_slots_take(PYRO_KIND_CPU, tid,
			       (struct pyro_weight){ticks, ns});
}

static struct sum lost_since(void)
{
	struct pyro_weight lost = pyro_slots_lost(PYRO_KIND_CPU);

	return (struct sum){lost.value, lost.count};
}

static void fill(struct pyro_record *r, uint64_t mark)
{
	r->depth = (uint16_t)(mark % r->room + 1);
	for (unsigned i = 0; i < r->depth; i++)
		r->pc[i] = mark * 1000 + i;
}

static void check_and_add(void *arg, const struct pyro_record *r)
{
	struct sum *sum = arg;
	uint64_t mark = r->pc[0] / 1000;

	assert_int_equal(r->depth, mark % r->room + 1);
	for (unsigned i = 0; i < r->depth; i++)
		assert_int_equal(r->pc[i], mark * 1000 + i);
	/* What take() was told belongs to the same record. */
	assert_int_equal(r->weight.value, mark * 3 + r->weight.count);
	sum->ns += r->weight.value;
	sum->ticks += r->weight.count;
}

/* One record, and now and then another inside it, as a handler that interrupts
 * a hook would. */
static void produce(struct sum *sum, uint64_t *random, pid_t tid, int nesting)
{
	uint64_t mark = next_random(random) % 1000000;
	uint32_t ticks = 1 + (uint32_t)(next_random(random) % 5);
	struct pyro_record *r = take(tid, mark * 3 + ticks, ticks);

	sum->ns += mark * 3 + ticks;
	sum->ticks += ticks;
	if (nesting < 3 && next_random(random) % 4 == 0)
		produce(sum, random, tid, nesting + 1);
	if (r) {
		fill(r, mark);
		pyro_slots_commit(r, mark % 100 == 0);
	}
}

static void *writer(void *arg)
{
	struct sum *sum = arg;
	uint64_t random = 0x1234567 + (uint64_t)(sum - produced);

	for (int i = 0; i < RECORDS; i++) {
		produce(sum, &random, pyro_gettid(), 0);
		if (i % 64 == 0)
			sched_yield();
	}
	atomic_fetch_sub(&writing, 1);
	return NULL;
}

static bool always_alive(void *arg, pid_t tid)
{
	(void)arg;
	assert_int_not_equal(tid, 0);
	return true;
}

static void lose_nothing_uncounted(uint16_t depth)
{
	pthread_t thread[WRITERS];
	struct sum swept = {0}, lost = {0}, all = {0};
	size_t sweeps = 0;

	memset(produced, 0, sizeof(produced));
	assert_int_equal(pyro_slots_init(COUNT, depth), 0);
	atomic_store(&writing, WRITERS);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, writer, &produced[i]),
			0);
	while (atomic_load(&writing) > 0) {
		pyro_slots_wait(pyro_slots_wakes(), 20 * MS, sweeps % 2);
		pyro_slots_sweep(check_and_add, &swept);
		pyro_slots_allow_urgent();
		assert_int_equal(pyro_slots_reclaim(always_alive, NULL), 0);
		sweeps++;
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(thread[i], NULL);
	pyro_slots_sweep(check_and_add, &swept);
	lost = lost_since();
	for (int i = 0; i < WRITERS; i++) {
		all.ns += produced[i].ns;
		all.ticks += produced[i].ticks;
	}
	assert_int_equal(swept.ns + lost.ns, all.ns);
	assert_int_equal(swept.ticks + lost.ticks, all.ticks);
	assert_true(swept.ticks > 0);
	print_message("%zu sweeps, %.1f %% lost in a pool of %d\n", sweeps,
		      100.0 * (double)lost.ticks / (double)all.ticks, COUNT);
	pyro_slots_free();
}

static void test_nothing_is_lost_uncounted(void **state)
{
	(void)state;
	lose_nothing_uncounted(PYRO_DEPTH_MAX);
	lose_nothing_uncounted(5);
}

static void test_depth(void **state)
{
	static const struct {
		uint16_t set, want;
	} cases[] = {{8, 8}, {101, 100}, {100, 100}};

	(void)state;
	assert_int_equal(pyro_slots_init(COUNT, 100), 0);
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyro_record *record;

		pyro_slots_set_depth(cases[i].set);
		record = pyro_slots_take(PYRO_KIND_CPU, 1,
					 (struct pyro_weight){1, 1});
		assert_non_null(record);
		assert_int_equal(record->room, cases[i].want);
		pyro_slots_lose(record);
	}
	pyro_slots_free();
}

static size_t take_all(uint64_t weight)
{
	size_t taken = 0, refused = 0;

	/* Eight probes may miss a free slot: a few rounds find all. */
	while (refused < 20 * COUNT)
		if (take(pyro_gettid(), weight, 1))
			taken++;
		else
			refused++;
	return taken;
}

static void ignore(void *arg, const struct pyro_record *record)
{
	(void)arg;
	(void)record;
}

static void test_full(void **state)
{
	struct sum lost;

	(void)state;
	assert_null(take(1, 10, 1)); /* no pool yet */
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	for (int i = 0; i < 5; i++)
		assert_non_null(take(1, 10, 1));
	assert_int_equal(take_all(7), COUNT - 5);
	lost = lost_since();
	assert_int_equal(lost.ns, lost.ticks * 7);
	assert_true(lost.ticks >= 20 * COUNT);
	assert_int_equal(pyro_slots_lost(PYRO_KIND_HEAP).count, 0);
	lost = lost_since();
	assert_int_equal(lost.ns + lost.ticks, 0);
	/* BUSY records are not swept. */
	assert_int_equal(pyro_slots_sweep(ignore, NULL), 0);
	pyro_slots_free();
	pyro_slots_free();
}

/* A hook may find no place to keep what it records. */
static void test_given_back(void **state)
{
	struct pyro_weight weight = {3, 50}, lost;

	(void)state;
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	pyro_slots_lose(pyro_slots_take(PYRO_KIND_HEAP, 1, weight));
	assert_int_equal(pyro_slots_lost(PYRO_KIND_CPU).count, 0);
	lost = pyro_slots_lost(PYRO_KIND_HEAP);
	assert_int_equal(lost.count, 3);
	assert_int_equal(lost.value, 50);
	assert_int_equal(take_all(0), COUNT);
	pyro_slots_free();
}

/* Slots that a sweep freed are taken again: memory for what comes between two
 * sweeps is all that is used. */
static void test_few_are_used(void **state)
{
	const struct pyro_record *seen[64];
	size_t used = 0;

	(void)state;
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < 10; i++) {
			struct pyro_record *r = take(1, 10, 1);
			size_t at = 0;

			assert_non_null(r);
			while (at < used && seen[at] != r)
				at++;
			if (at == used)
				seen[used++] = r;
			assert_true(used < PYRO_COUNT_OF(seen));
			pyro_slots_commit(r, false);
		}
		assert_int_equal(pyro_slots_sweep(ignore, NULL), 10);
	}
	assert_int_equal(used, 10);
	pyro_slots_free();
}

static void *take_and_die(void *arg)
{
	pid_t *tid = arg;
	struct pyro_record *r;

	*tid = pyro_gettid();
	r = take(*tid, 100, 2);
	fill(r, 5);
	take(*tid, 1000, 3);
	r = take(*tid, 15 + 4, 4);
	fill(r, 5);
	pyro_slots_commit(r, false); /* this one is whole */
	return NULL;
}

static bool not_this(void *arg, pid_t tid)
{
	return tid != *(const pid_t *)arg;
}

static void test_dead_writer(void **state)
{
	pthread_t thread;
	pid_t dead;
	struct sum swept = {0}, lost;

	(void)state;
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	assert_int_equal(pthread_create(&thread, NULL, take_and_die, &dead), 0);
	pthread_join(thread, NULL);
	assert_non_null(take(pyro_gettid(), 5, 1)); /* alive */
	assert_int_equal(pyro_slots_reclaim(not_this, &dead), 2);
	assert_int_equal(pyro_slots_reclaim(not_this, &dead), 0);
	lost = lost_since();
	assert_int_equal(lost.ns, 1100);
	assert_int_equal(lost.ticks, 5);
	assert_int_equal(pyro_slots_sweep(check_and_add, &swept), 1);
	assert_int_equal(swept.ticks, 4);
	assert_int_equal(take_all(0), COUNT - 1);
	pyro_slots_free();
}

/* What a writer does after its record was found, and before it is found dead. */
static struct pyro_record *held;

static bool commits_and_ends(void *arg, pid_t tid)
{
	(void)arg;
	assert_int_equal(tid, 1);
	pyro_slots_commit(held, false);
	return false;
}

/* And another thread takes the same slot. */
static bool gives_back_and_ends(void *arg, pid_t tid)
{
	const struct pyro_record *next = NULL;

	(void)arg;
	if (tid == 2)
		return true;
	pyro_slots_lose(held);
	while (next != held)
		next = take(2, 15 + 1, 1);
	return false;
}

static void add_tid(void *arg, const struct pyro_record *r)
{
	*(pid_t *)arg += r->tid;
}

static void test_ends_meanwhile(void **state)
{
	pid_t tids = 0;

	(void)state;
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	held = take(1, 100, 2);
	assert_int_equal(pyro_slots_reclaim(commits_and_ends, NULL), 0);
	assert_int_equal(lost_since().ticks, 0);
	assert_int_equal(pyro_slots_sweep(add_tid, &tids), 1);
	assert_int_equal(tids, 1);

	held = take(1, 100, 2);
	assert_int_equal(pyro_slots_reclaim(gives_back_and_ends, NULL), 0);
	assert_int_equal(lost_since().ticks, 2);
	assert_int_equal(held->tid, 2);
	pyro_slots_free();
}

static int child_finds_it_empty(void *arg)
{
	struct sum lost;

	(void)arg;
	pyro_slots_forked();
	lost = lost_since();
	if (lost.ns || lost.ticks)
		return 1;
	if (pyro_slots_sweep(ignore, NULL) != 0)
		return 2;
	if (take_all(0) != COUNT)
		return 3;
	return 0;
}

static void test_fork(void **state)
{
	struct sum swept = {0};
	struct pyro_record *r;

	(void)state;
	if (UNDER_EMULATOR)
		skip();
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	take_all(9);
	assert_int_equal(in_child(child_finds_it_empty, NULL), 0);
	pyro_slots_free();

	/* READY records stay with the parent. */
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	r = take(1, 15 + 1, 1);
	fill(r, 5);
	pyro_slots_commit(r, false);
	assert_int_equal(in_child(child_finds_it_empty, NULL), 0);
	assert_int_equal(pyro_slots_sweep(check_and_add, &swept), 1);
	pyro_slots_free();
}

struct later {
	int commits;
	bool urgent, wake;
};

static void *commit_later(void *arg)
{
	const struct later *later = arg;

	usleep(50000);
	for (int i = 0; i < later->commits; i++) {
		struct pyro_record *r = take(1, 15 + 1, 1);

		fill(r, 5);
		pyro_slots_commit(r, later->urgent);
	}
	if (later->wake)
		pyro_slots_wake();
	return NULL;
}

/* Does the wait end long before its time when this happens? */
static bool wakes(bool idle, struct later later, double *took)
{
	pthread_t thread;
	double began = now_s();
	struct sum swept = {0};
	uint64_t timeout_ms = took ? 1200 : 20000;

	assert_int_equal(pthread_create(&thread, NULL, commit_later, &later),
			 0);
	pyro_slots_wait(pyro_slots_wakes(), timeout_ms * MS, idle);
	if (took)
		*took = now_s() - began;

	bool early = now_s() - began < 10;

	pthread_join(thread, NULL);
	pyro_slots_sweep(check_and_add, &swept);
	return early;
}

static void test_waits(void **state)
{
	double took;

	(void)state;
	assert_int_equal(pyro_slots_init(COUNT, PYRO_DEPTH_MAX), 0);
	/* Idle: the first record wakes. */
	assert_true(wakes(true, (struct later){1, false, false}, NULL));
	/* Busy: one does not, half a pool does, so does wake. */
	wakes(false, (struct later){1, false, false}, &took);
	assert_true(took >= 1);
	assert_true(
		wakes(false, (struct later){COUNT / 2, false, false}, NULL));
	assert_true(wakes(false, (struct later){0, false, true}, NULL));
	/* Urgent: only once after it was allowed. */
	pyro_slots_allow_urgent();
	assert_true(wakes(false, (struct later){1, true, false}, NULL));
	wakes(false, (struct later){1, true, false}, &took);
	assert_true(took >= 1);

	/* Records that are there already: no wait at all. */
	struct later one = {1, false, false};
	struct sum swept = {0};

	commit_later(&one);
	pyro_slots_wait(pyro_slots_wakes(), UINT64_MAX, true);
	assert_int_equal(pyro_slots_sweep(check_and_add, &swept), 1);
	pyro_slots_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_nothing_is_lost_uncounted),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_given_back),
		cmocka_unit_test(test_few_are_used),
		cmocka_unit_test(test_dead_writer),
		cmocka_unit_test(test_ends_meanwhile),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_waits),
	};

	alarm(150);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
