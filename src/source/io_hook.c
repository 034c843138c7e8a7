// SPDX-License-Identifier: Apache-2.0
/* io_hook.c - the calls in which threads wait for files, sockets, processes and
 * time; also where forked children wake
 *
 * Most such calls do not wait, and some take 100 ns: they are timed by the clock
 * that ticks each few milliseconds and costs next to nothing (timed.h). */
#include "source/io_hook.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "source/hook.h"
#include "source/next.h"
#include "source/signal_hook.h"
#include "source/timed.h"

/* The mask to wait with. */
#define UNDISTURBED(mask) pyro_signal_undisturbed(mask, &(sigset_t){0})

/* XX(result, name, (parameters), (arguments)) */
#define FILE_CALLS(XX)                                                         \
	XX(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))           \
	XX(ssize_t, readv, (int fd, const struct iovec *v, int n), (fd, v, n)) \
	XX(ssize_t, pread, (int fd, void *to, size_t n, off_t at),             \
	   (fd, to, n, at))                                                    \
	XX(ssize_t, preadv, (int fd, const struct iovec *v, int n, off_t at),  \
	   (fd, v, n, at))                                                     \
	XX(ssize_t, write, (int fd, const void *from, size_t n),               \
	   (fd, from, n))                                                      \
	XX(ssize_t, writev, (int fd, const struct iovec *v, int n),            \
	   (fd, v, n))                                                         \
	XX(ssize_t, pwrite, (int fd, const void *from, size_t n, off_t at),    \
	   (fd, from, n, at))                                                  \
	XX(ssize_t, pwritev, (int fd, const struct iovec *v, int n, off_t at), \
	   (fd, v, n, at))                                                     \
	XX(ssize_t, sendfile, (int to, int from, off_t *at, size_t n),         \
	   (to, from, at, n))                                                  \
	XX(ssize_t, splice,                                                    \
	   (int from, loff_t *from_at, int to, loff_t *to_at, size_t n,        \
	    unsigned flags),                                                   \
	   (from, from_at, to, to_at, n, flags))                               \
	XX(int, fsync, (int fd), (fd))                                         \
	XX(int, fdatasync, (int fd), (fd))                                     \
	XX(int, msync, (void *at, size_t n, int flags), (at, n, flags))        \
	XX(int, flock, (int fd, int how), (fd, how))                           \
	XX(int, lockf, (int fd, int how, off_t n), (fd, how, n))

#define SOCKET_CALLS(XX)                                                    \
	XX(ssize_t, recv, (int fd, void *to, size_t n, int flags),          \
	   (fd, to, n, flags))                                              \
	XX(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags),       \
	   (fd, msg, flags))                                                \
	XX(ssize_t, send, (int fd, const void *from, size_t n, int flags),  \
	   (fd, from, n, flags))                                            \
	XX(ssize_t, sendmsg, (int fd, const struct msghdr *msg, int flags), \
	   (fd, msg, flags))

#define READY_CALLS(XX)                                                       \
	XX(int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))  \
	XX(int, ppoll,                                                        \
	   (struct pollfd * fds, nfds_t n, const struct timespec *t,          \
	    const sigset_t *mask),                                            \
	   (fds, n, t, UNDISTURBED(mask)))                                    \
	XX(int, select,                                                       \
	   (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *t),       \
	   (n, r, w, e, t))                                                   \
	XX(int, pselect,                                                      \
	   (int n, fd_set *r, fd_set *w, fd_set *e, const struct timespec *t, \
	    const sigset_t *mask),                                            \
	   (n, r, w, e, t, UNDISTURBED(mask)))                                \
	XX(int, epoll_wait,                                                   \
	   (int fd, struct epoll_event *events, int max, int ms),             \
	   (fd, events, max, ms))                                             \
	XX(int, epoll_pwait,                                                  \
	   (int fd, struct epoll_event *events, int max, int ms,              \
	    const sigset_t *mask),                                            \
	   (fd, events, max, ms, UNDISTURBED(mask)))

#define PROCESS_CALLS(XX)                                                \
	XX(pid_t, waitpid, (pid_t pid, int *status, int options),        \
	   (pid, status, options))                                       \
	XX(pid_t, wait, (int *status), (status))                         \
	XX(pid_t, wait3, (int *status, int options, struct rusage *use), \
	   (status, options, use))                                       \
	XX(pid_t, wait4,                                                 \
	   (pid_t pid, int *status, int options, struct rusage *use),    \
	   (pid, status, options, use))                                  \
	XX(int, waitid,                                                  \
	   (idtype_t type, id_t id, siginfo_t * info, int options),      \
	   (type, id, info, options))

/* Other names of the same functions, and what the compiler makes of them with
 * _FORTIFY_SOURCE: no header has these. */
#ifdef __GLIBC__
#define TWIN_CALLS(XX)                                                         \
	XX(ssize_t, pread64, (int fd, void *to, size_t n, off64_t at),         \
	   (fd, to, n, at))                                                    \
	XX(ssize_t, preadv64,                                                  \
	   (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at)) \
	XX(ssize_t, preadv2,                                                   \
	   (int fd, const struct iovec *v, int n, off_t at, int flags),        \
	   (fd, v, n, at, flags))                                              \
	XX(ssize_t, preadv64v2,                                                \
	   (int fd, const struct iovec *v, int n, off64_t at, int flags),      \
	   (fd, v, n, at, flags))                                              \
	XX(ssize_t, pwrite64,                                                  \
	   (int fd, const void *from, size_t n, off64_t at),                   \
	   (fd, from, n, at))                                                  \
	XX(ssize_t, pwritev64,                                                 \
	   (int fd, const struct iovec *v, int n, off64_t at), (fd, v, n, at)) \
	XX(ssize_t, pwritev2,                                                  \
	   (int fd, const struct iovec *v, int n, off_t at, int flags),        \
	   (fd, v, n, at, flags))                                              \
	XX(ssize_t, pwritev64v2,                                               \
	   (int fd, const struct iovec *v, int n, off64_t at, int flags),      \
	   (fd, v, n, at, flags))                                              \
	XX(ssize_t, sendfile64, (int to, int from, off64_t *at, size_t n),     \
	   (to, from, at, n))                                                  \
	XX(int, lockf64, (int fd, int how, off64_t n), (fd, how, n))           \
	XX(int, recvmmsg,                                                      \
	   (int fd, struct mmsghdr *all, unsigned n, int flags,                \
	    struct timespec *t),                                               \
	   (fd, all, n, flags, t))                                             \
	XX(int, sendmmsg,                                                      \
	   (int fd, struct mmsghdr *all, unsigned n, int flags),               \
	   (fd, all, n, flags))                                                \
	XX(int, epoll_pwait2,                                                  \
	   (int fd, struct epoll_event *events, int max,                       \
	    const struct timespec *t, const sigset_t *mask),                   \
	   (fd, events, max, t, UNDISTURBED(mask)))                            \
	FORTIFIED_CALLS(XX)
#define FORTIFIED_CALLS(XX)                                                \
	XX(ssize_t, __read_chk, (int fd, void *to, size_t n, size_t room), \
	   (fd, to, n, room))                                              \
	XX(ssize_t, __pread_chk,                                           \
	   (int fd, void *to, size_t n, off_t at, size_t room),            \
	   (fd, to, n, at, room))                                          \
	XX(ssize_t, __pread64_chk,                                         \
	   (int fd, void *to, size_t n, off64_t at, size_t room),          \
	   (fd, to, n, at, room))                                          \
	XX(ssize_t, __recv_chk,                                            \
	   (int fd, void *to, size_t n, size_t room, int flags),           \
	   (fd, to, n, room, flags))                                       \
	XX(int, __poll_chk,                                                \
	   (struct pollfd * fds, nfds_t n, int ms, size_t room),           \
	   (fds, n, ms, room))                                             \
	XX(int, __ppoll_chk,                                               \
	   (struct pollfd * fds, nfds_t n, const struct timespec *t,       \
	    const sigset_t *mask, size_t room),                            \
	   (fds, n, t, UNDISTURBED(mask), room))
#define DECLARE(result, name, parameters, arguments) result name parameters;
FORTIFIED_CALLS(DECLARE)
ssize_t __recvfrom_chk(int fd, void *to, size_t n, size_t room, int flags,
		       struct sockaddr *addr, socklen_t *len);
#else
#define TWIN_CALLS(XX)
#endif

#define IO_CALLS(XX)   \
	FILE_CALLS(XX) \
	SOCKET_CALLS(XX) READY_CALLS(XX) PROCESS_CALLS(XX) TWIN_CALLS(XX)

#define SLEEP_CALLS(XX)                                                        \
	XX(int, nanosleep, (const struct timespec *t, struct timespec *rest),  \
	   (t, rest))                                                          \
	XX(int, clock_nanosleep,                                               \
	   (clockid_t clock, int flags, const struct timespec *t,              \
	    struct timespec *rest),                                            \
	   (clock, flags, t, rest))                                            \
	XX(int, usleep, (useconds_t us), (us))                                 \
	XX(unsigned, sleep, (unsigned seconds), (seconds))                     \
	XX(int, thrd_sleep, (const struct timespec *t, struct timespec *rest), \
	   (t, rest))

#define DECLARE_NEXT(result, name, parameters, arguments) PYRO_NEXT_SLOT(name);
IO_CALLS(DECLARE_NEXT)
SLEEP_CALLS(DECLARE_NEXT)

#define DEFINE_IO(result, name, parameters, arguments)             \
	PYRO_HOOK result PYRO_HOOK_NAME(name) parameters           \
	{                                                          \
		uint64_t began;                                    \
		result rc;                                         \
                                                                   \
		pyro_hook_wake_child();                            \
		began = pyro_coarse_begin(PYRO_WAIT_IO);           \
		rc = PYRO_NEXT(name) arguments;                    \
		pyro_coarse_end(PYRO_WAIT_IO, began, PYRO_CALLER); \
		return rc;                                         \
	}
IO_CALLS(DEFINE_IO)

#define DEFINE_SLEEP(result, name, parameters, arguments)            \
	PYRO_HOOK result PYRO_HOOK_NAME(name) parameters             \
	{                                                            \
		uint64_t began;                                      \
		result rc;                                           \
                                                                     \
		pyro_hook_wake_child();                              \
		began = pyro_timed_begin(PYRO_WAIT_SLEEP);           \
		rc = PYRO_NEXT(name) arguments;                      \
		pyro_timed_end(PYRO_WAIT_SLEEP, began, PYRO_CALLER); \
		return rc;                                           \
	}
SLEEP_CALLS(DEFINE_SLEEP)

/* By their assembler names: glibc declares them with a transparent union, which
 * no definition in ISO C matches. */
#define ADDRESS_CALLS(XX)                                                    \
	XX(int, accept, (int fd, struct sockaddr *addr, socklen_t *len),     \
	   (fd, addr, len))                                                  \
	XX(int, accept4,                                                     \
	   (int fd, struct sockaddr *addr, socklen_t *len, int flags),       \
	   (fd, addr, len, flags))                                           \
	XX(int, connect, (int fd, const struct sockaddr *addr, socklen_t n), \
	   (fd, addr, n))                                                    \
	XX(ssize_t, recvfrom,                                                \
	   (int fd, void *to, size_t n, int flags, struct sockaddr *addr,    \
	    socklen_t *len),                                                 \
	   (fd, to, n, flags, addr, len))                                    \
	XX(ssize_t, sendto,                                                  \
	   (int fd, const void *from, size_t n, int flags,                   \
	    const struct sockaddr *addr, socklen_t len),                     \
	   (fd, from, n, flags, addr, len))                                  \
	FORTIFIED_ADDRESS_CALLS(XX)
#ifdef __GLIBC__
#define FORTIFIED_ADDRESS_CALLS(XX)                             \
	XX(ssize_t, __recvfrom_chk,                             \
	   (int fd, void *to, size_t n, size_t room, int flags, \
	    struct sockaddr *addr, socklen_t *len),             \
	   (fd, to, n, room, flags, addr, len))
#else
#define FORTIFIED_ADDRESS_CALLS(XX)
#endif

#define DEFINE_ADDRESS(result, name, parameters, arguments)                   \
	PYRO_NEXT_SLOT(name);                                                 \
	PYRO_HOOK result hooked_##name parameters __asm__(                    \
		PYRO_HOOK_SYMBOL(name));                                      \
	result hooked_##name parameters                                       \
	{                                                                     \
		uint64_t began;                                               \
		result rc;                                                    \
                                                                              \
		pyro_hook_wake_child();                                       \
		began = pyro_coarse_begin(PYRO_WAIT_IO);                      \
		rc = ((__typeof__(hooked_##name) *)(void (*)(void))PYRO_NEXT( \
			name))arguments;                                      \
		pyro_coarse_end(PYRO_WAIT_IO, began, PYRO_CALLER);            \
		return rc;                                                    \
	}
ADDRESS_CALLS(DEFINE_ADDRESS)

/* Only these two commands wait. The third argument is passed on as it came, a
 * register's worth, if there is one. */
#define DEFINE_FCNTL(name)                                                    \
	PYRO_NEXT_SLOT(name);                                                 \
	PYRO_HOOK int PYRO_HOOK_NAME(name)(int fd, int command, ...)          \
	{                                                                     \
		bool waits = command == F_SETLKW || command == F_OFD_SETLKW;  \
		uint64_t began = waits ? pyro_coarse_begin(PYRO_WAIT_IO) : 0; \
		va_list rest;                                                 \
		void *arg;                                                    \
		int rc;                                                       \
                                                                              \
		va_start(rest, command);                                      \
		arg = va_arg(rest, void *);                                   \
		va_end(rest);                                                 \
		rc = PYRO_NEXT(name)(fd, command, arg);                       \
		pyro_coarse_end(PYRO_WAIT_IO, began, PYRO_CALLER);            \
		return rc;                                                    \
	}
DEFINE_FCNTL(fcntl)
#ifdef __GLIBC__
DEFINE_FCNTL(fcntl64)
#define FCNTL_CALLS(XX) XX(fcntl) XX(fcntl64)
#else
#define FCNTL_CALLS(XX) XX(fcntl)
#endif

#ifndef PYRO_STATIC

#define OWN(result, name, parameters, arguments) PYRO_OWN(name);
#define OWN_ADDRESS(result, name, parameters, arguments) \
	PYRO_OWN_LIKE(name, hooked_##name);
#define OWN_NAME(name) PYRO_OWN(name);
IO_CALLS(OWN)
SLEEP_CALLS(OWN)
ADDRESS_CALLS(OWN_ADDRESS)
FCNTL_CALLS(OWN_NAME)

void pyro_io_hook_resolve(void)
{
#define HOOKED(result, name, parameters, arguments) PYRO_HOOKED(name),
#define HOOKED_NAME(name) PYRO_HOOKED(name),
	static const struct pyro_hooked hooked[] = {
		IO_CALLS(HOOKED) SLEEP_CALLS(HOOKED) ADDRESS_CALLS(HOOKED)
			FCNTL_CALLS(HOOKED_NAME)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}

#endif
