// SPDX-License-Identifier: Apache-2.0
/* os_linux.c - files, threads and memory of this process */
#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/syscall.h"

void pyro_sleep_ns(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(ns / PYRO_NS_PER_SEC),
		.tv_nsec = (long)(ns % PYRO_NS_PER_SEC),
	};

	syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &ts, NULL);
}

uint64_t pyro_random(void)
{
	uint64_t bits;

	if (syscall(SYS_getrandom, &bits, sizeof(bits), 1 /* NONBLOCK */) ==
	    (long)sizeof(bits))
		return bits;
	bits = pyro_clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)(uintptr_t)&bits;
	bits ^= (uint64_t)pyro_gettid() << 32;
	bits *= UINT64_C(0xff51afd7ed558ccd);
	return bits ^ bits >> 33;
}

static bool read_by_proc_mem(const void *from, void *to, size_t len)
{
	long fd = pyro_syscall4(SYS_openat, AT_FDCWD, (long)"/proc/self/mem",
				O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return false;

	long n =
		pyro_syscall4(SYS_pread64, fd, (long)to, (long)len, (long)from);

	pyro_syscall4(SYS_close, fd, 0, 0, 0);
	return n >= 0 && (size_t)n == len;
}

bool pyro_read_memory(const void *from, void *to, size_t len)
{
	struct iovec local = {to, len};
	struct iovec remote = {(void *)(uintptr_t)from, len};
	int saved = errno;

	errno = 0;
	/* Long: the seventh is passed in memory, and the kernel reads all of
	 * it, where an int leaves what was there in the upper half. */
	long n = syscall(SYS_process_vm_readv, (long)pyro_getpid(), &local, 1L,
			 &remote, 1L, 0L);
	bool ok = n >= 0 && (size_t)n == len;

	/* Seccomp filters of old container runtimes refuse the call. */
	if (n < 0 && (errno == EPERM || errno == ENOSYS))
		ok = read_by_proc_mem(from, to, len);
	errno = saved;
	return ok;
}

/* The kernel copies the mask before it finds that there is no such operation. */
bool pyro_is_readable(const void *address)
{
	return pyro_syscall4(SYS_rt_sigprocmask, -1, (long)address, 0, 8) !=
	       -EFAULT;
}

/* A futex operation that wakes nobody and makes an atomic OR with 0 on the way. */
bool pyro_is_writable(const void *address)
{
	uint32_t nobody = 0;

	return pyro_syscall6(SYS_futex, (long)&nobody, FUTEX_WAKE_OP_PRIVATE, 0,
			     0, (long)address,
			     FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_NE, 0)) >= 0;
}

/* getdents64 into a buffer of our own: opendir() allocates. */
int pyro_each_thread(pyro_tid_fn *fn, void *arg)
{
	struct entry { /* struct linux_dirent64 */
		uint64_t ino;
		int64_t off;
		unsigned short len;
		unsigned char type;
		char name[];
	};
	_Alignas(8) char buf[4096] = {0};
	long fd = pyro_syscall4(SYS_openat, AT_FDCWD, (long)"/proc/self/task",
				O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	long n;

	if (fd < 0)
		return (int)fd;
	while ((n = pyro_syscall4(SYS_getdents64, fd, (long)buf, sizeof(buf),
				  0)) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *e =
				(const struct entry *)(buf + at);
			pid_t tid = 0;

			for (const char *c = e->name; *c >= '0' && *c <= '9';
			     c++)
				tid = tid * 10 + (*c - '0');
			if (tid > 0)
				fn(arg, tid);
			at += e->len;
		}
	}

	pyro_syscall4(SYS_close, fd, 0, 0, 0);
	return (int)n;
}

#define FD_HIGH 512

int pyro_fd_high(int fd)
{
	struct rlimit rl;
	int saved = errno;
	int high = FD_HIGH;

	if (fd < 0)
		return fd;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur / 2 < FD_HIGH)
		high = (int)(rl.rlim_cur / 2);
	high = fcntl(fd, F_DUPFD_CLOEXEC, high);
	if (high >= 0)
		close(fd);
	errno = saved;
	return high >= 0 ? high : fd;
}

int pyro_read_file(const char *path, size_t limit, struct pyro_buf *buf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t start = buf->len;
	int err = 0;

	if (fd < 0)
		return -errno;
	for (;;) {
		unsigned char *to = pyro_buf_reserve(buf, 65536);

		if (!to) {
			err = -ENOMEM;
			break;
		}

		ssize_t n = read(fd, to, 65536);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		buf->len += (size_t)n;
		if (buf->len - start > limit) {
			err = -EFBIG;
			break;
		}
	}
	close(fd);
	return err;
}

int pyro_pread_all(int fd, void *to, size_t len, uint64_t offset)
{
	unsigned char *p = to;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		len -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int pyro_write_all(int fd, const void *data, size_t len)
{
	const unsigned char *p = data;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

int pyro_cancel_disable(void)
{
	int state = PTHREAD_CANCEL_ENABLE;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return state;
}

void pyro_cancel_restore(int state)
{
	pthread_setcancelstate(state, NULL);
}

#define LIBRARY_THREADS_MAX 4
#define LIBRARY_STACK ((size_t)512 << 10)

struct pyro_libc_threads pyro_libc_threads = {pthread_create};

/* One thread of the library; a place is taken by whoever starts it. */
static struct library_thread {
	_Atomic bool taken;
	_Atomic pid_t tid; /* 0: not running yet, or ended */
	const char *name;
	void (*run)(void *);
	void *arg;
} library_threads[LIBRARY_THREADS_MAX];

static _Atomic uint64_t ended_cpu_ns;

static void *library_thread_main(void *arg)
{
	struct library_thread *self = arg;

	pyro_in_library_thread = true;
	atomic_store(&self->tid, pyro_gettid());
	prctl(PR_SET_NAME, self->name);
	self->run(self->arg);
	atomic_fetch_add(&ended_cpu_ns, pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID));
	atomic_store(&self->tid, 0);
	atomic_store(&self->taken, false);
	return NULL;
}

int pyro_thread_start(const char *name, void (*run)(void *), void *arg)
{
	struct library_thread *self = NULL;

	for (size_t i = 0; i < LIBRARY_THREADS_MAX && !self; i++)
		if (!atomic_exchange(&library_threads[i].taken, true))
			self = &library_threads[i];
	if (!self)
		return -EAGAIN;
	self->name = name;
	self->run = run;
	self->arg = arg;

	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, old;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, LIBRARY_STACK);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);

	int err = pyro_libc_threads.create(&thread, &attr, library_thread_main,
					   self);

	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	if (err)
		atomic_store(&self->taken, false);
	return -err;
}

bool pyro_is_library_thread(pid_t tid)
{
	for (size_t i = 0; i < LIBRARY_THREADS_MAX; i++)
		if (atomic_load(&library_threads[i].tid) == tid)
			return true;
	return false;
}

struct count {
	size_t all, library;
	pid_t tid;
};

static void count_thread(void *arg, pid_t tid)
{
	struct count *count = arg;

	count->all++;
	if (!pyro_is_library_thread(tid))
		return;
	count->library++;
	count->tid = tid;
}

static bool one_is_starting(void)
{
	for (size_t i = 0; i < LIBRARY_THREADS_MAX; i++)
		if (atomic_load(&library_threads[i].taken) &&
		    atomic_load(&library_threads[i].tid) == 0)
			return true;
	return false;
}

pid_t pyro_only_library_thread(void)
{
	struct count count = {0};

	/* It tells its number itself, when it first runs. */
	for (int i = 0; i < 1000 && one_is_starting(); i++)
		pyro_sleep_ns(PYRO_NS_PER_MS / 10);
	return pyro_each_thread(count_thread, &count) == 0 && count.all == 2 &&
			       count.library == 1
		       ? count.tid
		       : 0;
}

bool pyro_thread_gone(pid_t tid, uint64_t timeout_ns)
{
	uint64_t end = pyro_clock_ns(CLOCK_MONOTONIC) + timeout_ns;
	int saved = errno;
	bool gone;

	while (!(gone = syscall(SYS_tgkill, pyro_getpid(), tid, 0) != 0) &&
	       pyro_clock_ns(CLOCK_MONOTONIC) < end)
		pyro_sleep_ns(PYRO_NS_PER_MS / 20);
	errno = saved;
	return gone;
}

uint64_t pyro_library_cpu_ns(void)
{
	uint64_t sum = atomic_load(&ended_cpu_ns);

	for (size_t i = 0; i < LIBRARY_THREADS_MAX; i++) {
		pid_t tid = atomic_load(&library_threads[i].tid);

		if (tid)
			sum += pyro_clock_ns(pyro_thread_clock(tid));
	}
	return sum;
}

void pyro_library_threads_reset(void)
{
	for (size_t i = 0; i < LIBRARY_THREADS_MAX; i++) {
		atomic_store(&library_threads[i].tid, 0);
		atomic_store(&library_threads[i].taken, false);
	}
	atomic_store(&ended_cpu_ns, 0);
}
