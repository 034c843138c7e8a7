// SPDX-License-Identifier: Apache-2.0
/* locks_calls.c - what each call that locks or unlocks gives back, of each kind
 *
 * Prints a line for each: the same with the library and without. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

/* musl has no other kinds, nor calls with a clock; its locks that inherit priority
 * wait for ever where the time is wrong. */
#ifdef __GLIBC__
#define PROTOCOLS 3
#else
#define PROTOCOLS 1
#define PTHREAD_MUTEX_ADAPTIVE_NP PTHREAD_MUTEX_NORMAL
#define PTHREAD_RWLOCK_PREFER_READER_NP 0
#define PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP 1
#define pthread_rwlockattr_setkind_np(attr, kind) (void)(kind)
#define pthread_mutex_clocklock(m, clock, until) ((void)(until), 0)
#define pthread_rwlock_clockrdlock(l, clock, until) ((void)(until), 0)
#define pthread_rwlock_clockwrlock(l, clock, until) ((void)(until), 0)
#endif

static struct timespec in_ms(clockid_t clock, long ms)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += (t.tv_nsec + ms * 1000000) / 1000000000;
	t.tv_nsec = (t.tv_nsec + ms * 1000000) % 1000000000;
	return t;
}

static void show(const char *kind, const char *what, int rc)
{
	printf("%s %s: %d errno %d\n", kind, what, rc, errno);
}

/* What another thread gets while we hold it. */
static void *try_others(void *arg)
{
	pthread_mutex_t *m = arg;
	struct timespec soon = in_ms(CLOCK_REALTIME, 20), wrong = {0, -1};

	show("other", "timedlock", pthread_mutex_timedlock(m, &soon));
	soon = in_ms(CLOCK_MONOTONIC, 20);
	show("other", "clocklock",
	     pthread_mutex_clocklock(m, CLOCK_MONOTONIC, &soon));
	show("other", "wrong clock", pthread_mutex_clocklock(m, 77, &soon));
	show("other", "wrong time", pthread_mutex_timedlock(m, &wrong));
	show("other", "trylock", pthread_mutex_trylock(m));
	show("other", "unlock", 0);
	return NULL;
}

static void *die_with_it(void *arg)
{
	show("dead", "lock", pthread_mutex_lock(arg));
	return NULL;
}

static void *wait_for_it(void *arg)
{
	int rc = pthread_mutex_lock(arg);

	show("waiter", "lock", rc);
	if (rc == EOWNERDEAD)
		show("waiter", "consistent", pthread_mutex_consistent(arg));
	show("waiter", "unlock", pthread_mutex_unlock(arg));
	return NULL;
}

static void with_thread(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	pthread_create(&t, NULL, fn, arg);
	pthread_join(t, NULL);
}

static void run_mutex(const char *kind, int type, int protocol, int robust,
		      int shared)
{
	pthread_mutexattr_t a;
	pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec wrong = {0, -1};
	pthread_t t;

	pthread_mutexattr_init(&a);
	pthread_mutexattr_settype(&a, type);
	pthread_mutexattr_setprotocol(&a, protocol);
	pthread_mutexattr_setrobust(&a, robust);
	pthread_mutexattr_setpshared(&a, shared);
	show(kind, "init", pthread_mutex_init(m, &a));
	show(kind, "lock", pthread_mutex_lock(m));
	if (type != PTHREAD_MUTEX_NORMAL && type != PTHREAD_MUTEX_ADAPTIVE_NP) {
		int rc = pthread_mutex_lock(m);

		show(kind, "lock again", rc);
		if (rc == 0)
			show(kind, "unlock one", pthread_mutex_unlock(m));
		rc = pthread_mutex_timedlock(m, &wrong);
		show(kind, "timedlock again", rc);
		if (rc == 0)
			show(kind, "unlock one", pthread_mutex_unlock(m));
	}
	with_thread(try_others, m);
	pthread_create(&t, NULL, wait_for_it, m);
	usleep(20000);
	if (shared == PTHREAD_PROCESS_SHARED && fork() == 0) {
		struct timespec soon = in_ms(CLOCK_REALTIME, 20);

		_exit(pthread_mutex_timedlock(m, &soon));
	}
	if (shared == PTHREAD_PROCESS_SHARED) {
		int status;

		wait(&status);
		show(kind, "child", WEXITSTATUS(status));
	}
	show(kind, "unlock", pthread_mutex_unlock(m));
	pthread_join(t, NULL);
	if (type == PTHREAD_MUTEX_ERRORCHECK || robust == PTHREAD_MUTEX_ROBUST)
		show(kind, "unlock what is free", pthread_mutex_unlock(m));
	if (robust == PTHREAD_MUTEX_ROBUST) {
		with_thread(die_with_it, m);
		with_thread(wait_for_it, m);
		with_thread(die_with_it, m);
		show(kind, "lock of dead", pthread_mutex_lock(m));
		show(kind, "unlock", pthread_mutex_unlock(m));
		show(kind, "not recoverable", pthread_mutex_lock(m));
	}
	show(kind, "destroy", pthread_mutex_destroy(m));
	munmap(m, 4096);
}

static pthread_rwlock_t rwlock;

static void *read_it(void *arg)
{
	struct timespec soon = in_ms(CLOCK_REALTIME, 20), wrong = {0, -1};
	int rc = pthread_rwlock_timedrdlock(&rwlock, &soon);

	show(arg, "timedrdlock", rc);
	if (rc == 0)
		show(arg, "unlock", pthread_rwlock_unlock(&rwlock));
	rc = pthread_rwlock_timedrdlock(&rwlock, &wrong);
	show(arg, "wrong time", rc);
	if (rc == 0)
		pthread_rwlock_unlock(&rwlock);
	soon = in_ms(CLOCK_MONOTONIC, 20);
	rc = pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &soon);
	show(arg, "clockwrlock", rc);
	rc = pthread_rwlock_clockrdlock(&rwlock, 77, &soon);
	show(arg, "wrong clock", rc);
	rc = pthread_rwlock_wrlock(&rwlock);
	show(arg, "wrlock", rc);
	show(arg, "unlock", pthread_rwlock_unlock(&rwlock));
	return NULL;
}

static void run_rwlock(const char *kind, int prefer)
{
	pthread_rwlockattr_t a;
	pthread_t t;

	pthread_rwlockattr_init(&a);
	pthread_rwlockattr_setkind_np(&a, prefer);
	pthread_rwlock_init(&rwlock, &a);
	show(kind, "wrlock", pthread_rwlock_wrlock(&rwlock));
#ifdef __GLIBC__ /* elsewhere it waits for itself */
	show(kind, "wrlock again", pthread_rwlock_wrlock(&rwlock));
	show(kind, "rdlock again", pthread_rwlock_rdlock(&rwlock));
#endif
	pthread_create(&t, NULL, read_it, (char *)kind);
	usleep(100000);
	show(kind, "unlock", pthread_rwlock_unlock(&rwlock));
	pthread_join(t, NULL);
	show(kind, "rdlock", pthread_rwlock_rdlock(&rwlock));
	show(kind, "rdlock again", pthread_rwlock_rdlock(&rwlock));
	show(kind, "unlock", pthread_rwlock_unlock(&rwlock));
	pthread_create(&t, NULL, read_it, (char *)kind);
	usleep(100000);
	show(kind, "unlock", pthread_rwlock_unlock(&rwlock));
	pthread_join(t, NULL);
	show(kind, "destroy", pthread_rwlock_destroy(&rwlock));
}

static mtx_t mtx;
static pthread_spinlock_t spin;

static int wait_for_mtx(void *arg)
{
	struct timespec soon;

	(void)arg;
	timespec_get(&soon, TIME_UTC);
	show("mtx", "timedlock", mtx_timedlock(&mtx, &soon));
	show("mtx", "trylock", mtx_trylock(&mtx));
	show("mtx", "lock", mtx_lock(&mtx));
	show("mtx", "unlock", mtx_unlock(&mtx));
	show("spin", "trylock", pthread_spin_trylock(&spin));
	show("spin", "lock", pthread_spin_lock(&spin));
	show("spin", "unlock", pthread_spin_unlock(&spin));
	return 0;
}

static void run_others(void)
{
	thrd_t t;

	mtx_init(&mtx, mtx_timed | mtx_recursive);
	pthread_spin_init(&spin, 0);
	show("mtx", "lock", mtx_lock(&mtx));
	show("mtx", "lock", mtx_lock(&mtx));
	show("spin", "lock", pthread_spin_lock(&spin));
	thrd_create(&t, wait_for_mtx, NULL);
	usleep(30000);
	show("mtx", "unlock", mtx_unlock(&mtx));
	usleep(30000);
	show("mtx", "unlock", mtx_unlock(&mtx));
	usleep(30000);
	show("spin", "unlock", pthread_spin_unlock(&spin));
	thrd_join(t, NULL);
}

/* Who is unlocked unmaps the lock, while the other still unlocks. */
static void *unmap_it(void *arg)
{
	pthread_mutex_lock(arg);
	pthread_mutex_unlock(arg);
	munmap(arg, 4096);
	return NULL;
}

static void run_unmapped(void)
{
	for (int i = 0; i < 200; i++) {
		pthread_mutex_t *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pthread_t t;

		pthread_mutex_init(m, NULL);
		pthread_mutex_lock(m);
		pthread_create(&t, NULL, unmap_it, m);
		usleep(100);
		pthread_mutex_unlock(m);
		pthread_join(t, NULL);
	}
	puts("unmapped");
}

int main(void)
{
	static const struct {
		const char *name;
		int type;
	} types[] = {{"normal", PTHREAD_MUTEX_NORMAL},
		     {"recursive", PTHREAD_MUTEX_RECURSIVE},
		     {"errorcheck", PTHREAD_MUTEX_ERRORCHECK},
		     {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP}};
	static const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT,
					PTHREAD_PRIO_PROTECT};

	setvbuf(stdout, NULL, _IOLBF, 0);
	errno = 77;
	for (size_t t = 0; t < 4; t++)
		for (size_t p = 0; p < PROTOCOLS; p++)
			for (int flags = 0; flags < 4; flags++) {
				char kind[64];

				if (protocols[p] == PTHREAD_PRIO_PROTECT &&
				    flags & 1)
					continue;
				snprintf(kind, sizeof(kind), "%s/%zu/%d",
					 types[t].name, p, flags);
				run_mutex(kind, types[t].type, protocols[p],
					  flags & 1 ? PTHREAD_MUTEX_ROBUST
						    : PTHREAD_MUTEX_STALLED,
					  flags & 2 ? PTHREAD_PROCESS_SHARED
						    : PTHREAD_PROCESS_PRIVATE);
			}
	run_rwlock("readers", PTHREAD_RWLOCK_PREFER_READER_NP);
	run_rwlock("writers", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	run_others();
	run_unmapped();
	return 0;
}
