// SPDX-License-Identifier: Apache-2.0
/* contend.c - contend KIND WAITERS HOLD_MS ROUNDS: a holder with known hold times
 *
 * The main thread takes the lock, lets all others come to wait, holds it for
 * HOLD_MS and unlocks it in release_lock(); the others unlock at once. Prints
 * what the waiters have waited by their own clocks, and how much of that until
 * release_lock(), in ns, for locks.py. The lock's name is "it". Of kind d, a wait for a condition unlocks first. */
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>
#include <time.h>

static pthread_mutex_t mutex;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static mtx_t mtx;
static atomic_flag own = ATOMIC_FLAG_INIT;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static char kind;
static pthread_barrier_t barrier;
static _Atomic uint64_t waited, until_release;
/* When release_lock() was called. */
static _Atomic uint64_t released;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void take_own(void)
{
	if (!atomic_flag_test_and_set(&own))
		return;
	pyroscope_lock_contended(&own);
	while (atomic_flag_test_and_set(&own))
		sched_yield();
	pyroscope_lock_acquired(&own);
}

static void drop_own(void)
{
	pyroscope_lock_unlocked(&own);
	atomic_flag_clear(&own);
}

static void take(void)
{
	struct timespec far = {.tv_sec = time(NULL) + 1000};
	int rc = 0;

	switch (kind) {
	case 'x':
		take_own();
		break;
	case 'w':
		rc = pthread_rwlock_wrlock(&rwlock);
		break;
	case 's':
		rc = pthread_spin_lock(&spin);
		break;
	case 'c':
		rc = mtx_lock(&mtx);
		break;
	case 't':
		rc = pthread_mutex_timedlock(&mutex, &far);
		break;
	default:
		rc = pthread_mutex_lock(&mutex);
	}
	if (rc)
		abort();
}

static void drop(void)
{
	int rc = 0;

	switch (kind) {
	case 'x':
		drop_own();
		break;
	case 'w':
		rc = pthread_rwlock_unlock(&rwlock);
		break;
	case 's':
		rc = pthread_spin_unlock(&spin);
		break;
	case 'c':
		rc = mtx_unlock(&mtx);
		break;
	default:
		rc = pthread_mutex_unlock(&mutex);
	}
	if (rc)
		abort();
}

__attribute__((noinline)) static void release_lock(void)
{
	if (kind == 'd')
		pthread_cond_timedwait(&cond, &mutex, &(struct timespec){0});
	drop();
	__asm__ volatile("");
}

static void *wait_for_it(void *arg)
{
	long rounds = (long)(intptr_t)arg;

	for (long i = 0; i < rounds; i++) {
		uint64_t began;

		pthread_barrier_wait(&barrier);
		began = now();
		take();
		atomic_fetch_add(&waited, now() - began);
		drop();
		atomic_fetch_add(&until_release, released - began);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void make(void)
{
	pthread_mutexattr_t a;

	pthread_mutexattr_init(&a);
	if (kind == 'r')
		pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
	if (kind == 'e')
		pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	if (kind == 'o')
		pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (kind == 'i')
		pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT);
	pthread_mutex_init(&mutex, &a);
	pthread_spin_init(&spin, 0);
	mtx_init(&mtx, mtx_plain);
	pyroscope_lock_name(&own, "it");
	pyroscope_lock_name(&mutex, "it");
	pyroscope_lock_name(&rwlock, "it");
	pyroscope_lock_name((const void *)&spin, "it");
	pyroscope_lock_name(&mtx, "it");
}

int main(int argc, char **argv)
{
	static pthread_t threads[64];
	int count, hold_ms;
	long rounds;

	if (argc != 5)
		return 2;
	kind = argv[1][0];
	count = atoi(argv[2]);
	hold_ms = atoi(argv[3]);
	rounds = atol(argv[4]);
	make();
	pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
	for (int i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, wait_for_it,
			       (void *)(intptr_t)rounds);
	for (long i = 0; i < rounds; i++) {
		take();
		pthread_barrier_wait(&barrier);
		nanosleep(&(struct timespec){hold_ms / 1000,
					     hold_ms % 1000 * 1000000},
			  NULL);
		released = now();
		release_lock();
		pthread_barrier_wait(&barrier);
	}
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	printf("all %llu\n[lock it] %llu\nrelease_lock %llu\n",
	       (unsigned long long)waited, (unsigned long long)waited,
	       (unsigned long long)until_release);
	return 0;
}
