// SPDX-License-Identifier: Apache-2.0
/* hook.c - pthread_create, and the calls in which forked children wake */
#include "source/hook.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/on.h"
#include "base/os.h"
#include "source/cpu.h"
#include "source/here.h"
#include "source/next.h"

static pyro_child_fn *_Atomic on_child; /* NULL: never started */
static _Atomic bool key_made;
static pthread_key_t exit_key;

/* XX(result, name, (parameters), (arguments)) */
#define WAKE_CALLS(XX)                                                        \
	XX(ssize_t, read, (int fd, void *to, size_t n), (fd, to, n))          \
	XX(ssize_t, recv, (int fd, void *to, size_t n, int flags),            \
	   (fd, to, n, flags))                                                \
	XX(ssize_t, recvmsg, (int fd, struct msghdr *msg, int flags),         \
	   (fd, msg, flags))                                                  \
	XX(int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))  \
	XX(int, select,                                                       \
	   (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *t),       \
	   (n, r, w, e, t))                                                   \
	XX(int, epoll_wait,                                                   \
	   (int fd, struct epoll_event *events, int max, int ms),             \
	   (fd, events, max, ms))                                             \
	XX(int, nanosleep, (const struct timespec *t, struct timespec *rest), \
	   (t, rest))                                                         \
	XX(int, usleep, (useconds_t us), (us))                                \
	XX(unsigned, sleep, (unsigned seconds), (seconds))                    \
	XX(pid_t, waitpid, (pid_t pid, int *status, int options),             \
	   (pid, status, options))                                            \
	XX(pid_t, wait, (int *status), (status))                              \
	XX(pid_t, wait4,                                                      \
	   (pid_t pid, int *status, int options, struct rusage *usage),       \
	   (pid, status, options, usage))                                     \
	XX(int, clock_nanosleep,                                              \
	   (clockid_t clock, int flags, const struct timespec *t,             \
	    struct timespec *rest),                                           \
	   (clock, flags, t, rest))                                           \
	XX(int, ppoll,                                                        \
	   (struct pollfd * fds, nfds_t n, const struct timespec *t,          \
	    const sigset_t *mask),                                            \
	   (fds, n, t, mask))                                                 \
	XX(int, epoll_pwait,                                                  \
	   (int fd, struct epoll_event *events, int max, int ms,              \
	    const sigset_t *mask),                                            \
	   (fd, events, max, ms, mask))

#define DECLARE_NEXT(result, name, parameters, arguments) PYRO_NEXT_SLOT(name);
WAKE_CALLS(DECLARE_NEXT)
PYRO_NEXT_SLOT(pthread_create);

static void wake_child(void)
{
	pyro_child_fn *fn =
		atomic_load_explicit(&on_child, memory_order_relaxed);

	if (__builtin_expect(fn && pyro_on_get() != PYRO_ON_YES, 0)) {
		int saved = errno;

		fn();
		errno = saved;
	}
}

#define DEFINE_WAKE_CALL(result, name, parameters, arguments) \
	PYRO_HOOK result PYRO_HOOK_NAME(name) parameters      \
	{                                                     \
		wake_child();                                 \
		return PYRO_NEXT(name) arguments;             \
	}
WAKE_CALLS(DEFINE_WAKE_CALL)

/* By their assembler names: glibc declares them with a transparent union, which
 * no definition in ISO C matches. */
PYRO_NEXT_SLOT(accept);
PYRO_NEXT_SLOT(accept4);
PYRO_HOOK int hooked_accept(int fd, struct sockaddr *addr,
			    socklen_t *len) __asm__(PYRO_HOOK_SYMBOL(accept));
PYRO_HOOK int hooked_accept4(int fd, struct sockaddr *addr, socklen_t *len,
			     int flags) __asm__(PYRO_HOOK_SYMBOL(accept4));

#define NEXT(name) \
	((__typeof__(hooked_##name) *)(void (*)(void))PYRO_NEXT(name))

int hooked_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
	wake_child();
	return NEXT(accept)(fd, addr, len);
}

int hooked_accept4(int fd, struct sockaddr *addr, socklen_t *len, int flags)
{
	wake_child();
	return NEXT(accept4)(fd, addr, len, flags);
}

static void release_self(struct pyro_thread *self)
{
	if (atomic_load(&self->tid) != pyro_gettid())
		return; /* a forked child's copy of the pointer */
	/* When the lock is not to be had, the scan releases it later. */
	if (!pyro_mutex_lock_for(&pyro_registry_lock, 10 * PYRO_NS_PER_MS))
		return;
	pyro_cpu_disarm(self);
	pyro_registry_release(self);
	pyro_mutex_unlock(&pyro_registry_lock);
}

/* The destructor of exit_key: runs when a thread returns, calls pthread_exit or
 * is cancelled. A signal that our timer has queued already finds that the entry
 * is not its thread's any more. */
static void on_thread_exit(void *arg)
{
	release_self(arg);
}

static void register_self(struct pyro_thread *self)
{
	/* announce() left the sizes there. */
	struct pyro_stack stack =
		pyro_stack_of_self(self->stack.lo, self->stack.hi);

	self->stack = stack;
	pyro_here_stack = stack;
	/* From here on the scan knows the thread, and arms it if this cannot. */
	atomic_store(&self->tid, pyro_gettid());
	atomic_store(&self->state, PYRO_THREAD_LIVE);
	if (!pyro_mutex_lock_for(&pyro_registry_lock, 100 * PYRO_NS_PER_MS))
		return;
	if (!self->armed && pyro_on_get() == PYRO_ON_YES)
		pyro_cpu_arm(self, pyro_gettid());
	pyro_cpu_unblock_signal();
	pyro_mutex_unlock(&pyro_registry_lock);
}

/* What pthread_create runs instead of the program's function. In a section of
 * its own, so that its address range is known. */
__attribute__((section("pyro_trampoline"), noinline)) static void *
run_thread(void *arg)
{
	struct pyro_thread *self = arg;
	void *(*start)(void *) = self->start;
	void *start_arg = self->arg;

	pthread_setspecific(exit_key, self);
	register_self(self);
	return start(start_arg);
}

/* The linker's, for the section's ends. */
extern const char __start_pyro_trampoline[]
	__attribute__((visibility("hidden")));
extern const char __stop_pyro_trampoline[]
	__attribute__((visibility("hidden")));

bool pyro_hook_is_trampoline(uint64_t pc)
{
	return pc >= (uintptr_t)__start_pyro_trampoline &&
	       pc < (uintptr_t)__stop_pyro_trampoline;
}

static struct pyro_thread *announce(const pthread_attr_t *attr)
{
	size_t size = 0, guard = 0;
	pthread_attr_t standard;

	if (!attr) {
		pthread_attr_init(&standard);
		attr = &standard;
	}
	pthread_attr_getstacksize(attr, &size);
	pthread_attr_getguardsize(attr, &guard);
	if (attr == &standard)
		pthread_attr_destroy(&standard);

	if (!pyro_mutex_lock_for(&pyro_registry_lock, PYRO_NS_PER_MS))
		return NULL;

	struct pyro_thread *t = pyro_registry_claim(PYRO_THREAD_STARTING);

	if (t) /* the sizes until the thread knows its addresses */
		t->stack = (struct pyro_stack){size, guard};
	pyro_mutex_unlock(&pyro_registry_lock);
	return t;
}

PYRO_HOOK int
PYRO_HOOK_NAME(pthread_create)(pthread_t *restrict thread,
			       const pthread_attr_t *restrict attr,
			       void *(*start)(void *), void *restrict arg)
{
	wake_child();
	if (pyro_on_get() < PYRO_ON_STARTING || !atomic_load(&key_made))
		return PYRO_NEXT(pthread_create)(thread, attr, start, arg);

	struct pyro_thread *self = announce(attr);

	if (!self)
		return PYRO_NEXT(pthread_create)(thread, attr, start, arg);
	self->start = start;
	self->arg = arg;

	int err = PYRO_NEXT(pthread_create)(thread, attr, run_thread, self);

	if (err) {
		pyro_mutex_lock(&pyro_registry_lock);
		pyro_registry_release(self);
		pyro_mutex_unlock(&pyro_registry_lock);
	}
	return err;
}

#ifndef PYRO_STATIC

#define OWN(result, name, parameters, arguments) PYRO_OWN(name);
WAKE_CALLS(OWN)
PYRO_OWN_LIKE(accept, hooked_accept);
PYRO_OWN_LIKE(accept4, hooked_accept4);
PYRO_OWN(pthread_create);

void pyro_hook_resolve(void)
{
#define HOOKED(result, name, parameters, arguments) PYRO_HOOKED(name),
	static const struct pyro_hooked hooked[] = {
		WAKE_CALLS(HOOKED) PYRO_HOOKED(accept), PYRO_HOOKED(accept4),
		PYRO_HOOKED(pthread_create)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}

#endif

void pyro_hook_init(void)
{
	pyro_libc_threads.create = PYRO_NEXT(pthread_create);
	if (!atomic_exchange(&key_made, true) &&
	    pthread_key_create(&exit_key, on_thread_exit) != 0)
		atomic_store(&key_made, false);
}

void pyro_hook_on_child(pyro_child_fn *fn)
{
	atomic_store(&on_child, fn);
}
