// SPDX-License-Identifier: Apache-2.0
/* harm.c - a program that notices what a profiler could do to it
 *
 *     harm MODE [SECONDS]
 *
 * Each mode does for some seconds what profilers have been known to break, and
 * looks at the results itself. Exit code 0 and the line "ok" if all was as it
 * is without a profiler, else a line that says what was not. It is linked with
 * the library and calls pyroscope_load(); preloaded, that call does nothing. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

static _Atomic bool stop;
static double seconds = 1;

NOINLINE static void burn(double for_s)
{
	double end = now() + for_s;

	while (now() < end)
		for (int i = 0; i < 3000; i++)
			__asm__ volatile("");
}

static void start_threads(pthread_t *thread, int count, void *(*fn)(void *))
{
	for (intptr_t i = 0; i < count; i++)
		if (pthread_create(&thread[i], NULL, fn, (void *)i) != 0)
			PROBLEM("pthread_create: %s", strerror(errno));
}

static void join_threads(pthread_t *thread, int count)
{
	for (int i = 0; i < count; i++)
		pthread_join(thread[i], NULL);
}

static void run_threads(int count, void *(*fn)(void *))
{
	pthread_t thread[64];

	start_threads(thread, count, fn);
	burn(seconds);
	atomic_store(&stop, true);
	join_threads(thread, count);
}

/* Timers of this process, if the kernel tells; else 0. */
static int count_timers(void)
{
	char line[256];
	int count = 0;
	FILE *f = fopen("/proc/self/timers", "r");

	while (f && fgets(line, sizeof(line), f))
		count += strncmp(line, "ID:", 3) == 0;
	if (f)
		fclose(f);
	return count;
}

/* Queued signals of this user; timers take one each. */
static int count_queued(void)
{
	char line[256];
	int queued = -1;
	FILE *f = fopen("/proc/self/status", "r");

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "SigQ: %d/", &queued);
	if (f)
		fclose(f);
	return queued;
}

/* --- errno and registers stay what they were --- */

static void *keep_errno(void *arg)
{
	int mine = 1000 + (int)(intptr_t)arg;
	double first = 0;

	while (!atomic_load(&stop)) {
		double x = (double)mine;

		errno = mine;
		for (int i = 0; i < 100000; i++) {
			if (errno != mine) {
				PROBLEM("errno became %d", errno);
				errno = mine;
			}
			x = x * 1.0000001 - 0.0000001;
		}
		/* The same sum each time, to the last bit. */
		if (first == 0)
			first = x;
		if (x != first)
			PROBLEM("%.17g became %.17g", first, x);
	}
	return NULL;
}

static void mode_errno(void)
{
	run_threads(4, keep_errno);
}

/* --- no call is interrupted --- */

static void check_wait(const char *call, long result)
{
	if (result < 0)
		PROBLEM("%s: %s", call, strerror(errno));
}

static void *wait_in_calls(void *arg)
{
	int kind = (int)(intptr_t)arg % 5, fds[2];
	struct epoll_event event = {.events = EPOLLIN};
	int epoll = epoll_create1(0);
	char byte = 0;

	if (pipe(fds) != 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], &event) != 0)
		PROBLEM("pipe or epoll: %s", strerror(errno));
	while (!atomic_load(&stop)) {
		struct timespec ms = {0, 1000000};
		struct pollfd pfd = {.fd = fds[0], .events = POLLIN};
		fd_set set;
		struct timeval tv = {0, 1000};

		/* A tick that comes due now is delivered on the way into or
		 * out of the wait. */
		for (int i = 0; i < 200000; i++)
			__asm__ volatile("");
		switch (kind) {
		case 0:
			check_wait("poll", poll(&pfd, 1, 1));
			break;
		case 1:
			check_wait("epoll_wait",
				   epoll_wait(epoll, &event, 1, 1));
			break;
		case 2:
			check_wait("write", write(fds[1], &byte, 1));
			check_wait("read", read(fds[0], &byte, 1));
			break;
		case 3:
			check_wait("nanosleep", nanosleep(&ms, NULL));
			break;
		default:
			FD_ZERO(&set);
			FD_SET(fds[0], &set);
			check_wait("select",
				   select(fds[0] + 1, &set, NULL, NULL, &tv));
		}
	}
	close(fds[0]);
	close(fds[1]);
	close(epoll);
	return NULL;
}

/* A reader that blocks until its partner has burnt some time. */
static int slow_pipe[2];

static void *read_slowly(void *arg)
{
	char byte;
	ssize_t n;

	(void)arg;
	while ((n = read(slow_pipe[0], &byte, 1)) != 0)
		check_wait("blocking read", n);
	return NULL;
}

static void mode_eintr(void)
{
	pthread_t reader;

	if (pipe(slow_pipe) != 0)
		PROBLEM("pipe");
	start_threads(&reader, 1, read_slowly);

	pthread_t thread[20];

	start_threads(thread, 20, wait_in_calls);
	for (double end = now() + seconds; now() < end;) {
		burn(0.005);
		check_wait("write", write(slow_pipe[1], "", 1));
	}
	atomic_store(&stop, true);
	join_threads(thread, 20);
	close(slow_pipe[1]);
	join_threads(&reader, 1);
}

/* --- handlers of the program's own --- */

static _Atomic long got_urg, got_prof;

static void on_own(int sig)
{
	atomic_fetch_add(sig == SIGURG ? &got_urg : &got_prof, 1);
}

static void take(int sig)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_own;
	if (sigaction(sig, &action, NULL) != 0)
		PROBLEM("sigaction");
}

static void check_mine(int sig, _Atomic long *count)
{
	struct sigaction action;
	long before = atomic_load(count);

	if (sigaction(sig, NULL, &action) != 0 || action.sa_handler != on_own ||
	    action.sa_flags & SA_SIGINFO)
		PROBLEM("the handler of signal %d is another", sig);
	raise(sig);
	raise(sig);
	if (atomic_load(count) != before + 2)
		PROBLEM("signal %d: got %ld of 2", sig,
			atomic_load(count) - before);
}

static void load(void);

static void mode_handlers_before(void)
{
	take(SIGURG);
	take(SIGPROF);
	load();
	burn(seconds);
	if (atomic_load(&got_urg) || atomic_load(&got_prof))
		PROBLEM("%ld and %ld signals that nobody sent",
			atomic_load(&got_urg), atomic_load(&got_prof));
	check_mine(SIGURG, &got_urg);
	check_mine(SIGPROF, &got_prof);
}

/* Taken later, when they are the library's: it goes on with another. */
static void mode_handlers_after(void)
{
	burn(seconds);
	take(SIGURG);
	take(SIGPROF);
	burn(3);

	long urg = atomic_load(&got_urg), prof = atomic_load(&got_prof);

	burn(seconds);
	if (atomic_load(&got_urg) != urg || atomic_load(&got_prof) != prof)
		PROBLEM("signals still come that nobody sent");
	check_mine(SIGURG, &got_urg);
	check_mine(SIGPROF, &got_prof);
}

NOINLINE static void burn_blocked(double for_s)
{
	burn(for_s);
	__asm__ volatile(""); /* no tail call */
}

/* As PostgreSQL's processes wake each other. */
static void mode_signalfd(void)
{
	struct signalfd_siginfo info;
	struct pollfd ready = {.events = POLLIN};
	sigset_t set;
	int fd;

	burn(0.1);
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	burn_blocked(0.1); /* one is pending */
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	ready.fd = fd;
	if (poll(&ready, 1, 0) != 0 || read(fd, &info, sizeof(info)) > 0)
		PROBLEM("what was pending can be read");
	burn_blocked(seconds);
	if (read(fd, &info, sizeof(info)) > 0)
		PROBLEM("read a signal that nobody sent");
	raise(SIGURG);
	if (read(fd, &info, sizeof(info)) != sizeof(info) ||
	    info.ssi_signo != SIGURG)
		PROBLEM("the program's signal did not come");
	if (read(fd, &info, sizeof(info)) > 0)
		PROBLEM("it came twice");
	close(fd);
}

/* What daemons do. */
static void mode_reset_signals(void)
{
	burn(seconds);
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	burn(seconds + 2);
}

/* --- threads --- */

static void *blocked_thread(void *arg)
{
	sigset_t set;

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	if (!sigismember(&set, SIGTERM) || !sigismember(&set, SIGUSR1))
		PROBLEM("a signal is not blocked any more");
	burn_blocked(seconds);
	return NULL;
}

static void mode_blocked_threads(void)
{
	sigset_t all;
	pthread_t thread[2];

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	start_threads(thread, 2, blocked_thread);
	join_threads(thread, 2);
}

static void *short_thread(void *arg)
{
	static _Thread_local char bytes[100];

	memset(bytes, (int)(intptr_t)arg, sizeof(bytes));
	for (int i = 0; i < 2000 + bytes[5]; i++)
		__asm__ volatile("");
	return NULL;
}

static int timers_before, queued_before;

static void remember_timers(void)
{
	burn(1.5); /* those of the threads that are there are armed */
	timers_before = count_timers();
	queued_before = count_queued();
}

static void check_timers(void)
{
	int timers = 0, queued = 0;

	/* Those that died unannounced are found within some seconds. */
	for (int i = 0; i < 60; i++) {
		timers = count_timers();
		queued = count_queued();
		if (timers <= timers_before && queued <= queued_before)
			break;
		burn(0.05);
		usleep(100000);
	}
	printf("timers %d -> %d, queued signals %d -> %d\n", timers_before,
	       timers, queued_before, queued);
	if (timers > timers_before || queued > queued_before)
		PROBLEM("timers or queued signals are left");
}

static void mode_storm(void)
{
	remember_timers();
	for (int i = 0; i < 10000 / 50; i++) {
		pthread_t thread[50];

		start_threads(thread, 50, short_thread);
		join_threads(thread, 50);
	}
	check_timers();
}

static void *end_in_some_way(void *arg)
{
	burn(0.02);
	switch ((intptr_t)arg % 4) {
	case 0:
		return NULL;
	case 1:
		pthread_exit((void *)7);
	case 2:
		for (;;)
			sleep(1); /* until cancelled */
	default:
		/* Not even the C library hears of it. */
		syscall(SYS_exit, 0);
	}
	return NULL;
}

static void mode_exits(void)
{
	remember_timers();
	for (int round = 0; round < 10; round++) {
		pthread_t thread[8];
		void *result;

		start_threads(thread, 8, end_in_some_way);
		for (int i = 0; i < 8; i++) {
			if (i % 4 == 2)
				pthread_cancel(thread[i]);
			if (i % 4 == 3)
				continue; /* nobody may wait for these */
			pthread_join(thread[i], &result);
			if (i % 4 == 1 && result != (void *)7)
				PROBLEM("the result of pthread_exit");
			if (i % 4 == 2 && result != PTHREAD_CANCELED)
				PROBLEM("the result of pthread_cancel");
		}
	}
	check_timers();
}

static void *just_burn(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		burn(0.01);
	return NULL;
}

static void mode_threads(void)
{
	run_threads(30, just_burn);
}

/* --- little memory --- */

static void mode_locked(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
		printf("mlockall: %s\n", strerror(errno));
	load();
	run_threads(4, just_burn);
}

static size_t address_space(void)
{
	size_t pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%zu", &pages) != 1)
		pages = 0;
	if (f)
		fclose(f);
	return pages * 4096;
}

/* SECONDS is a number of KiB here: what is left of the address space. */
static void mode_address_space(void)
{
	struct rlimit rl;

	rl.rlim_cur = rl.rlim_max = address_space() + (size_t)seconds * 1024;
	if (setrlimit(RLIMIT_AS, &rl) != 0)
		PROBLEM("setrlimit");
	load();
	burn(0.2);
	if (pyroscope_flush(0) != 0)
		PROBLEM("flush");
	burn(0.1);
}

/* --- small alternate stacks --- */

static void *on_small_stack(void *arg)
{
	/* What lies below is not ours: an overflow faults. */
	size_t size = MINSIGSTKSZ, room = (size + 4095) & ~4095UL;
	char *pages = mmap(NULL, room + 4096, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t ss = {.ss_sp = pages + 4096, .ss_size = size};

	(void)arg;
	mprotect(pages, 4096, PROT_NONE);
	if (sigaltstack(&ss, NULL) != 0)
		PROBLEM("sigaltstack: %s", strerror(errno));
	while (!atomic_load(&stop))
		burn(0.01);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	munmap(pages, room + 4096);
	return NULL;
}

static void mode_small_altstack(void)
{
	run_threads(2, on_small_stack);
}

static void mode_plain(void)
{
	burn(seconds);
}

/* Flat: what it takes does not grow after the first third. */
static void mode_memory(void)
{
	long early;

	burn(seconds / 3);
	early = resident();
	burn(seconds * 2 / 3);

	long late = resident();

	fprintf(stderr, "memory: %ld KiB, later %ld KiB\n", early, late);
	if (late > early + 3072)
		PROBLEM("it grew from %ld to %ld KiB", early, late);
}

/* Until a signal comes. */
static void mode_forever(void)
{
	puts("running");
	for (;;)
		burn(1);
}

static void on_term(int sig)
{
	(void)sig;
	atomic_store(&stop, true);
}

static void mode_own_sigterm(void)
{
	signal(SIGTERM, on_term);
	puts("running");
	while (!atomic_load(&stop))
		burn(0.01);
	puts("the program's own way to end");
}

/* --- */

static void load(void)
{
	pyroscope_load("");
}

static const struct {
	const char *name;
	void (*run)(void);
	bool loads; /* by itself */
} modes[] = {
	{"plain", mode_plain, false},
	{"memory", mode_memory, false},
	{"forever", mode_forever, false},
	{"own-sigterm", mode_own_sigterm, true},
	{"errno", mode_errno, false},
	{"eintr", mode_eintr, false},
	{"handlers-before", mode_handlers_before, true},
	{"handlers-after", mode_handlers_after, false},
	{"signalfd", mode_signalfd, false},
	{"reset-signals", mode_reset_signals, false},
	{"blocked-threads", mode_blocked_threads, false},
	{"storm", mode_storm, false},
	{"exits", mode_exits, false},
	{"threads", mode_threads, false},
	{"locked", mode_locked, true},
	{"address-space", mode_address_space, true},
	{"small-altstack", mode_small_altstack, false},
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 2)
		seconds = atof(argv[2]);
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(*modes);
	     i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		if (!modes[i].loads)
			load();
		modes[i].run();
		if (atomic_load(&problems) == 0)
			puts("ok");
		return atomic_load(&problems) ? 1 : 0;
	}
	fprintf(stderr, "usage: harm MODE [SECONDS]\n");
	return 2;
}
