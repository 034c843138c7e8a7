// SPDX-License-Identifier: Apache-2.0
/* test_sync.c - the futex lock under threads, its timeouts, and waiting on a
 * word; a hang is found by the alarm */
#include "tests/unit.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/os.h"
#include "base/sync.h"

#define THREADS 8
#define ROUNDS 40000
#define MS PYRO_NS_PER_MS

static struct pyro_mutex mutex = PYRO_MUTEX_INIT(PYRO_RANK_QUEUE);
static struct pyro_mutex inner = PYRO_MUTEX_INIT(PYRO_RANK_LOADER);
static long counter; /* guarded by mutex */
static _Atomic long inside;
static _Atomic long timeouts;

static void run_threads(void *(*fn)(void *), void *arg)
{
	pthread_t thread[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, fn, arg), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

static void in_section(void)
{
	if (atomic_fetch_add(&inside, 1) != 0)
		abort();
	counter++;
	if (counter % 64 == 0)
		sched_yield(); /* others run into the held lock */
	atomic_fetch_sub(&inside, 1);
}

static void *lock_and_count(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		pyro_mutex_lock(&mutex);
		in_section();
		pyro_mutex_unlock(&mutex);
	}
	return NULL;
}

static void test_excludes(void **state)
{
	(void)state;
	counter = 0;
	run_threads(lock_and_count, NULL);
	assert_int_equal(counter, THREADS * ROUNDS);
	assert_int_equal(atomic_load(&mutex.word), 0);
}

/* Short timeouts among the others: given up or taken, never both. */
static void *try_and_count(void *arg)
{
	long got = 0;

	(void)arg;
	while (got < ROUNDS / 8) {
		if (!pyro_mutex_lock_for(&mutex, got % 3 ? 1000 : 0)) {
			atomic_fetch_add(&timeouts, 1);
			sched_yield();
			continue;
		}
		in_section();
		got++;
		pyro_mutex_unlock(&mutex);
	}
	return NULL;
}

static void test_timeouts_exclude(void **state)
{
	pthread_t locker;

	(void)state;
	counter = 0;
	assert_int_equal(pthread_create(&locker, NULL, lock_and_count, NULL),
			 0);
	run_threads(try_and_count, NULL);
	pthread_join(locker, NULL);
	assert_int_equal(counter, THREADS * (ROUNDS / 8) + ROUNDS);
	assert_int_equal(atomic_load(&inside), 0);
}

static void *try_held(void *arg)
{
	double *took = arg;

	*took = now_s();
	errno = 77;
	if (pyro_mutex_lock_for(&mutex, 0) ||
	    pyro_mutex_lock_for(&mutex, 1100 * MS) || errno != 77)
		abort();
	*took = now_s() - *took;
	return NULL;
}

static void test_lock_for_gives_up(void **state)
{
	pthread_t thread;
	double took = 0;

	(void)state;
	pyro_mutex_lock(&mutex);
	assert_int_equal(pthread_create(&thread, NULL, try_held, &took), 0);
	pthread_join(thread, NULL);
	pyro_mutex_unlock(&mutex);
	assert_true(took >= 1);
	assert_true(pyro_mutex_lock_for(&mutex, 0));
	pyro_mutex_unlock(&mutex);
}

static void *take_soon(void *arg)
{
	_Atomic bool *done = arg;

	if (!pyro_mutex_lock_for(&mutex, 30000 * MS))
		abort();
	pyro_mutex_unlock(&mutex);
	atomic_store(done, true);
	return NULL;
}

/* A waiter gets the lock when it is given back, long before its time ends. */
static void test_unlock_wakes(void **state)
{
	pthread_t thread;
	_Atomic bool done = false;

	(void)state;
	pyro_mutex_lock(&mutex);
	assert_int_equal(pthread_create(&thread, NULL, take_soon, &done), 0);
	while (atomic_load(&mutex.word) != 2)
		sched_yield();

	double began = now_s();

	pyro_mutex_unlock(&mutex);
	pthread_join(thread, NULL);
	assert_true(atomic_load(&done));
	assert_true(now_s() - began < 20);
}

static void test_nests_and_resets(void **state)
{
	(void)state;
	pyro_mutex_lock(&mutex);
	pyro_mutex_lock(&inner);
	pyro_mutex_unlock(&inner);
	pyro_mutex_unlock(&mutex);
	pyro_mutex_lock(&mutex);
	pyro_mutex_reset(&mutex);
	assert_true(pyro_mutex_lock_for(&mutex, 0));
	pyro_mutex_unlock(&mutex);
}

#ifndef NDEBUG
static int lock_in_wrong_order(void *arg)
{
	(void)arg;
	close(2);
	pyro_mutex_lock(&inner);
	pyro_mutex_lock(&mutex);
	return 0;
}
#endif

static void test_ranks(void **state)
{
	(void)state;
#ifdef NDEBUG
	skip();
#else
	assert_int_equal(in_child(lock_in_wrong_order, NULL), 1000 + SIGABRT);
#endif
}

static void test_wait(void **state)
{
	_Atomic uint32_t word = 5;
	double began = now_s();

	(void)state;
	errno = 77;
	assert_true(pyro_wait(&word, 4, UINT64_MAX)); /* differs already */
	assert_false(pyro_wait(&word, 5, 0));
	assert_false(pyro_wait(&word, 5, 1100 * MS));
	assert_int_equal(errno, 77);
	assert_true(now_s() - began >= 1);
}

struct ping {
	_Atomic uint32_t word;
	_Atomic uint32_t woken;
};

static void *wait_for_change(void *arg)
{
	struct ping *ping = arg;

	for (uint32_t seen = 0; seen < 2000; seen++) {
		if (!pyro_wait(&ping->word, seen, 30000 * MS))
			abort();
		atomic_fetch_add(&ping->woken, 1);
		/* All waiters have seen this one before the next comes. */
		while (atomic_load(&ping->woken) < (seen + 1) * THREADS)
			sched_yield();
	}
	return NULL;
}

static void *change(void *arg)
{
	struct ping *ping = arg;

	for (uint32_t i = 0; i < 2000; i++) {
		while (atomic_load(&ping->woken) < i * THREADS)
			sched_yield();
		atomic_store(&ping->word, i + 1);
		pyro_wake(&ping->word);
	}
	return NULL;
}

static void test_wake_reaches_all(void **state)
{
	struct ping ping = {0};
	pthread_t changer;

	(void)state;
	assert_int_equal(pthread_create(&changer, NULL, change, &ping), 0);
	run_threads(wait_for_change, &ping);
	pthread_join(changer, NULL);
	assert_int_equal(atomic_load(&ping.woken), 2000 * THREADS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_excludes),
		cmocka_unit_test(test_timeouts_exclude),
		cmocka_unit_test(test_lock_for_gives_up),
		cmocka_unit_test(test_unlock_wakes),
		cmocka_unit_test(test_nests_and_resets),
		cmocka_unit_test(test_ranks),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_wake_reaches_all),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
