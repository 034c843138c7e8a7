// SPDX-License-Identifier: Apache-2.0
/* waits_calls.c - what calls that wait return, and where threads are cancelled
 *
 * Each is made when it need not wait, when a cancellation is pending, and, where
 * it then waits, cancelled and interrupted by a signal. A line for each: it must
 * be the same with the library and without. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
ssize_t __read_chk(int fd, void *to, size_t n, size_t room);
ssize_t __recv_chk(int fd, void *to, size_t n, size_t room, int flags);
int __poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t room);
#endif

enum how {
	READY,
	PENDING,
	CANCELLED,
	INTERRUPTED
};

static const char *const how_name[] = {"ready", "pending", "cancelled",
				       "interrupted"};

struct call;

struct trial {
	const struct call *call;
	enum how how;
	int fd[2], epoll, file;
	sem_t sem;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	pthread_t other;
	pid_t child;
	_Atomic int begun, go, done;
	long result;
	int err;
};

struct call {
	const char *name;
	long (*make)(struct trial *);
	int never_waits, joins;
};

static void nothing(int signal)
{
	(void)signal;
}

static struct timespec in_s(clockid_t clock, int seconds)
{
	struct timespec t;

	clock_gettime(clock, &t);
	t.tv_sec += seconds;
	return t;
}

static int waits(const struct trial *t)
{
	return t->how == CANCELLED || t->how == INTERRUPTED;
}

static long call_read(struct trial *t)
{
	char c;

	return read(t->fd[0], &c, 1);
}

static long call_readv(struct trial *t)
{
	char c;
	struct iovec v = {&c, 1};

	return readv(t->fd[0], &v, 1);
}

static long call_pread(struct trial *t)
{
	char c;

	return pread(t->file, &c, 1, 100);
}

static long call_pread_pipe(struct trial *t)
{
	char c;

	return pread(t->fd[0], &c, 1, 0); /* ESPIPE */
}

static long call_preadv(struct trial *t)
{
	char c;
	struct iovec v = {&c, 1};

	return preadv(t->file, &v, 1, 0);
}

static long call_write(struct trial *t)
{
	return write(t->fd[1], "x", 1);
}

static long call_write_bad(struct trial *t)
{
	(void)t;
	return write(-1, "x", 1);
}

static long call_writev(struct trial *t)
{
	struct iovec v = {(char[]){"x"}, 1};

	return writev(t->fd[1], &v, 1);
}

static long call_recv(struct trial *t)
{
	char c;

	return recv(t->fd[0], &c, 1, 0);
}

static long call_recv_now(struct trial *t)
{
	char c[4];

	recv(t->fd[0], c, 4, MSG_DONTWAIT);
	return recv(t->fd[0], c, 4, MSG_DONTWAIT); /* EAGAIN */
}

static long call_recvfrom(struct trial *t)
{
	char c;

	return recvfrom(t->fd[0], &c, 1, 0, NULL, NULL);
}

static long call_recvmsg(struct trial *t)
{
	char c;
	struct iovec v = {&c, 1};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};

	return recvmsg(t->fd[0], &m, 0);
}

static long call_send(struct trial *t)
{
	return send(t->fd[0], "x", 1, MSG_NOSIGNAL);
}

static long call_sendto(struct trial *t)
{
	struct sockaddr a = {.sa_family = AF_INET};

	return sendto(t->fd[0], "x", 1, MSG_NOSIGNAL, &a, sizeof(a));
}

static long call_connect(struct trial *t)
{
	struct sockaddr a = {.sa_family = AF_INET};

	(void)t;
	return connect(-1, &a, sizeof(a));
}

static long call_accept(struct trial *t)
{
	return accept(t->file, NULL, NULL); /* ENOTSOCK */
}

static long call_poll(struct trial *t)
{
	struct pollfd p = {.fd = t->fd[0], .events = POLLIN};

	return poll(&p, 1, -1);
}

static long call_ppoll(struct trial *t)
{
	struct pollfd p = {.fd = t->fd[0], .events = POLLIN};

	return ppoll(&p, 1, NULL, NULL);
}

static long call_select(struct trial *t)
{
	fd_set r;

	FD_ZERO(&r);
	FD_SET(t->fd[0], &r);
	return select(t->fd[0] + 1, &r, NULL, NULL, NULL);
}

static long call_pselect(struct trial *t)
{
	fd_set r;

	FD_ZERO(&r);
	FD_SET(t->fd[0], &r);
	return pselect(t->fd[0] + 1, &r, NULL, NULL, NULL, NULL);
}

static long call_epoll_wait(struct trial *t)
{
	struct epoll_event e;

	return epoll_wait(t->epoll, &e, 1, -1);
}

static long call_epoll_pwait(struct trial *t)
{
	struct epoll_event e;

	return epoll_pwait(t->epoll, &e, 1, -1, NULL);
}

static long call_sem_wait(struct trial *t)
{
	return sem_wait(&t->sem);
}

static long call_sem_timedwait(struct trial *t)
{
	struct timespec until = in_s(CLOCK_REALTIME, 100);

	return sem_timedwait(&t->sem, &until);
}

static long call_sem_timedwait_bad(struct trial *t)
{
	struct timespec until = {0, 1000000000};

	sem_wait(&t->sem);
	return sem_timedwait(&t->sem, &until); /* EINVAL */
}

static long call_sem_timedwait_late(struct trial *t)
{
	struct timespec until = {1, 0};

	sem_wait(&t->sem);
	return sem_timedwait(&t->sem, &until); /* ETIMEDOUT */
}

static void unlock(void *mutex)
{
	pthread_mutex_unlock(mutex);
}

static long cond(struct trial *t, int timed)
{
	struct timespec until = in_s(CLOCK_REALTIME, waits(t) ? 100 : -1);
	volatile long rc = 0; /* pthread_cleanup_push() may be a longjmp */

	pthread_mutex_lock(&t->mutex);
	pthread_cleanup_push(unlock, &t->mutex);
	if (timed)
		rc = pthread_cond_timedwait(&t->cond, &t->mutex, &until);
	else
		while (!t->go && rc == 0)
			rc = pthread_cond_wait(&t->cond, &t->mutex);
	pthread_cleanup_pop(1);
	/* The mutex is free, also after a cancellation. */
	return rc;
}

static long call_cond_wait(struct trial *t)
{
	return cond(t, 0);
}

static long call_cond_timedwait(struct trial *t)
{
	return cond(t, 1);
}

static long call_cond_bad(struct trial *t)
{
	struct timespec until = {0, -1};
	long rc;

	pthread_mutex_lock(&t->mutex);
	rc = pthread_cond_timedwait(&t->cond, &t->mutex, &until);
	pthread_mutex_unlock(&t->mutex);
	return rc;
}

static long call_join(struct trial *t)
{
	return pthread_join(t->other, NULL);
}

static long call_join_self(struct trial *t)
{
	(void)t;
	return pthread_join(pthread_self(), NULL); /* EDEADLK */
}

static long call_timedjoin(struct trial *t)
{
	struct timespec until = in_s(CLOCK_REALTIME, 100);

	return pthread_timedjoin_np(t->other, NULL, &until);
}

static long call_waitpid(struct trial *t)
{
	return waitpid(t->child, NULL, 0) == t->child;
}

static long call_waitpid_none(struct trial *t)
{
	(void)t;
	return waitpid(1, NULL, 0); /* ECHILD */
}

static long call_nanosleep(struct trial *t)
{
	struct timespec time = {waits(t) ? 100 : 0, 1};

	return nanosleep(&time, NULL);
}

static long call_clock_nanosleep(struct trial *t)
{
	struct timespec time = {waits(t) ? 100 : 0, 1};

	return clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static long call_clock_nanosleep_bad(struct trial *t)
{
	struct timespec time = {0, -1};

	(void)t;
	return clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static long call_usleep(struct trial *t)
{
	return usleep(waits(t) ? 100000000 : 1);
}

static long call_sleep(struct trial *t)
{
	return sleep(waits(t) ? 100 : 0) > 0;
}

static long call_thrd_sleep(struct trial *t)
{
	struct timespec time = {waits(t) ? 100 : 0, 1};

	return thrd_sleep(&time, NULL);
}

static long call_fsync(struct trial *t)
{
	return fsync(t->fd[0]); /* EINVAL */
}

static long call_fcntl(struct trial *t)
{
	struct flock lock = {.l_type = F_WRLCK, .l_len = 1};

	return fcntl(t->file, F_SETLKW, &lock);
}

static long call_fcntl_flags(struct trial *t)
{
	return fcntl(t->file, F_SETFD, FD_CLOEXEC) + fcntl(t->file, F_GETFD);
}

static long call_lockf(struct trial *t)
{
	return lockf(t->file, F_LOCK, 1);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int times_done;

static void do_once(void)
{
	times_done++;
}

static long call_once_often(struct trial *t)
{
	(void)t;
	for (int i = 0; i < 100; i++)
		if (pthread_once(&once, do_once))
			return -1;
	return times_done;
}

static long call_barrier(struct trial *t)
{
	pthread_barrier_t b;
	long rc;

	(void)t;
	pthread_barrier_init(&b, NULL, 1);
	rc = pthread_barrier_wait(&b) == PTHREAD_BARRIER_SERIAL_THREAD;
	pthread_barrier_destroy(&b);
	return rc;
}

#ifdef __GLIBC__
static long call_read_chk(struct trial *t)
{
	char c;

	return __read_chk(t->fd[0], &c, 1, 1);
}

static long call_recv_chk(struct trial *t)
{
	char c;

	return __recv_chk(t->fd[0], &c, 1, 1, 0);
}

static long call_poll_chk(struct trial *t)
{
	struct pollfd p = {.fd = t->fd[0], .events = POLLIN};

	return __poll_chk(&p, 1, -1, sizeof(p));
}

static long call_pread64(struct trial *t)
{
	char c;

	return pread64(t->file, &c, 1, 0);
}

static long call_sem_clockwait(struct trial *t)
{
	struct timespec until = in_s(CLOCK_MONOTONIC, 100);

	return sem_clockwait(&t->sem, CLOCK_MONOTONIC, &until);
}

static long call_sem_clockwait_bad(struct trial *t)
{
	struct timespec until = in_s(CLOCK_MONOTONIC, 100);

	return sem_clockwait(&t->sem, CLOCK_PROCESS_CPUTIME_ID, &until);
}

static long call_cond_clockwait(struct trial *t)
{
	struct timespec until = in_s(CLOCK_MONOTONIC, waits(t) ? 100 : -1);
	long rc = 0;

	pthread_mutex_lock(&t->mutex);
	pthread_cleanup_push(unlock, &t->mutex);
	rc = pthread_cond_clockwait(&t->cond, &t->mutex, CLOCK_MONOTONIC,
				    &until);
	pthread_cleanup_pop(1);
	return rc;
}
#endif

static const struct call calls[] = {
	{"read", call_read, 0, 0},
	{"readv", call_readv, 0, 0},
	{"pread", call_pread, 1, 0},
	{"pread of a pipe", call_pread_pipe, 1, 0},
	{"preadv", call_preadv, 1, 0},
	{"write", call_write, 1, 0},
	{"write to nothing", call_write_bad, 1, 0},
	{"writev", call_writev, 1, 0},
	{"recv", call_recv, 0, 0},
	{"recv not to wait", call_recv_now, 1, 0},
	{"recvfrom", call_recvfrom, 0, 0},
	{"recvmsg", call_recvmsg, 0, 0},
	{"send", call_send, 1, 0},
	{"sendto", call_sendto, 1, 0},
	{"connect", call_connect, 1, 0},
	{"accept", call_accept, 1, 0},
	{"poll", call_poll, 0, 0},
	{"ppoll", call_ppoll, 0, 0},
	{"select", call_select, 0, 0},
	{"pselect", call_pselect, 0, 0},
	{"epoll_wait", call_epoll_wait, 0, 0},
	{"epoll_pwait", call_epoll_pwait, 0, 0},
	{"sem_wait", call_sem_wait, 0, 0},
	{"sem_timedwait", call_sem_timedwait, 0, 0},
	{"sem_timedwait badly", call_sem_timedwait_bad, 1, 0},
	{"sem_timedwait late", call_sem_timedwait_late, 1, 0},
	{"pthread_cond_wait", call_cond_wait, 0, 0},
	{"pthread_cond_timedwait", call_cond_timedwait, 0, 0},
	{"pthread_cond_timedwait badly", call_cond_bad, 1, 0},
	{"pthread_join", call_join, 0, 1},
	{"pthread_join oneself", call_join_self, 1, 0},
	{"pthread_timedjoin_np", call_timedjoin, 0, 1},
	{"waitpid", call_waitpid, 0, 0},
	{"waitpid for nobody", call_waitpid_none, 1, 0},
	{"nanosleep", call_nanosleep, 0, 0},
	{"clock_nanosleep", call_clock_nanosleep, 0, 0},
	{"clock_nanosleep badly", call_clock_nanosleep_bad, 1, 0},
	{"usleep", call_usleep, 0, 0},
	{"sleep", call_sleep, 0, 0},
	{"thrd_sleep", call_thrd_sleep, 0, 0},
	{"fsync", call_fsync, 1, 0},
	{"fcntl to lock", call_fcntl, 1, 0},
	{"fcntl for flags", call_fcntl_flags, 1, 0},
	{"lockf", call_lockf, 1, 0},
	{"pthread_once", call_once_often, 1, 0},
	{"pthread_barrier_wait", call_barrier, 1, 0},
#ifdef __GLIBC__
	{"__read_chk", call_read_chk, 0, 0},
	{"__recv_chk", call_recv_chk, 0, 0},
	{"__poll_chk", call_poll_chk, 0, 0},
	{"pread64", call_pread64, 1, 0},
	{"sem_clockwait", call_sem_clockwait, 0, 0},
	{"sem_clockwait badly", call_sem_clockwait_bad, 1, 0},
	{"pthread_cond_clockwait", call_cond_clockwait, 0, 0},
#endif
};

static void pause_ms(int ms)
{
	struct timespec t = {0, ms * 1000000L};

	nanosleep(&t, NULL);
}

static void *other_thread(void *arg)
{
	struct trial *t = arg;

	while (!atomic_load(&t->go))
		pause_ms(1);
	return NULL;
}

static void *caller(void *arg)
{
	struct trial *t = arg;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	atomic_store(&t->begun, 1);
	if (t->how == PENDING) /* what others must see is seen by now */
		while (atomic_load(&t->begun) != 2)
			pause_ms(1);
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
	errno = 0;
	t->result = t->call->make(t);
	t->err = errno;
	/* A cancellation that has had no effect yet has none any more. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
	atomic_store(&t->done, 1);
	return NULL;
}

static void let(struct trial *t)
{
	send(t->fd[1], "xyz", 3, MSG_NOSIGNAL);
	sem_post(&t->sem);
	pthread_mutex_lock(&t->mutex);
	atomic_store(&t->go, 1);
	pthread_mutex_unlock(&t->mutex);
	pthread_cond_broadcast(&t->cond);
	kill(t->child, SIGKILL);
}

static void begin(struct trial *t)
{
	struct epoll_event e = {.events = EPOLLIN};
	FILE *file = tmpfile();

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, t->fd) || !file)
		exit(1);
	t->file = dup(fileno(file));
	fclose(file);
	if (write(t->file, "content", 7) != 7)
		exit(1);
	t->epoll = epoll_create1(0);
	epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->fd[0], &e);
	sem_init(&t->sem, 0, 0);
	pthread_mutex_init(&t->mutex, NULL);
	pthread_cond_init(&t->cond, NULL);
	pthread_create(&t->other, NULL, other_thread, t);
	t->child = fork();
	if (t->child == 0) {
		for (;;)
			pause();
	}
	/* A thread that may have ended, or not yet, may cancel or not. */
	if (!waits(t) && !(t->call->joins && t->how == PENDING))
		let(t);
}

static void try(const struct call *call, enum how how)
{
	struct trial *t = calloc(1, sizeof(*t)); /* threads may outlive this */
	pthread_t thread;
	void *end;

	if (!t)
		exit(1);
	t->call = call;
	t->how = how;
	begin(t);
	pthread_create(&thread, NULL, caller, t);
	while (!atomic_load(&t->begun))
		pause_ms(1);
	if (how == CANCELLED)
		pause_ms(5);
	if (how == PENDING || how == CANCELLED)
		pthread_cancel(thread);
	atomic_store(&t->begun, 2);
	if (how == INTERRUPTED) {
		/* Until one comes while it waits; those that go on let us. */
		for (int i = 0; i < 20 && !atomic_load(&t->done); i++) {
			pause_ms(2);
			pthread_kill(thread, SIGUSR1);
		}
		pause_ms(5);
		let(t);
	}
	pthread_join(thread, &end);
	printf("%s, %s: ", call->name, how_name[how]);
	if (end == PTHREAD_CANCELED)
		printf("cancelled");
	else
		printf("%ld %s", t->result,
		       t->result < 0 ? strerror(t->err) : "");
	/* Nothing is held or taken. */
	if (pthread_mutex_trylock(&t->mutex)) {
		printf(", locked\n");
		exit(1);
	}
	printf("\n");
	pthread_mutex_unlock(&t->mutex);
	let(t);
	waitpid(t->child, NULL, 0);
	close(t->fd[0]);
	close(t->fd[1]);
	close(t->epoll);
	close(t->file);
}

int main(void)
{
	struct sigaction action = {.sa_handler = nothing};

	sigaction(SIGUSR1, &action, NULL); /* no SA_RESTART */
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		for (int how = READY; how <= INTERRUPTED; how++)
			if (how < CANCELLED || !calls[i].never_waits)
				try(&calls[i], (enum how)how);
	return 0;
}
