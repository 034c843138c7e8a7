// SPDX-License-Identifier: Apache-2.0
/* fork_points.c - fork while another thread stands at a certain point of the library
 *
 *     fork_points UNLOCK POINT...
 *
 * UNLOCK is where pyro_mutex_unlock lies in libpyroscope.so; a POINT is NAME=OFFSET
 * of a function there, or NAME=#RANK for a lock, which is held when it is about to be
 * unlocked. A tracer, which this program forks itself from, puts a breakpoint there
 * and leaves the thread that meets it where it is. Then the main thread forks in
 * every way, and the children do what children do. x86_64. Exit code 0 and "ok" if
 * all was as it should be. */
#if !defined(__x86_64__)

int main(void)
{
	return 2;
}

#else

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "forking.h"

#define RANK_AT 4 /* in struct pyro_mutex */
#define REACH_S 20
#define FORKS_S 60

extern char **environ;

/* Between the two. */
static struct shared {
	_Atomic int attached, go, done, quit;
	_Atomic long problems;
} * shared;

static _Atomic bool stop;

/* free(malloc()) is left out by compilers. */
/* --- what the children do --- */

static int count_threads(void)
{
	char buf[4096];
	int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY), count = 0;
	long n;

	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n; at += *(uint16_t *)(buf + at + 16))
			count += buf[at + 19] != '.';
	close(fd);
	return count;
}

/* The parent's would keep its port for as long as the child lives. */
static bool has_listening_socket(void)
{
	int listens = 0;
	socklen_t size = sizeof(listens);

	for (int fd = 3; fd < 1024; fd++)
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens,
			       &size) == 0 &&
		    listens)
			return true;
	return false;
}

static int start_thread(void)
{
	pthread_t thread;

	allocate(100000);
	return pthread_create(&thread, NULL, little_thread, NULL) != 0 ||
	       pthread_join(thread, NULL) != 0;
}

static void start_profiling(void)
{
	pyroscope_load("http://127.0.0.1:9"); /* discard */
}

/* Lives on, and uses the library. */
static int use_everything(void)
{
	if (start_thread())
		return 10;
	burn(0.12);
	usleep(1000);
	if (start_thread())
		return 11;
	if (has_listening_socket())
		return 15;
	pyroscope_set_app_name("child");
	pyroscope_lock_name(&stop, "a lock");
	pyroscope_flush(100);
	pyroscope_stop(100);
	start_profiling();
	usleep(20000);
	if (count_threads() < 2)
		return 12;
	if (start_thread())
		return 13;
	pyroscope_stop(100);
	return 0;
}

static int end_soon(void)
{
	return has_listening_socket() ? 15 : start_thread();
}

/* The threads of the parent are gone with libc's locks: no more is allowed there than
 * in a signal handler, so nothing may happen that is more. */
static int be_careful(void)
{
	burn(0.12);
	usleep(1000);
	usleep(1000);
	return count_threads() == 1 ? 0 : 14;
}

static pid_t raw_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* --- the traced program --- */

static void child_ended(const char *kind, pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			break;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		PROBLEM("%s: status 0x%x", kind, status);
}

static void fork_in_every_way(void)
{
	static const struct {
		const char *name;
		pid_t (*make)(void);
		int (*live)(void);
		bool exits;
	} kinds[] = {
		{"a child that lives on", fork, use_everything, true},
		{"a child that exits", fork, end_soon, true},
		{"a child that calls _exit", fork, end_soon, false},
		{"a child of _Fork", _Fork, be_careful, false},
		{"a child of clone", raw_fork, be_careful, false},
	};
	enum {
		KINDS = sizeof(kinds) / sizeof(*kinds)
	};
	static char *argv[] = {"true", NULL};
	pid_t pid[KINDS], other;

	for (int i = 0; i < KINDS; i++) {
		pid[i] = kinds[i].make();
		if (pid[i] == 0) {
			alarm(30);

			int code = kinds[i].live();

			if (kinds[i].exits)
				exit(code);
			_exit(code);
		}
	}
	other = vfork();
	if (other == 0)
		_exit(0);
	child_ended("vfork", other);
	if (posix_spawnp(&other, "true", NULL, NULL, argv, environ) != 0)
		PROBLEM("posix_spawn");
	child_ended("posix_spawn", other);
	for (int i = 0; i < KINDS; i++)
		child_ended(kinds[i].name, pid[i]);
}

static void on_log(int level, const char *text, void *arg)
{
	(void)level;
	(void)text;
	atomic_fetch_add((_Atomic int *)arg, 1);
}

/* Starts and stops, and all that takes locks. */
static void *drive(void *arg)
{
	static _Atomic int lines;
	int null = open("/dev/null", O_WRONLY);

	(void)arg;
	while (!atomic_load(&stop)) {
		pyroscope_set_log(on_log, &lines);
		pyroscope_set_app_name("points");
		start_profiling();
		usleep(30000);
		pyroscope_profile_write("heap", 0, null);
		pyroscope_flush(0);
		usleep(30000);
		pyroscope_flush(50);
		pyroscope_stop(50);
	}
	close(null);
	return NULL;
}

/* At a port that nobody else is given meanwhile. */
static void *serve(void *arg)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	char address[32];

	(void)arg;
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	bind(fd, (struct sockaddr *)&at, size);
	getsockname(fd, (struct sockaddr *)&at, &size);
	snprintf(address, sizeof(address), ":%u", ntohs(at.sin_port));
	while (!atomic_load(&stop)) {
		pyroscope_listen(address);
		usleep(10000);
		pyroscope_listen(NULL);
	}
	close(fd);
	return NULL;
}

static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg)
{
	struct pollfd none;
	pthread_t thread;

	(void)arg;
	while (!atomic_load(&stop)) {
		PYROSCOPE_LABELS_SCOPE("part", "work");
		pthread_mutex_lock(&contended);
		burn(0.0005);
		pthread_mutex_unlock(&contended);
		for (int i = 0; i < 20; i++)
			allocate(20000);
		poll(&none, 0, 1);
		if (pthread_create(&thread, NULL, little_thread, NULL) == 0)
			pthread_join(thread, NULL);
		/* It stays: libc's exit handlers are locked while an object
		 * goes, and for ever in who is forked then. */
		void *object = dlopen("libc.so.6", RTLD_NOW);

		if (object)
			dlclose(object);
	}
	return NULL;
}

static void traced_main(void)
{
	static void *(*const run[])(void *) = {drive, serve, work, work, work};
	pthread_t thread[5];
	int seen = 0;

	while (!atomic_load(&shared->attached))
		usleep(1000);
	pyroscope_lock_name(&contended, "contended");
	for (int i = 0; i < 5; i++)
		pthread_create(&thread[i], NULL, run[i], NULL);
	while (!atomic_load(&shared->quit)) {
		usleep(500);
		if (atomic_load(&shared->go) == seen)
			continue;
		seen++;
		fork_in_every_way();
		atomic_store(&shared->problems, atomic_load(&problems));
		atomic_store(&shared->done, seen);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 5; i++)
		pthread_join(thread[i], NULL);
	pyroscope_stop(100);
	exit(0);
}

/* --- the tracer --- */

static pid_t traced;
static uintptr_t library, unlock_at;

struct point {
	const char *name;
	uintptr_t at;
	int rank; /* -1: any caller */
};

static struct breakpoint {
	uintptr_t at; /* the last one, also when it is gone */
	unsigned char byte;
	bool set;
} breakpoint;

static void poke(uintptr_t at, unsigned char byte)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)traced);
	fd = open(path, O_WRONLY);
	if (pwrite(fd, &byte, 1, (off_t)at) != 1)
		PROBLEM("cannot write into the program: %s", strerror(errno));
	close(fd);
}

static void set_breakpoint(uintptr_t at)
{
	breakpoint = (struct breakpoint){
		at, *(const unsigned char *)at /* ours is the same */, true};
	poke(at, 0xcc);
}

static void clear_breakpoint(void)
{
	poke(breakpoint.at, breakpoint.byte);
	breakpoint.set = false;
}

static void go_on(pid_t tid, int sig)
{
	ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)sig);
}

/* Over the instruction of the breakpoint, by itself. */
static void step_over(pid_t tid)
{
	int status, sig = 0;

	poke(breakpoint.at, breakpoint.byte);
	do {
		ptrace(PTRACE_SINGLESTEP, tid, NULL, (void *)(intptr_t)sig);
		if (waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status))
			return;
		sig = WSTOPSIG(status);
	} while (sig != SIGTRAP);
	poke(breakpoint.at, 0xcc);
}

static bool is_wanted(pid_t tid, const struct user_regs_struct *regs,
		      const struct point *point)
{
	int rank = -1;
	struct iovec to = {&rank, sizeof(rank)};
	struct iovec from = {(void *)(regs->rdi + RANK_AT), sizeof(rank)};

	if (tid == traced)
		return false;
	if (point->rank < 0)
		return true;
	return process_vm_readv(traced, &to, 1, &from, 1, 0) == sizeof(rank) &&
	       rank == point->rank;
}

/* A thread has stopped. True: at the point, where it stays. */
static bool is_there(pid_t tid, int status, const struct point *point)
{
	struct user_regs_struct regs;
	int sig = WSTOPSIG(status);

	if (status >> 16) { /* a new thread, or its parent */
		go_on(tid, 0);
		return false;
	}
	if (sig != SIGTRAP || ptrace(PTRACE_GETREGS, tid, NULL, &regs) != 0 ||
	    regs.rip != breakpoint.at + 1) {
		go_on(tid, sig);
		return false;
	}
	regs.rip--;
	ptrace(PTRACE_SETREGS, tid, NULL, &regs);
	if (breakpoint.set && point && is_wanted(tid, &regs, point)) {
		clear_breakpoint();
		return true;
	}
	if (breakpoint.set)
		step_over(tid);
	go_on(tid, 0);
	return false;
}

/* Whoever stops is let go on, until one is at the point (its number), or *word is
 * wanted (0), or it takes too long (-1). */
static pid_t watch(const struct point *point, _Atomic int *word, int wanted,
		   double for_s)
{
	double end = now() + for_s;

	while (now() < end) {
		int status;
		pid_t tid;

		if (word && atomic_load(word) == wanted)
			return 0;
		tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid <= 0) {
			usleep(100);
			continue;
		}
		if (!WIFSTOPPED(status)) {
			if (tid != traced)
				continue;
			if (status != 0)
				PROBLEM("the program ended: 0x%x", status);
			traced = 0;
			return -1;
		}
		if (is_there(tid, status, point))
			return tid;
	}
	return -1;
}

static void fork_there(const struct point *point, int turn)
{
	long before = atomic_load(&shared->problems);
	double began = now(), reached;
	pid_t there;

	set_breakpoint(point->at);
	there = watch(point, NULL, 0, REACH_S);
	reached = now();
	if (there < 0) {
		clear_breakpoint();
		PROBLEM("%s: no thread came there", point->name);
		return;
	}
	atomic_store(&shared->go, turn);
	if (watch(NULL, &shared->done, turn, FORKS_S) != 0)
		PROBLEM("%s: fork, or a child, does not return", point->name);
	else if (atomic_load(&shared->problems) != before)
		PROBLEM("%s: see above", point->name);
	go_on(there, 0);
	printf("%s: there after %.2f s, done after %.2f s\n", point->name,
	       reached - began, now() - began);
}

static int see_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	if (!strstr(info->dlpi_name, "libpyroscope.so"))
		return 0;
	library = info->dlpi_addr;
	return 1;
}

static struct point parse(char *text)
{
	char *value = strchr(text, '=');
	struct point point = {text, 0, -1};

	if (!value)
		return point;
	*value++ = '\0';
	if (*value == '#') {
		point.rank = atoi(value + 1);
		point.at = unlock_at;
	} else {
		point.at = library + strtoul(value, NULL, 16);
	}
	return point;
}

static void attach(void)
{
	if (ptrace(PTRACE_SEIZE, traced, NULL,
		   (void *)(PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)) != 0)
		PROBLEM("ptrace: %s", strerror(errno));
	atomic_store(&shared->attached, 1);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	dl_iterate_phdr(see_library, NULL);
	if (shared == MAP_FAILED || !library || argc < 3)
		return 2;
	unlock_at = library + strtoul(argv[1], NULL, 16);
	traced = fork();
	if (traced == 0)
		traced_main();
	attach();
	for (int i = 2; i < argc && traced; i++) {
		struct point point = parse(argv[i]);

		fork_there(&point, i - 1);
	}
	atomic_store(&shared->quit, 1);
	if (traced && watch(NULL, NULL, 0, FORKS_S) < 0 && traced) {
		PROBLEM("the program does not end");
		kill(traced, SIGKILL);
	}
	if (atomic_load(&problems) == 0)
		puts("ok");
	return atomic_load(&problems) ? 1 : 0;
}

#endif
