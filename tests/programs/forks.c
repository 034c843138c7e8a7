// SPDX-License-Identifier: Apache-2.0
/* forks.c - children of every kind, from a program that is sampled
 *
 *     forks MODE
 *
 * Children tell by their exit code what they saw. Exit code 0 and the line "ok"
 * if all was as it should be. Linked with the library, calls pyroscope_load();
 * preloaded, that call does nothing. */
#include <alloca.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "forking.h"

extern char **environ;

static _Atomic bool stop;

NOINLINE static void in_late_child(double for_s)
{
	burn(for_s);
	__asm__ volatile("" ::"i"(3));
}

/* Threads of this process. */
static int count_threads(void)
{
	int count = 0;
	DIR *dir = opendir("/proc/self/task");

	if (!dir)
		return -1;
	for (struct dirent *e; (e = readdir(dir));)
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}

/* The exit code, or 1000 + signal. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status)
				 : 1000 + WTERMSIG(status);
}

static void check(const char *what, int want, int got)
{
	if (want != got)
		PROBLEM("%s: wanted %d, got %d", what, want, got);
}

/* --- those that the library must not notice --- */

static void *burn_until_stopped(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop))
		in_parent(0.01);
	return NULL;
}

static void other_ways(int i)
{
	char *argv[] = {"sh", "-c", "exit 7", NULL};
	char line[64] = "";
	pid_t pid = vfork();

	if (pid == 0)
		_exit(3);
	check("vfork", 3, wait_for(pid));
	pid = vfork();
	if (pid == 0) {
		execv("/bin/sh", argv);
		_exit(99);
	}
	check("vfork and exec", 7, wait_for(pid));
	check("posix_spawn", 0,
	      posix_spawn(&pid, "/bin/sh", NULL, NULL, argv, environ));
	check("the spawned", 7, wait_for(pid));
	check("system", 4 << 8, system("exit 4"));

	FILE *f = popen("echo from popen", "r");

	if (!f || !fgets(line, sizeof(line), f) ||
	    strcmp(line, "from popen\n") != 0)
		PROBLEM("popen %d: '%s'", i, line);
	if (f)
		check("pclose", 0, pclose(f));
}

static void mode_spawn(void)
{
	pthread_t thread[2];

	for (int i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, burn_until_stopped, NULL);
	in_parent(0.1);
	for (int i = 0; i < 40; i++)
		other_ways(i);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	in_parent(0.1);
}

/* --- children that live on --- */

static pid_t raw_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* Dormant at first, alive after a hooked call when it is old enough. */
static int live_on(void)
{
	if (count_threads() != 1)
		return 20;
	usleep(1000);
	if (count_threads() != 1)
		return 21; /* too young */
	in_child(0.15);
	usleep(150000);
	usleep(1000); /* old enough */
	for (int i = 0; count_threads() < 2; i++) {
		if (i == 100)
			return 22;
		usleep(10000);
	}
	in_late_child(0.3);
	return 0;
}

static void children_that_live(pid_t (*make)(void))
{
	in_parent(0.1);
	for (int i = 0; i < 3; i++) {
		pid_t pid = make();

		if (pid == 0) {
			alarm(30);

			int code = live_on();

			if (code)
				_exit(code);
			exit(0);
		}
		check("child that lives", 0, wait_for(pid));
	}
	in_parent(0.1);
}

static void mode_fork(void)
{
	children_that_live(fork);
}

static void mode_underscore_fork(void)
{
	children_that_live(_Fork);
}

static void mode_clone(void)
{
	children_that_live(raw_fork);
}

/* In a handler of the child's, hooked calls wake nothing. */
static _Atomic int threads_in_handler;

static void on_alarm(int sig)
{
	char byte;
	int fds[2];

	(void)sig;
	if (pipe(fds) != 0 || write(fds[1], "x", 1) != 1 ||
	    read(fds[0], &byte, 1) != 1)
		_exit(30);
	usleep(1000);
	atomic_store(&threads_in_handler, count_threads());
	close(fds[0]);
	close(fds[1]);
}

static int read_in_handler(void)
{
	double end = now() + 0.3;

	signal(SIGUSR1, on_alarm);
	while (now() < end)
		;
	raise(SIGUSR1);
	if (atomic_load(&threads_in_handler) != 1)
		return 31;
	usleep(1000);
	for (int i = 0; count_threads() < 2; i++) {
		if (i == 100)
			return 32;
		usleep(10000);
	}
	return 0;
}

static void child_with_handler(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(30);
		exit(read_in_handler());
	}
	check("read in a handler", 0, wait_for(pid));
}

static void mode_handler(void)
{
	in_parent(0.1);
	child_with_handler();
}

/* Before there are tables to unwind by. */
static void mode_early_handler(void)
{
	child_with_handler();
}

static void *wait_for_revival(void *arg)
{
	double end = now() + 5;

	(void)arg;
	while (now() < end)
		if (count_threads() == 3)
			return NULL;
	return "the library's thread did not come";
}

static void ignore(int sig)
{
	(void)sig;
}

static int start_thread(size_t deeper)
{
	volatile char *below = alloca(deeper + 1);
	pthread_t thread;
	void *problem;

	below[0] = 0;
	if (pthread_create(&thread, NULL, wait_for_revival, NULL) != 0 ||
	    pthread_join(thread, &problem) != 0)
		return 33;
	return problem ? 34 : 0;
}

/* Forked before there are tables. A handler has returned, and what it left on the
 * stack lies somewhere below. */
static int start_thread_after_signal(size_t deeper)
{
	in_child(0.12);
	signal(SIGUSR1, ignore);
	raise(SIGUSR1);
	return start_thread(deeper);
}

/* At once: only the first moments are early. */
static void mode_early_thread(void)
{
	pid_t pid[8];

	for (int i = 0; i < 8; i++) {
		pid[i] = fork();
		if (pid[i] == 0) {
			alarm(30);
			exit(start_thread_after_signal((size_t)i * 512));
		}
	}
	for (int i = 0; i < 8; i++)
		check("a thread of an early child", 0, wait_for(pid[i]));
}

/* A worker that says itself that it wants to be profiled. */
static int ask_for_it(void)
{
	pyroscope_fork_child();
	pyroscope_fork_child();
	if (count_threads() < 2)
		return 40;
	in_late_child(0.3);
	return pyroscope_flush(0) == 0 ? 0 : 41;
}

static void mode_fork_child(void)
{
	static pid_t (*const make[])(void) = {fork, _Fork, raw_fork};

	in_parent(0.1);
	pyroscope_fork_child(); /* is no child */
	for (int i = 0; i < 3; i++) {
		pid_t pid = make[i]();

		if (pid == 0) {
			alarm(30);
			exit(ask_for_it());
		}
		check("fork_child", 0, wait_for(pid));
	}
}

/* There is no thread to be had at first. */
static int ask_in_vain(void)
{
	struct rlimit limit, none;

	getrlimit(RLIMIT_AS, &limit);
	none = (struct rlimit){.rlim_cur = 1 << 20, .rlim_max = limit.rlim_max};
	setrlimit(RLIMIT_AS, &none);
	pyroscope_fork_child();
	setrlimit(RLIMIT_AS, &limit);
	if (count_threads() != 1)
		return 42;
	return ask_for_it();
}

static void mode_fork_child_in_vain(void)
{
	pid_t pid;

	in_parent(0.1);
	pid = raw_fork(); /* fork would leave it a stack for a thread */
	if (pid == 0) {
		alarm(30);
		exit(ask_in_vain());
	}
	check("fork_child without a thread", 0, wait_for(pid));
}

/* Public calls in a child that is dormant: an answer, soon. */
static int call_everything(void)
{
	double began = now();

	pyroscope_flush(100);
	pyroscope_set_app_name("child");
	pyroscope_load("http://127.0.0.1:1");
	pyroscope_stop(100);
	return now() - began < 10 ? 0 : 50;
}

static void mode_calls(void)
{
	static pid_t (*const make[])(void) = {fork, _Fork, raw_fork};

	in_parent(0.1);
	for (int i = 0; i < 3; i++) {
		pid_t pid = make[i]();

		if (pid == 0) {
			alarm(30);
			exit(call_everything());
		}
		check("calls in a child", 0, wait_for(pid));
	}
}

/* A child of a child of a child. */
static int generation(int left)
{
	in_child(0.05);
	usleep(120000);
	usleep(1000);
	if (left == 0) {
		in_late_child(0.1);
		return 0;
	}

	pid_t pid = fork();

	if (pid == 0)
		exit(generation(left - 1));
	return wait_for(pid);
}

static void mode_generations(void)
{
	in_parent(0.05);

	pid_t pid = fork();

	if (pid == 0)
		exit(generation(3));
	check("generations", 0, wait_for(pid));
}

/* As a daemon does: the parent leaves at once, the child works. */
static void mode_daemon(void)
{
	if (daemon(1, 1) != 0)
		PROBLEM("daemon");
	in_child(0.05);
	usleep(150000);
	usleep(1000);
	in_late_child(0.3);
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
	{"spawn", mode_spawn},
	{"fork", mode_fork},
	{"_Fork", mode_underscore_fork},
	{"clone", mode_clone},
	{"handler", mode_handler},
	{"early-handler", mode_early_handler},
	{"early-thread", mode_early_thread},
	{"fork-child", mode_fork_child},
	{"fork-child-in-vain", mode_fork_child_in_vain},
	{"calls", mode_calls},
	{"generations", mode_generations},
	{"daemon", mode_daemon},
};

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; argc > 1 && i < sizeof(modes) / sizeof(*modes);
	     i++) {
		if (strcmp(argv[1], modes[i].name) != 0)
			continue;
		pyroscope_load("");
		modes[i].run();
		if (atomic_load(&problems) == 0)
			puts("ok");
		return atomic_load(&problems) ? 1 : 0;
	}
	fprintf(stderr, "usage: forks MODE\n");
	return 2;
}
