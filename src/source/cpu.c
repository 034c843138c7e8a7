// SPDX-License-Identifier: Apache-2.0
/* cpu.c - timers of threads: arm, scan, reap, and the choice of a signal */
#include "source/cpu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/on.h"
#include "base/os.h"
#include "base/syscall.h"
#include "base/table.h"
#include "source/cpu_handler.h"

/* Set by start, then read by the collector and by threads that start. */
static struct {
	_Atomic int signal; /* 0: none */
	_Atomic uint64_t unarmed;
	_Atomic uint64_t read; /* signals that the program reads: bits */
	_Atomic size_t armed;
	_Atomic unsigned halvings; /* of the rate that was asked for */
	size_t armed_max;
	_Atomic bool paused; /* written under the registry lock */
} cpu;

/* The kernel's struct sigevent (asm-generic/siginfo.h): libc's hides the
 * thread's number. */
struct kernel_sigevent {
	union sigval value;
	int signo;
	int notify;
	pid_t tid;
	char pad[64 - 3 * sizeof(int) - sizeof(union sigval)];
};
_Static_assert(sizeof(struct kernel_sigevent) == 64, "SIGEV_MAX_SIZE");

#define NOTIFY_THREAD_ID 4 /* SIGEV_THREAD_ID */

static uint64_t first_expiry(uint64_t period)
{
	return pyro_random() % period + 1;
}

static int set_timer(int timer, uint64_t first, uint64_t period)
{
	struct itimerspec when = {
		.it_interval = {(time_t)(period / PYRO_NS_PER_SEC),
				(long)(period % PYRO_NS_PER_SEC)},
		.it_value = {(time_t)(first / PYRO_NS_PER_SEC),
			     (long)(first % PYRO_NS_PER_SEC)},
	};

	return (int)pyro_syscall4(SYS_timer_settime, timer, 0, (long)&when, 0);
}

/* A timer on the thread's CPU clock, with our signal and value to it. 0 or
 * -errno. */
static int make_timer(pid_t tid, void *value, uint64_t first, uint64_t period,
		      int *timer)
{
	struct kernel_sigevent event = {
		.value.sival_ptr = value,
		.signo = atomic_load(&cpu.signal),
		.notify = NOTIFY_THREAD_ID,
		.tid = tid,
	};

	if (event.signo == 0 || atomic_load(&cpu.armed) >= cpu.armed_max)
		return -EAGAIN;

	long err = pyro_syscall4(SYS_timer_create, pyro_thread_clock(tid),
				 (long)&event, (long)timer, 0);

	if (err == 0) {
		err = set_timer(*timer, first, period);
		if (err < 0)
			pyro_syscall4(SYS_timer_delete, *timer, 0, 0, 0);
	}
	if (err == 0)
		atomic_fetch_add(&cpu.armed, 1);
	return (int)err;
}

static void delete_timer(int timer)
{
	pyro_syscall4(SYS_timer_delete, timer, 0, 0, 0);
	atomic_fetch_sub(&cpu.armed, 1);
}

int pyro_cpu_arm(struct pyro_thread *thread, pid_t tid)
{
	uint64_t period = pyro_cpu_period_ns();
	int err = -EAGAIN;

	atomic_store(&thread->tid, tid);
	atomic_store(&thread->state, PYRO_THREAD_LIVE);
	if (period && !atomic_load(&cpu.paused))
		err = make_timer(tid,
				 (char *)thread + atomic_load(&cpu.halvings),
				 first_expiry(period), period, &thread->timer);
	thread->armed = err == 0;
	return err;
}

void pyro_cpu_disarm(struct pyro_thread *thread)
{
	if (!thread->armed)
		return;
	delete_timer(thread->timer);
	thread->armed = false;
}

int pyro_cpu_shot(pid_t tid, int *timer)
{
	return make_timer(tid, PYRO_CPU_SHOT, 1, 0, timer);
}

int pyro_cpu_shot_again(int timer)
{
	return set_timer(timer, 1, 0);
}

void pyro_cpu_shot_end(int timer)
{
	delete_timer(timer);
}

void pyro_cpu_shots(bool on)
{
	atomic_store(&pyro_cpu_handler.shots, on);
}

static uint64_t bit_of(int sig)
{
	return sig ? UINT64_C(1) << (sig - 1) : 0;
}

void pyro_cpu_unblock_signal(void)
{
	uint64_t set = bit_of(atomic_load(&cpu.signal));

	pyro_syscall4(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&set, 0, 8);
}

uint64_t pyro_cpu_period_ns(void)
{
	return atomic_load(&pyro_cpu_handler.period_ns)
	       << atomic_load(&cpu.halvings);
}

/* A timer that is deleted and one that begins at random see what a timer sees that
 * goes on, on average. The lock is given back in between: threads that begin and
 * end wait for it. */
void pyro_cpu_set_halvings(unsigned halvings)
{
	atomic_store(&cpu.halvings, halvings);
	for (size_t i = 0; i < pyro_registry_limit(); i++) {
		struct pyro_thread *t = pyro_registry_at(i);

		pyro_mutex_lock(&pyro_registry_lock);
		if (t->armed) {
			pyro_cpu_disarm(t);
			pyro_cpu_arm(t, atomic_load(&t->tid));
		}
		pyro_mutex_unlock(&pyro_registry_lock);
	}
}

int pyro_cpu_signal(void)
{
	return atomic_load_explicit(&cpu.signal, memory_order_relaxed);
}

uint64_t pyro_cpu_unarmed(void)
{
	return atomic_load(&cpu.unarmed);
}

/* Signals that would do, best first. SIGURG leads because its default action is
 * to be ignored: when the program resets all signals to their defaults, as
 * daemons and code between fork and exec do, SIGPROF would kill it. The rest
 * are seldom used; real-time signals come last, as they queue. */
static int candidate(int i)
{
	static const int standard[] = {SIGURG, SIGPROF, SIGVTALRM, SIGSTKFLT,
				       SIGPWR};
	int count = (int)PYRO_COUNT_OF(standard);

	if (i < count)
		return standard[i];
	return SIGRTMIN + 3 + (i - count) <= SIGRTMAX
		       ? SIGRTMIN + 3 + (i - count)
		       : 0;
}

static bool is_read(int sig)
{
	return atomic_load(&cpu.read) & bit_of(sig);
}

static bool is_ours(const struct sigaction *action)
{
	return (action->sa_flags & SA_SIGINFO) &&
	       action->sa_sigaction == pyro_cpu_on_tick;
}

/* Free, or left over from our own earlier session. */
static int choose_signal(void)
{
	for (int i = 0; candidate(i) != 0; i++) {
		struct sigaction old, ours;

		if (is_read(candidate(i)) ||
		    sigaction(candidate(i), NULL, &old) != 0)
			continue;
		if (!is_ours(&old) &&
		    ((old.sa_flags & SA_SIGINFO) ||
		     (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN)))
			continue;
		memset(&ours, 0, sizeof(ours));
		ours.sa_sigaction = pyro_cpu_on_tick;
		ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
		/* A handler of the program that nested in ours could leave it
		 * by longjmp, and never give the slot back; as could libc's
		 * for a thread that is cancelled, which sigfillset() leaves
		 * out. */
		memset(&ours.sa_mask, 0xff, sizeof(ours.sa_mask));
		if (sigaction(candidate(i), &ours, NULL) == 0)
			return candidate(i);
	}
	return 0;
}

int pyro_cpu_start(uint32_t rate, bool shots)
{
	struct rlimit rl;

	atomic_store(&pyro_cpu_handler.period_ns,
		     rate ? PYRO_NS_PER_SEC / rate : 0);
	atomic_store(&cpu.halvings, 0);
	atomic_store(&cpu.signal, 0);
	atomic_store(&cpu.armed, 0);
	atomic_store(&cpu.unarmed, 0);
	atomic_store(&cpu.paused, false);
	/* The limit counts the timers of all processes of this user. */
	cpu.armed_max = PYRO_THREADS_MAX;
	if (getrlimit(RLIMIT_SIGPENDING, &rl) == 0 &&
	    rl.rlim_cur / 4 < cpu.armed_max)
		cpu.armed_max = pyro_max(rl.rlim_cur / 4, 1);
	if (rate > 0 || shots)
		atomic_store(&cpu.signal, choose_signal());
	return atomic_load(&cpu.signal) || rate == 0 ? 0 : -EBUSY;
}

void pyro_cpu_forked(void)
{
	atomic_store(&cpu.armed, 0);
	atomic_store(&cpu.halvings, 0);
	atomic_store(&cpu.unarmed, 0);
}

static void disarm_all(bool release)
{
	for (size_t i = 0; i < pyro_registry_limit(); i++) {
		struct pyro_thread *t = pyro_registry_at(i);

		pyro_cpu_disarm(t);
		if (release && atomic_load(&t->state) == PYRO_THREAD_LIVE &&
		    t->scanned)
			pyro_registry_release(t);
	}
}

void pyro_cpu_stop(void)
{
	pyro_mutex_lock(&pyro_registry_lock);
	disarm_all(true);
	pyro_mutex_unlock(&pyro_registry_lock);
}

void pyro_cpu_pause(bool paused)
{
	pyro_mutex_lock(&pyro_registry_lock);
	atomic_store(&cpu.paused, paused);
	if (paused) {
		disarm_all(false);
		atomic_store(&cpu.unarmed, 0);
	}
	pyro_mutex_unlock(&pyro_registry_lock);
}

struct scan {
	struct pyro_table by_tid;
	size_t threads;
	size_t unarmed;
	/* Threads that pthread_create announced and that have not said who they
	 * are. While there are any, an unknown thread may be one of them. None
	 * can be announced during a scan: that takes the lock. */
	size_t starting;
	bool deferred; /* an unknown thread was left for the next scan */
};

static bool same_tid(const void *owner, uint32_t item, const void *key)
{
	(void)owner;
	return atomic_load(&pyro_registry_at(item)->tid) == *(const pid_t *)key;
}

static uint64_t tid_hash(pid_t tid)
{
	return pyro_hash(&tid, sizeof(tid), 0);
}

static int arm_found(pid_t tid)
{
	struct pyro_thread *t = pyro_registry_claim(PYRO_THREAD_LIVE);

	if (!t)
		return -EAGAIN;
	t->scanned = true;
	if (tid == pyro_getpid())
		t->stack = pyro_stack_of_main();
	return pyro_cpu_arm(t, tid);
}

/* One that has ended since it was listed needs no timer. */
static void count_unarmed(struct scan *scan, pid_t tid)
{
	if (pyro_clock_ns(pyro_thread_clock(tid)) != 0)
		scan->unarmed++;
}

static void visit(void *arg, pid_t tid)
{
	struct scan *scan = arg;
	uint32_t found = pyro_table_find(&scan->by_tid, tid_hash(tid), same_tid,
					 NULL, &tid);

	if (pyro_is_library_thread(tid))
		return;
	scan->threads++;
	if (found != PYRO_TABLE_NONE) {
		struct pyro_thread *t = pyro_registry_at(found);

		t->seen = true;
		/* Room may have come since. */
		if (!t->armed && pyro_cpu_arm(t, tid) == -EAGAIN)
			count_unarmed(scan, tid);
	} else if (scan->starting > 0 && tid != pyro_getpid()) {
		scan->deferred = true;
	} else if (arm_found(tid) == -EAGAIN) {
		count_unarmed(scan, tid);
	}
}

static void index_threads(struct scan *scan)
{
	for (size_t i = 0; i < pyro_registry_limit(); i++) {
		struct pyro_thread *t = pyro_registry_at(i);
		uint32_t state = atomic_load(&t->state);
		pid_t tid = atomic_load(&t->tid);

		/* What begins to live during the scan cannot be missed by it. */
		t->seen = state != PYRO_THREAD_LIVE;
		if (state == PYRO_THREAD_STARTING)
			scan->starting++;
		if (state != PYRO_THREAD_LIVE)
			continue;

		pyro_table_add(&scan->by_tid, tid_hash(tid), (uint32_t)i);
	}
}

static void reap(void)
{
	for (size_t i = 0; i < pyro_registry_limit(); i++) {
		struct pyro_thread *t = pyro_registry_at(i);

		if (atomic_load(&t->state) != PYRO_THREAD_LIVE || t->seen)
			continue;
		pyro_cpu_disarm(t);
		pyro_registry_release(t);
	}
}

bool pyro_cpu_scan(void)
{
	struct scan scan = {0};

	pyro_mutex_lock(&pyro_registry_lock);
	index_threads(&scan);
	if (pyro_each_thread(visit, &scan) == 0 && scan.threads > 0)
		reap();
	pyro_mutex_unlock(&pyro_registry_lock);
	pyro_table_free(&scan.by_tid);
	atomic_store(&cpu.unarmed, scan.unarmed);
	if (scan.unarmed)
		PYRO_LOG_ONCE("some threads are not sampled: the limit of "
			      "pending signals (ulimit -i) is near");
	return !scan.deferred;
}

/* Take another signal, for whoever has a timer now. Registry lock held. */
static void change_signal(void)
{
	atomic_store(&cpu.signal, choose_signal());
	for (size_t i = 0; i < pyro_registry_limit(); i++) {
		struct pyro_thread *t = pyro_registry_at(i);

		if (!t->armed)
			continue;
		pyro_cpu_disarm(t);
		pyro_cpu_arm(t, atomic_load(&t->tid));
	}
}

bool pyro_cpu_check_signal(void)
{
	struct sigaction now;
	int sig = atomic_load(&cpu.signal), other;

	if (sig && !is_read(sig) &&
	    (sigaction(sig, NULL, &now) != 0 || is_ours(&now)))
		return true;
	pyro_mutex_lock(&pyro_registry_lock);
	change_signal();
	other = atomic_load(&cpu.signal);
	pyro_mutex_unlock(&pyro_registry_lock);
	/* All signals may have been reset, as daemons do. */
	if (sig && other != sig)
		PYRO_LOG_ONCE("the program took signal %d, which CPU sampling "
			      "used; going on with signal %d",
			      sig, other);
	return other != 0;
}

/* The handler of what is ignored by default interrupts calls, which the program's
 * own signals to itself would not have done. */
static void give_back(int sig)
{
	struct sigaction now, dfl;

	if (sig != SIGURG || sigaction(sig, NULL, &now) != 0 || !is_ours(&now))
		return;
	memset(&dfl, 0, sizeof(dfl));
	dfl.sa_handler = SIG_DFL;
	sigaction(sig, &dfl, NULL);
}

void pyro_cpu_leave_signals(const sigset_t *signals)
{
	int sig = atomic_load(&cpu.signal);
	uint64_t set;

	memcpy(&set, signals, sizeof(set)); /* as the kernel has it */
	atomic_fetch_or(&cpu.read, set);
	if (!is_read(sig) || pyro_on_get() == PYRO_ON_NO ||
	    !pyro_mutex_lock_for(&pyro_registry_lock, 100 * PYRO_NS_PER_MS))
		return;
	change_signal();
	give_back(sig);
	pyro_mutex_unlock(&pyro_registry_lock);
}
