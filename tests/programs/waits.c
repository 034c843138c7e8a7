// SPDX-License-Identifier: Apache-2.0
/* waits.c - waits of known kinds, timed by the program itself
 *
 * Each kind has a thread that waits in a function of its own, and one that lets it
 * wait. At the end a line for each: function, class, waits, nanoseconds. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define LONG_MS 100
#define LONG_WAITS 10
#define SHORT_WAITS 10000

#define WAITER __attribute__((noinline, noclone))

struct kind {
	const char *name, *class;
	void (*wait)(struct kind *);
	void (*let)(struct kind *); /* NULL: the wait ends by itself */
	int waits, pause_ms;
	int fd[2], listener;
	sem_t sem, back;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	mtx_t mtx;
	cnd_t cnd;
	pthread_barrier_t barrier;
	pthread_once_t once[LONG_WAITS];
	int turn; /* under mutex or mtx */
	int done;
	_Atomic int entered;
	long ns;
};

static long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void pause_ms(int ms)
{
	struct timespec t = {0, ms * 1000000L};

	nanosleep(&t, NULL);
}

static struct timespec later(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_nsec += LONG_MS * 1000000L;
	t.tv_sec += t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return t;
}

static void check(int ok)
{
	if (!ok) {
		perror("waits");
		exit(1);
	}
}

/* The call, and nothing else that may wait, between two looks at the clock. */
#define TIMED(kind, call)                       \
	do {                                    \
		long began = now_ns();          \
		int ok = (call);                \
                                                \
		(kind)->ns += now_ns() - began; \
		check(ok);                      \
	} while (0)

WAITER static void wait_cond(struct kind *k)
{
	pthread_mutex_lock(&k->mutex);
	while (k->turn == k->done)
		TIMED(k, pthread_cond_wait(&k->cond, &k->mutex) == 0);
	k->done++;
	pthread_mutex_unlock(&k->mutex);
}

static void let_cond(struct kind *k)
{
	pthread_mutex_lock(&k->mutex);
	k->turn++;
	pthread_mutex_unlock(&k->mutex);
	pthread_cond_signal(&k->cond);
}

WAITER static void wait_timed_cond(struct kind *k)
{
	struct timespec t = later(CLOCK_REALTIME);

	pthread_mutex_lock(&k->mutex);
	TIMED(k, pthread_cond_timedwait(&k->cond, &k->mutex, &t) != 0);
	pthread_mutex_unlock(&k->mutex);
}

WAITER static void wait_cnd(struct kind *k)
{
	struct timespec t = later(CLOCK_REALTIME);

	mtx_lock(&k->mtx);
	TIMED(k, cnd_timedwait(&k->cnd, &k->mtx, &t) == thrd_timedout);
	mtx_unlock(&k->mtx);
}

WAITER static void wait_signalled_cnd(struct kind *k)
{
	mtx_lock(&k->mtx);
	while (k->turn == k->done)
		TIMED(k, cnd_wait(&k->cnd, &k->mtx) == thrd_success);
	k->done++;
	mtx_unlock(&k->mtx);
}

static void let_cnd(struct kind *k)
{
	mtx_lock(&k->mtx);
	k->turn++;
	mtx_unlock(&k->mtx);
	cnd_signal(&k->cnd);
}

/* The other thread has it. */
WAITER static void wait_mtx(struct kind *k)
{
	while (!atomic_load(&k->entered))
		pause_ms(1);
	atomic_store(&k->entered, 0);
	TIMED(k, mtx_lock(&k->mtx) == thrd_success);
	mtx_unlock(&k->mtx);
}

static void let_mtx(struct kind *k)
{
	mtx_lock(&k->mtx);
	atomic_store(&k->entered, 1);
	pause_ms(LONG_MS);
	mtx_unlock(&k->mtx);
}

WAITER static void wait_sem(struct kind *k)
{
	TIMED(k, sem_wait(&k->sem) == 0);
}

WAITER static void wait_sem_short(struct kind *k)
{
	TIMED(k, sem_wait(&k->sem) == 0);
	sem_post(&k->back);
}

static void let_sem(struct kind *k)
{
	sem_post(&k->sem);
}

static void let_sem_short(struct kind *k)
{
	sem_post(&k->sem);
	sem_wait(&k->back);
}

WAITER static void wait_timed_sem(struct kind *k)
{
	struct timespec t = later(CLOCK_REALTIME);

	TIMED(k, sem_timedwait(&k->sem, &t) != 0);
}

WAITER static void wait_barrier(struct kind *k)
{
	TIMED(k, pthread_barrier_wait(&k->barrier) <= 0);
}

static void let_barrier(struct kind *k)
{
	pthread_barrier_wait(&k->barrier);
}

static void *sleeper(void *arg)
{
	(void)arg;
	pause_ms(LONG_MS);
	return NULL;
}

WAITER static void wait_join(struct kind *k)
{
	pthread_t thread;

	check(pthread_create(&thread, NULL, sleeper, NULL) == 0);
	TIMED(k, pthread_join(thread, NULL) == 0);
}

/* The other thread is the first; this one comes while it is inside. */
static struct kind *once_kind;

static void first_time(void)
{
	atomic_store(&once_kind->entered, 1);
	pause_ms(LONG_MS);
}

WAITER static void wait_once(struct kind *k)
{
	while (!atomic_load(&k->entered))
		pause_ms(1);
	atomic_store(&k->entered, 0);
	TIMED(k, pthread_once(&k->once[k->done++], first_time) == 0);
}

static void let_once(struct kind *k)
{
	pthread_once(&k->once[k->turn++], first_time);
}

WAITER static void wait_read(struct kind *k)
{
	char byte;

	TIMED(k, read(k->fd[0], &byte, 1) == 1);
}

WAITER static void wait_read_short(struct kind *k)
{
	char byte;

	TIMED(k, read(k->fd[0], &byte, 1) == 1);
	sem_post(&k->back);
}

static void let_write(struct kind *k)
{
	check(write(k->fd[1], "x", 1) == 1);
}

static void let_write_short(struct kind *k)
{
	let_write(k);
	sem_wait(&k->back);
}

WAITER static void wait_write(struct kind *k)
{
	static char much[1 << 17];

	TIMED(k, write(k->fd[1], much, sizeof(much)) == sizeof(much));
}

static void let_read(struct kind *k)
{
	char some[4096];

	for (int n = 0; n < 1 << 17;) {
		ssize_t got = read(k->fd[0], some, sizeof(some));

		check(got > 0);
		n += (int)got;
	}
}

WAITER static void wait_recv(struct kind *k)
{
	char byte;

	TIMED(k, recv(k->fd[0], &byte, 1, 0) == 1);
}

WAITER static void wait_poll(struct kind *k)
{
	struct pollfd p = {.fd = k->fd[0], .events = POLLIN};

	TIMED(k, poll(&p, 1, LONG_MS) == 0);
}

WAITER static void wait_select(struct kind *k)
{
	struct timeval t = {0, LONG_MS * 1000};

	TIMED(k, select(0, NULL, NULL, NULL, &t) == 0);
}

WAITER static void wait_epoll(struct kind *k)
{
	struct epoll_event event;

	TIMED(k, epoll_wait(k->listener, &event, 1, LONG_MS) == 0);
}

WAITER static void wait_child(struct kind *k)
{
	pid_t pid = fork();

	check(pid >= 0);
	if (pid == 0) {
		pause_ms(LONG_MS);
		_exit(0);
	}
	TIMED(k, waitpid(pid, NULL, 0) == pid);
}

WAITER static void wait_sleep(struct kind *k)
{
	TIMED(k, usleep(LONG_MS * 1000) == 0);
}

static struct kind kinds[] = {
	{.name = "wait_cond",
	 .class = "sync",
	 .wait = wait_cond,
	 .let = let_cond,
	 .pause_ms = LONG_MS},
	{.name = "wait_timed_cond", .class = "sync", .wait = wait_timed_cond},
	{.name = "wait_cnd", .class = "sync", .wait = wait_cnd},
	{.name = "wait_signalled_cnd",
	 .class = "sync",
	 .wait = wait_signalled_cnd,
	 .let = let_cnd,
	 .pause_ms = LONG_MS},
	{.name = "wait_mtx",
	 .class = "sync",
	 .wait = wait_mtx,
	 .let = let_mtx,
	 .pause_ms = LONG_MS},
	{.name = "wait_sem",
	 .class = "sync",
	 .wait = wait_sem,
	 .let = let_sem,
	 .pause_ms = LONG_MS},
	{.name = "wait_sem_short",
	 .class = "sync",
	 .wait = wait_sem_short,
	 .let = let_sem_short,
	 .waits = SHORT_WAITS},
	{.name = "wait_timed_sem", .class = "sync", .wait = wait_timed_sem},
	{.name = "wait_barrier",
	 .class = "sync",
	 .wait = wait_barrier,
	 .let = let_barrier,
	 .pause_ms = LONG_MS},
	{.name = "wait_join", .class = "sync", .wait = wait_join},
	{.name = "wait_once",
	 .class = "sync",
	 .wait = wait_once,
	 .let = let_once},
	{.name = "wait_read",
	 .class = "io",
	 .wait = wait_read,
	 .let = let_write,
	 .pause_ms = LONG_MS},
	{.name = "wait_read_short",
	 .class = "io",
	 .wait = wait_read_short,
	 .let = let_write_short,
	 .waits = SHORT_WAITS},
	{.name = "wait_write",
	 .class = "io",
	 .wait = wait_write,
	 .let = let_read,
	 .pause_ms = LONG_MS},
	{.name = "wait_recv",
	 .class = "io",
	 .wait = wait_recv,
	 .let = let_write,
	 .pause_ms = LONG_MS},
	{.name = "wait_poll", .class = "io", .wait = wait_poll},
	{.name = "wait_select", .class = "io", .wait = wait_select},
	{.name = "wait_epoll", .class = "io", .wait = wait_epoll},
	{.name = "wait_child", .class = "io", .wait = wait_child},
	{.name = "wait_sleep", .class = "sleep", .wait = wait_sleep},
};

static void *waiter(void *arg)
{
	struct kind *k = arg;

	for (int i = 0; i < k->waits; i++)
		k->wait(k);
	return NULL;
}

static void *letter(void *arg)
{
	struct kind *k = arg;

	for (int i = 0; i < k->waits; i++) {
		if (k->pause_ms)
			pause_ms(k->pause_ms);
		k->let(k);
	}
	return NULL;
}

static void init(struct kind *k)
{
	if (!k->waits)
		k->waits = LONG_WAITS;
	sem_init(&k->sem, 0, 0);
	sem_init(&k->back, 0, 0);
	pthread_mutex_init(&k->mutex, NULL);
	pthread_cond_init(&k->cond, NULL);
	mtx_init(&k->mtx, mtx_plain);
	cnd_init(&k->cnd);
	pthread_barrier_init(&k->barrier, NULL, 2);
	check(k->wait == wait_recv
		      ? socketpair(AF_UNIX, SOCK_STREAM, 0, k->fd) == 0
		      : pipe(k->fd) == 0);
	k->listener = epoll_create1(0);
	for (int i = 0; i < LONG_WAITS; i++)
		k->once[i] = (pthread_once_t)PTHREAD_ONCE_INIT;
	if (k->wait == wait_once)
		once_kind = k;
}

int main(void)
{
	enum {
		COUNT = sizeof(kinds) / sizeof(kinds[0])
	};
	pthread_t threads[2][COUNT];

	for (int i = 0; i < COUNT; i++) {
		init(&kinds[i]);
		check(pthread_create(&threads[0][i], NULL, waiter, &kinds[i]) ==
		      0);
		if (kinds[i].let)
			check(pthread_create(&threads[1][i], NULL, letter,
					     &kinds[i]) == 0);
	}
	for (int i = 0; i < COUNT; i++) {
		pthread_join(threads[0][i], NULL);
		if (kinds[i].let)
			pthread_join(threads[1][i], NULL);
	}
	for (int i = 0; i < COUNT; i++)
		printf("%s %s %d %ld\n", kinds[i].name, kinds[i].class,
		       kinds[i].waits, kinds[i].ns);
	return 0;
}
