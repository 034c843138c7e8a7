// SPDX-License-Identifier: Apache-2.0
/* test_lock_waiters.c - each nanosecond of a wait is handed out once */
#include "tests/unit.h"

#include "base/os.h"
#include "source/lock_waiters.h"

#define THREADS 8
#define ROUNDS 20000
#define CROWD (PYRO_LOCK_WINDOW + 44)

/* Of different homes. */
static int locks[64];
#define some_lock locks[0]
#define other_lock locks[32]

static struct pyro_lock_waiter *begin(const void *lock, uint64_t now)
{
	struct pyro_weight left;
	struct pyro_lock_waiter *w = pyro_lock_wait_begin(lock, now, &left);

	assert_int_equal(left.value, 0);
	return w;
}

static void assert_weight(struct pyro_weight w, uint64_t count, uint64_t value)
{
	assert_int_equal(w.count, count);
	assert_int_equal(w.value, value);
}

static void test_nobody_is_charged(void **state)
{
	(void)state;
	struct pyro_lock_waiter *w = begin(&some_lock, 100);

	assert_true(pyro_lock_is_awaited(&some_lock));
	assert_weight(pyro_lock_charge(&other_lock, 150), 0, 0);
	assert_weight(pyro_lock_wait_end(w, 170), 1, 70);
	assert_false(pyro_lock_is_awaited(&some_lock));
	assert_weight(pyro_lock_charge(&some_lock, 200), 0, 0);
}

static void test_several_are_charged(void **state)
{
	(void)state;
	struct pyro_lock_waiter *w = begin(&some_lock, 100);

	assert_weight(pyro_lock_charge(&some_lock, 130), 1, 30);
	/* Who looked at the clock before the other has nothing left. */
	assert_weight(pyro_lock_charge(&some_lock, 120), 0, 0);
	assert_weight(pyro_lock_charge(&some_lock, 180), 0, 50);
	assert_weight(pyro_lock_wait_end(w, 200), 0, 20);
}

static void test_charge_after_the_end(void **state)
{
	(void)state;
	struct pyro_lock_waiter *w = begin(&some_lock, 100);

	assert_weight(pyro_lock_charge(&some_lock, 130), 1, 30);
	assert_weight(pyro_lock_wait_end(w, 125), 0, 0);
}

/* What is waited after it is nobody's. */
static void test_cut(void **state)
{
	(void)state;
	struct pyro_lock_waiter *w = begin(&some_lock, 100);

	assert_weight(pyro_lock_cut(140), 1, 40);
	assert_weight(pyro_lock_cut(145), 0, 0);
	assert_true(pyro_lock_is_awaited(&some_lock));
	assert_weight(pyro_lock_charge(&some_lock, 150), 0, 0);
	assert_weight(pyro_lock_wait_end(w, 170), 0, 0);
	w = begin(&some_lock, 200);
	assert_weight(pyro_lock_charge(&some_lock, 230), 1, 30);
	assert_weight(pyro_lock_cut(250), 0, 20);
	assert_weight(pyro_lock_wait_end(w, 270), 0, 0);
	assert_false(pyro_lock_is_awaited(&some_lock));
}

/* By longjmp(), or in a signal handler that waits itself. */
static void test_one_wait_a_thread(void **state)
{
	(void)state;
	struct pyro_lock_waiter *outer = begin(&some_lock, 100), *inner;
	struct pyro_weight left;

	inner = pyro_lock_wait_begin(&other_lock, 140, &left);
	assert_weight(left, 1, 40);
	assert_false(pyro_lock_is_awaited(&some_lock));
	assert_weight(pyro_lock_charge(&some_lock, 150), 0, 0);
	assert_weight(pyro_lock_wait_end(inner, 160), 1, 20);
	assert_weight(pyro_lock_wait_end(outer, 170), 0, 0);
	assert_false(pyro_lock_is_awaited(&other_lock));
}

static void *wait_and_die(void *arg)
{
	(void)arg;
	begin(&some_lock, 100);
	return NULL;
}

static bool is_main(void *arg, pid_t tid)
{
	(void)arg;
	return tid == getpid();
}

static void test_dead_threads(void **state)
{
	(void)state;
	pthread_t thread;
	struct pyro_lock_waiter *w = begin(&some_lock, 100);

	pthread_create(&thread, NULL, wait_and_die, NULL);
	pthread_join(thread, NULL);
	assert_weight(pyro_lock_charge(&some_lock, 110), 2, 20);
	pyro_lock_reclaim(is_main, NULL);
	assert_weight(pyro_lock_charge(&some_lock, 120), 0, 10);
	assert_weight(pyro_lock_wait_end(w, 120), 0, 0);
	assert_false(pyro_lock_is_awaited(&some_lock));
}

static void test_fork(void **state)
{
	(void)state;
	struct pyro_lock_waiter *w = begin(&some_lock, 100);

	pyro_lock_forked();
	assert_false(pyro_lock_is_awaited(&some_lock));
	assert_weight(pyro_lock_wait_end(w, 120), 0, 0);
	w = begin(&some_lock, 130);
	assert_weight(pyro_lock_wait_end(w, 150), 1, 20);
	assert_false(pyro_lock_is_awaited(&some_lock));
}

static pthread_barrier_t barrier;
static _Atomic unsigned waiting;

static void *crowd(void *arg)
{
	struct pyro_lock_waiter *w = begin(&some_lock, 100);
	struct pyro_weight left;

	(void)arg;
	if (w)
		atomic_fetch_add(&waiting, 1);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	left = pyro_lock_wait_end(w, 300);
	assert_int_equal(left.count, 0);
	assert_int_equal(left.value, w ? 100 : 0);
	return NULL;
}

static void test_no_room(void **state)
{
	(void)state;
	static pthread_t threads[CROWD];

	pthread_barrier_init(&barrier, NULL, CROWD + 1);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd, NULL),
				 0);
	pthread_barrier_wait(&barrier);
	assert_int_equal(waiting, PYRO_LOCK_WINDOW);
	assert_weight(pyro_lock_charge(&some_lock, 200), PYRO_LOCK_WINDOW,
		      100 * PYRO_LOCK_WINDOW);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < CROWD; i++)
		pthread_join(threads[i], NULL);
	assert_false(pyro_lock_is_awaited(&some_lock));
	pthread_barrier_destroy(&barrier);
}

/* More locks than one, the same slots all the time, and a thread that charges
 * without the lock, as the readers of an rwlock do. */
static pthread_mutex_t mutexes[2] = {PTHREAD_MUTEX_INITIALIZER,
				     PTHREAD_MUTEX_INITIALIZER};
static _Atomic uint64_t waits, waited, handed_count, handed;
static _Atomic bool done;

static void hand_out(struct pyro_weight w)
{
	atomic_fetch_add(&handed_count, w.count);
	atomic_fetch_add(&handed, w.value);
}

static void *lock_and_unlock(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_t *m = &mutexes[(i + (intptr_t)arg) % 2];
		uint64_t began = pyro_clock_ns(CLOCK_MONOTONIC), ended;
		struct pyro_lock_waiter *w = begin(m, began);

		assert_non_null(w);
		pthread_mutex_lock(m);
		ended = pyro_clock_ns(CLOCK_MONOTONIC);
		hand_out(pyro_lock_wait_end(w, ended));
		atomic_fetch_add(&waits, 1);
		atomic_fetch_add(&waited, ended - began);
		hand_out(pyro_lock_charge(m, pyro_clock_ns(CLOCK_MONOTONIC)));
		pthread_mutex_unlock(m);
	}
	return NULL;
}

/* Of the past, so that no wait is charged beyond its end. */
static void *charge_others(void *arg)
{
	(void)arg;
	while (!done) {
		uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

		for (int i = 0; i < 2; i++)
			hand_out(pyro_lock_charge(&mutexes[i],
						  now - PYRO_NS_PER_MS));
	}
	return NULL;
}

static void test_sums_are_exact(void **state)
{
	(void)state;
	pthread_t threads[THREADS], other;

	pthread_create(&other, NULL, charge_others, NULL);
	for (intptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, lock_and_unlock, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	atomic_store(&done, true);
	pthread_join(other, NULL);
	assert_int_equal(waits, THREADS * ROUNDS);
	assert_int_equal(handed_count, waits);
	/* Else a thread was off its processor for 1 ms between a look at the
	 * clock and the look at the table. */
	assert_true(handed >= waited);
	assert_true(handed - waited <= waited / 100 + PYRO_NS_PER_SEC);
	for (int i = 0; i < 2; i++)
		assert_false(pyro_lock_is_awaited(&mutexes[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nobody_is_charged),
		cmocka_unit_test(test_several_are_charged),
		cmocka_unit_test(test_charge_after_the_end),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_one_wait_a_thread),
		cmocka_unit_test(test_dead_threads),
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_sums_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
