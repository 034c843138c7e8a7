// SPDX-License-Identifier: Apache-2.0
/* log.c - lines to descriptor 2, to the program, to a file, or nowhere */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/sync.h"

#define PREFIX "pyroscope: "
/* How long a line waits for its turn to be given to the program. */
#define CALL_WAIT_NS (100 * PYRO_NS_PER_MS)

static char path_copy[PATH_MAX];
static const char *_Atomic log_path;
static _Atomic int log_level = PYRO_LOG_WARN;
static struct stat first_stderr;

void pyro_log_to(const char *path)
{
	if (path) {
		snprintf(path_copy, sizeof(path_copy), "%s", path);
		path = path_copy;
	}
	atomic_store(&log_path, path);
}

void pyro_log_set_level(enum pyro_log_level level)
{
	atomic_store(&log_level, (int)level);
}

/* Before the constructors that may log. */
__attribute__((constructor(101))) static void remember_stderr(void)
{
	if (fstat(STDERR_FILENO, &first_stderr) != 0)
		first_stderr.st_ino = 0;
}

/* A program that closed its standard streams may have a database or a client
 * there. What it had from the start is its stderr; and so is, most likely, what
 * it put there since if that is a terminal, a pipe or a file to append to. */
static bool is_stderr(void)
{
	struct stat now;

	if (fstat(STDERR_FILENO, &now) != 0)
		return false;
	if (now.st_dev == first_stderr.st_dev &&
	    now.st_ino == first_stderr.st_ino)
		return true;
	if (S_ISREG(now.st_mode))
		return fcntl(STDERR_FILENO, F_GETFL) & O_APPEND;
	return S_ISCHR(now.st_mode) || S_ISFIFO(now.st_mode);
}

/* Neither waits for a full pipe nor dies of a broken one. One write, so that
 * lines of several processes do not mix; a log that cannot be written has
 * nobody to be told to. */
static void to_stderr(const char *line, size_t len)
{
	struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
	struct timespec now = {0, 0};
	sigset_t pipe_signal, old;

	if (!is_stderr() || poll(&ready, 1, 0) != 1 ||
	    !(ready.revents & POLLOUT))
		return;
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe_signal, &old);
	if (write(STDERR_FILENO, line, len) < 0 && errno == EPIPE &&
	    !sigismember(&old, SIGPIPE))
		sigtimedwait(&pipe_signal, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void append(const char *path, const char *line, size_t len)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	if (write(fd, line, len) < 0)
		errno = 0;
	close(fd);
}

static struct pyro_mutex call_lock = PYRO_MUTEX_INIT(PYRO_RANK_LOG);
static pyro_log_fn *_Atomic call_fn;
static void *call_arg;

int pyro_log_call(pyro_log_fn *fn, void *arg)
{
	if (!pyro_mutex_lock_for(&call_lock, PYRO_NS_PER_SEC))
		return -EBUSY;
	call_arg = arg;
	atomic_store(&call_fn, fn);
	pyro_mutex_unlock(&call_lock);
	return 0;
}

void pyro_log_forked(void)
{
	pyro_mutex_reset(&call_lock);
}

/* False: there is no function, or it is busy, perhaps with a lock of the program's
 * that this thread has. */
static bool call(enum pyro_log_level level, const char *text)
{
	bool called = false;

	if (!atomic_load(&call_fn) ||
	    !pyro_mutex_lock_for(&call_lock, CALL_WAIT_NS))
		return false;

	pyro_log_fn *fn = atomic_load(&call_fn);

	if (fn) {
		fn((int)level, text, call_arg);
		called = true;
	}
	pyro_mutex_unlock(&call_lock);
	return called;
}

static void put_line(const char *path, enum pyro_log_level level, bool may_call,
		     const char *fmt, va_list args)
{
	char line[512] = PREFIX;
	size_t begin = sizeof(PREFIX) - 1;

	int n = vsnprintf(line + begin, sizeof(line) - begin - 1, fmt, args);
	size_t len =
		pyro_min(begin + (size_t)(n > 0 ? n : 0), sizeof(line) - 2);

	/* An address or a name may hold anything: one cause stays one line. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len] = '\0';

	bool called = may_call && call(level, line + begin);

	line[len++] = '\n';
	if (path)
		append(path, line, len);
	else if (!called)
		to_stderr(line, len);
}

/* Whoever has something to tell may have a lock of ours. */
static void put(enum pyro_log_level level, bool may_call, const char *fmt,
		va_list args)
{
	const char *path = atomic_load(&log_path);
	int saved = errno, cancel;

	if ((path && !*path) || (int)level > atomic_load(&log_level))
		return;
	cancel = pyro_cancel_disable();
	put_line(path, level, may_call, fmt, args);
	pyro_cancel_restore(cancel);
	errno = saved;
}

void pyro_log_as(enum pyro_log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put(level, true, fmt, args);
	va_end(args);
}

void pyro_log_in_hook(enum pyro_log_level level, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	put(level, false, fmt, args);
	va_end(args);
}
