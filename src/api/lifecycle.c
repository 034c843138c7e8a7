// SPDX-License-Identifier: Apache-2.0
/* lifecycle.c - the ends and the copies of a process
 *
 * exit    handlers of exit and quick_exit send the last window; never from _exit
 * signals under `pyro`, those that would kill flush first (fatal.c)
 * fork    the on-word and all that handlers touch read as zero in a child. The
 *         fork handler there makes system calls only: it arms the one thread
 *         that exists, whose samples wait in the pool. A collector is started
 *         when the child has lived for 100 ms and makes a hooked call, or
 *         exits, or calls pyroscope_fork_child(). vfork runs no handler and
 *         shares the page: nothing happens there. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "api/identity.h"
#include "api/listener.h"
#include "api/session.h"
#include "api/stats.h"
#include "api/taps.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "base/syscall.h"
#include "source/cpu.h"
#include "source/heap.h"
#include "source/lock_waiters.h"
#include "source/wait.h"
#include "source/hook.h"
#include "source/id_hook.h"
#include "transport/http.h"

/* Together two seconds. */
#define EXIT_MS 1700
#define HALT_MS 300
#define EXIT_FAILED_MS 200
#define FATAL_MS 1000
#define CHILD_AGE_NS (100 * PYRO_NS_PER_MS)
#define RETRY_NS PYRO_NS_PER_SEC
#define PAUSE_NS PYRO_NS_PER_SEC
/* How far up the stack a signal's frame is looked for without unwinding. */
#define DEPTH_SEEN 128
#define STACK_SEEN ((uintptr_t)64 << 10)
#define SA_RESTORER_FLAG 0x04000000 /* asm/signal.h */
/* x86_64: an index into the ucontext's registers, and what user code has there. */
#define CSGSFS 18
#define USER_CS 0x33
#define FORK_WAIT_NS (5 * PYRO_NS_PER_MS)

static bool is_running(void)
{
	return atomic_load(&pyro_session.state) == PYRO_SESSION_RUNNING;
}

/* The page was wiped: a forked child that is not set up yet. A vfork child sees
 * its parent's page, and must not touch its parent's state. */
static bool is_wiped(void)
{
	return atomic_load(&pyro_on_page->owned) == 0;
}

static _Atomic bool exiting;

/* What the forking thread holds, from before until after. */
static _Thread_local bool fork_has_round, fork_has_loader;

/* The child of a fork: nothing of the library's runs here. Its memory may be in the
 * middle of a change: it is left alone for ever, but for the tables, if the
 * collector was not at work. To build them takes the time of some ten thousand
 * samples, in each of a server's processes. System calls only. */
static void forget_parent(void)
{
	struct pyro_session *s = &pyro_session;

	pyro_mutex_reset(&s->lock);
	pyro_mutex_reset(&s->round);
	pyro_mutex_reset(&pyro_registry_lock);
	pyro_mutex_reset(&pyro_loader_lock);
	pyro_log_forked();
	pyro_identity_forked();
	pyro_library_threads_reset();
	pyro_process.parent = pyro_process.pid;
	pyro_process.pid = pyro_getpid();
	atomic_store(&exiting, false);
	if (s->modules)
		s->inherited = s->modules;
	if (!fork_has_round)
		s->inherited = NULL;
	s->modules = NULL;
	s->lines = NULL;
	s->names = NULL;
	s->uploader = NULL;
	s->stacks = (struct pyro_stacks){0};
	s->heap = (struct pyro_heap_stacks){0};
	s->waits[0] = s->waits[1] = (struct pyro_waits){0};
	s->threads = (struct pyro_moment){0};
	s->births = (struct pyro_births){0};
	s->wall = (struct pyro_wall){0};
	s->marked = false;
	pyro_memory_forked();
	pyro_counts_forked();
	pyro_slots_forked();
	pyro_registry_forked();
	pyro_cpu_forked();
	pyro_heap_forked();
	pyro_wait_forked();
	pyro_lock_forked();
	pyro_taps_forked();
	pyro_listener_forked();
	atomic_store(&pyro_on_page->owned, 1);
}

/* A child of a process that is profiled is profiled, too. */
static void become_child(void)
{
	struct pyro_thread *self;

	pyro_process.descendant = true;
	self = pyro_registry_claim(PYRO_THREAD_LIVE);
	if (self) {
		self->scanned = true;
		pyro_cpu_arm(self, pyro_gettid());
	}
	atomic_store(&pyro_on_page->child_since_ns,
		     pyro_clock_ns(CLOCK_MONOTONIC));
	pyro_on_set(PYRO_ON_CHILD);
}

/* The child must not inherit the loader's locks from a collector that reads
 * the list of objects: that takes microseconds, and so does what a listener does. A
 * round takes longer than fork may wait. */
static void before_fork(void)
{
	if (is_running())
		fork_has_round = pyro_mutex_lock_for(&pyro_session.round, 0);
	fork_has_loader = pyro_mutex_lock_for(&pyro_loader_lock, FORK_WAIT_NS);
}

static void after_fork_parent(void)
{
	if (fork_has_loader)
		pyro_mutex_unlock(&pyro_loader_lock);
	if (fork_has_round)
		pyro_mutex_unlock(&pyro_session.round);
	fork_has_loader = fork_has_round = false;
}

/* Another thread may have been in the middle of a start, also of the first one, of
 * which the page does not tell, or of a stop. */
static void after_fork_child(void)
{
	forget_parent();
	if (is_running()) {
		become_child();
	} else {
		pyro_heap_stop();
		pyro_wait_start(0, 0, false);
		atomic_store(&pyro_session.state, PYRO_SESSION_IDLE);
	}
	fork_has_loader = fork_has_round = false;
}

/* libc's locks may be held by threads that are not here, and to start a thread is
 * not safe. So it stays for all that such a child forks. */
static bool is_fragile;

/* _Fork and raw clone run no handlers, libc's neither. */
void pyro_lifecycle_enter(void)
{
	if (!is_wiped())
		return;
	is_fragile |= pyro_registry_limit() > 1;
	after_fork_child();
}

static void revive(void)
{
	struct pyro_session *s = &pyro_session;

	if (pyro_on_get() != PYRO_ON_CHILD || !pyro_mutex_lock_for(&s->lock, 0))
		return;
	if (pyro_on_get() == PYRO_ON_CHILD && !s->modules &&
	    pyro_session_run(PYRO_START_FORKED) != 0) {
		/* No thread to be had: not again for a while. */
		atomic_store(&s->state, PYRO_SESSION_RUNNING);
		atomic_store(&pyro_on_page->child_retry_ns,
			     pyro_clock_ns(CLOCK_MONOTONIC) + RETRY_NS);
	}
	pyro_mutex_unlock(&s->lock);
}

void pyro_lifecycle_revive(void)
{
	int cancel = pyro_cancel_disable();

	pyro_lifecycle_enter();
	revive();
	pyro_cancel_restore(cancel);
}

/* What the program's signal handlers have in common. */
struct handlers {
	uintptr_t
		restorer; /* where libc lets them return to; 0: there are none */
	bool nodefer;     /* one runs with its own signal not blocked */
};

/* The kernel's struct: libc's hides the restorer. */
static struct handlers find_handlers(void)
{
	struct {
		uintptr_t handler, flags, restorer, mask;
	} action = {0};
	struct handlers found = {0};

	for (int sig = 1; sig < NSIG; sig++) {
		if (pyro_syscall4(SYS_rt_sigaction, sig, 0, (long)&action,
				  sizeof(action.mask)) != 0 ||
		    action.handler <= (uintptr_t)SIG_IGN ||
		    !(action.flags & SA_RESTORER_FLAG))
			continue;
		found.restorer = action.restorer;
		found.nodefer |= action.flags & SA_NODEFER;
	}
	return found;
}

/* What the kernel leaves on a stack for a handler to return to: the restorer's
 * address, and behind it the ucontext. x86_64: aarch64 has no restorers. In one
 * that is still to be returned from, the mask is not what it is now. */
static bool is_signal_frame(uintptr_t at, const struct handlers *handlers)
{
	uint64_t csgsfs, mask, mask_now = 0;
	uintptr_t context = at + 8;

	if (!pyro_read_memory((const void *)(context + PYRO_UCONTEXT_GREGS +
					     CSGSFS * sizeof(csgsfs)),
			      &csgsfs, sizeof(csgsfs)) ||
	    (uint16_t)csgsfs != USER_CS ||
	    !pyro_read_memory(
		    (const void *)(context + offsetof(ucontext_t, uc_sigmask)),
		    &mask, sizeof(mask)))
		return false;
	pyro_syscall4(SYS_rt_sigprocmask, SIG_BLOCK, 0, (long)&mask_now,
		      sizeof(mask_now));
	return handlers->nodefer || mask != mask_now;
}

static bool has_signal_frame(uintptr_t sp)
{
	struct handlers handlers = find_handlers();
	uintptr_t words[64];

	for (uintptr_t at = sp; handlers.restorer && at < sp + STACK_SEEN;
	     at += sizeof(words)) {
		if (!pyro_read_memory((const void *)at, words, sizeof(words)))
			break;
		for (size_t i = 0; i < PYRO_COUNT_OF(words); i++)
			if (words[i] == handlers.restorer &&
			    is_signal_frame(at + i * sizeof(*words), &handlers))
				return true;
	}
	return false;
}

/* A program's signal handler may call read() and the like, but starting a
 * thread there is not safe. A child that was forked before the first tables were
 * built, or that runs code without any, cannot be walked to its end. Its
 * stack
 * is looked through from the caller's frame on: what this function's own variables
 * have not been given yet is what some earlier call left there. */
static __attribute__((noinline)) bool in_signal_handler(void)
{
	struct pyro_regs regs = {0};
	struct pyro_walk walk;
	uint64_t pc[DEPTH_SEEN];

	PYRO_REGS_HERE(&regs);
	pyro_unwind_regs(pyro_modules_current(), &regs,
			 (struct pyro_stack){0, 0}, pc, DEPTH_SEEN, &walk);
	return walk.signal_frame ||
	       (walk.stop != PYRO_STOP_END &&
		has_signal_frame((uintptr_t)__builtin_frame_address(0)));
}

/* From a hooked call, in a process that is not fully on. */
static void on_hooked_call(void)
{
	pyro_lifecycle_enter();
	/* A vfork child has its parent's memory: a thread of its own would be
	 * gone with it, and what that held, held for ever. */
	if (pyro_on_get() != PYRO_ON_CHILD || pyro_session.modules ||
	    is_fragile || pyro_process.pid != pyro_getpid())
		return;

	uint64_t since = atomic_load(&pyro_on_page->child_since_ns);
	uint64_t retry = atomic_load(&pyro_on_page->child_retry_ns);

	if (pyro_clock_ns(CLOCK_MONOTONIC) >=
		    pyro_max(since + CHILD_AGE_NS, retry) &&
	    !in_signal_handler())
		pyro_lifecycle_revive();
}

static void resume_threads(void)
{
	struct pyro_session *s = &pyro_session;

	atomic_store(&s->ended, 0);
	if (pyro_thread_start("pyro-collect", pyro_collector_main, s) != 0) {
		atomic_store(&s->ended, 1);
		pyro_on_set(PYRO_ON_NO);
		pyro_cpu_stop();
		pyro_log_in_hook(PYRO_LOG_ERROR,
				 "profiling ends: no thread could be started");
	}
	pyro_mutex_unlock(&s->lock);
}

/* For the calls of id_hook.h: the collector leaves its thread and the session
 * stays as it is, with the session lock held, until it is resumed. Where the
 * program has threads of its own, all of them have to agree anyway. */
static bool pause_threads(void)
{
	struct pyro_session *s = &pyro_session;
	pid_t tid;

	if (!is_running() || is_wiped() || !s->modules ||
	    pyro_process.pid != pyro_getpid() ||
	    !pyro_mutex_lock_for(&s->lock, PAUSE_NS))
		return false;
	tid = pyro_only_library_thread();
	if (!tid || !is_running() || !s->modules) {
		pyro_mutex_unlock(&s->lock);
		return false;
	}
	atomic_store(&s->pause_asked, true);
	pyro_slots_wake();
	if (!pyro_wait(&s->ended, 0, PAUSE_NS) &&
	    atomic_exchange(&s->pause_asked, false)) {
		pyro_mutex_unlock(&s->lock);
		return false;
	}
	/* It has taken that, and is just leaving. */
	while (!pyro_wait(&s->ended, 0, PAUSE_NS))
		;
	if (pyro_thread_gone(tid, PAUSE_NS))
		return true;
	resume_threads();
	return false;
}

static void end_at_exit(struct pyro_session *s)
{
	pyro_session_end(EXIT_MS, EXIT_FAILED_MS);
	/* A transfer that goes on would find the TLS library gone. */
	if (s->uploader)
		pyro_uploader_halt(s->uploader, HALT_MS);
}

/* Would its profile be sent, if there were a collector? See pyro_session_end(). */
static bool is_worth_reviving(const struct pyro_session *s)
{
	bool sends = pyro_process.preloaded && !s->config.output_dir[0];

	return !is_fragile &&
	       pyro_process_cpu_ns() >=
		       (sends ? PYRO_UPLOAD_CPU_NS : PYRO_LAZY_CPU_NS);
}

static void at_exit(void)
{
	struct pyro_session *s = &pyro_session;

	/* A vfork child that calls exit has its parent's memory. */
	if (!is_running() || is_wiped() || pyro_process.pid != pyro_getpid() ||
	    atomic_exchange(&exiting, true))
		return;
	if (pyro_on_get() == PYRO_ON_CHILD && !s->modules) {
		if (!is_worth_reviving(s))
			return;
		pyro_lifecycle_revive();
	}
	/* Against a stop in another thread. */
	if (!pyro_mutex_lock_for(&s->lock, EXIT_MS * PYRO_NS_PER_MS))
		return;
	if (is_running() && s->modules)
		end_at_exit(s);
	pyro_mutex_unlock(&s->lock);
}

/* Handlers run in reverse order: one that was registered before the TLS library
 * registered its own finds it gone. */
static void register_exit_again(void)
{
	atexit(at_exit);
}

/* A vfork child, which has its parent's memory, is not ours to flush. */
void pyro_lifecycle_dying(void)
{
	if (!is_running() || is_wiped() || pyro_on_get() != PYRO_ON_YES ||
	    pyro_process.pid != pyro_getpid())
		return;
	atomic_store(&exiting, true);
	pyro_session_end(FATAL_MS, EXIT_FAILED_MS);
}

void pyro_lifecycle_init(void)
{
	static const struct pyro_id_change change = {pause_threads,
						     resume_threads};
	static _Atomic bool once;

	pyro_hook_on_child(on_hooked_call);
	pyro_id_hook_on_change(&change);
	if (atomic_exchange(&once, true))
		return;
	pyro_curl_loaded = register_exit_again;
	atexit(at_exit);
	at_quick_exit(at_exit);
}

void pyro_lifecycle_watch_forks(void)
{
	static _Atomic bool once;

	if (!atomic_exchange(&once, true))
		pthread_atfork(before_fork, after_fork_parent,
			       after_fork_child);
}
