// SPDX-License-Identifier: Apache-2.0
/* fork_storm.c - children of every kind from sixteen threads, while others do all
 * that the library looks at
 *
 *     fork_storm FORKS
 *
 * Each child that calls exit() writes a line "CHILD pid ns" with the CPU time that it
 * had then. Exit code 0 and the line "ok" if all ended as they should. */
#include <dlfcn.h>
#include <errno.h>
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
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#include "forking.h"

#define FORKERS 16
#define OTHERS 4

extern char **environ;

static _Atomic int left;
static _Atomic bool stop;
static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;

/* --- children: each returns its exit code --- */

static int use_libc(void)
{
	pthread_t thread;

	for (int i = 0; i < 50; i++)
		allocate(20000);
	return pthread_create(&thread, NULL, little_thread, NULL) != 0 ||
	       pthread_join(thread, NULL) != 0;
}

static int end_at_once(void)
{
	return 0;
}

static int live_on(void)
{
	in_child(0.12);
	usleep(1000);
	in_child(0.02);
	return use_libc();
}

static int ask_for_it(void)
{
	pyroscope_fork_child();
	in_child(0.02);
	pyroscope_flush(0);
	return use_libc();
}

static int stop_and_start(void)
{
	pyroscope_flush(0);
	pyroscope_stop(100);
	pyroscope_load("");
	in_child(0.02);
	return use_libc();
}

static int ended(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		if (errno != EINTR)
			return -1;
	return status;
}

static int fork_again(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(use_libc());
	return pid < 0 || ended(pid) != 0;
}

static int become_another(void)
{
	char *argv[] = {"true", NULL};

	execvp("true", argv);
	return 9;
}

/* No more than a signal handler may. */
static int be_careful(void)
{
	burn(0.11);
	usleep(1000);
	return 0;
}

static pid_t raw_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static const struct kind {
	const char *name;
	pid_t (*make)(void);
	int (*live)(void);
	bool exits; /* by exit() */
} kinds[] = {
	{"exit", fork, end_at_once, true},
	{"_exit", fork, end_at_once, false},
	{"use libc", fork, use_libc, true},
	{"live on", fork, live_on, true},
	{"fork again", fork, fork_again, true},
	{"exec", fork, become_another, false},
	{"fork_child", fork, ask_for_it, true},
	{"stop and start", fork, stop_and_start, false},
	{"_Fork", _Fork, be_careful, false},
	{"clone", raw_fork, be_careful, false},
};
#define KINDS (int)(sizeof(kinds) / sizeof(*kinds))

static void tell_and_exit(int code)
{
	char line[64];
	int len = snprintf(line, sizeof(line), "CHILD %d %.0f\n", (int)getpid(),
			   clock_s(CLOCK_PROCESS_CPUTIME_ID) * 1e9);

	if (write(STDOUT_FILENO, line, (size_t)len) != len)
		code = 8;
	exit(code);
}

static void fork_one(const struct kind *kind)
{
	pid_t pid = kind->make();
	int status;

	if (pid == 0) {
		alarm(60);

		int code = kind->live();

		if (kind->exits)
			tell_and_exit(code);
		_exit(code);
	}
	status = pid > 0 ? ended(pid) : -1;
	if (status != 0)
		PROBLEM("%s: status 0x%x", kind->name, (unsigned)status);
}

static void spawn_one(bool by_vfork)
{
	static char *argv[] = {"true", NULL};
	pid_t pid = -1;

	if (by_vfork) {
		pid = vfork();
		if (pid == 0)
			_exit(0);
	} else if (posix_spawnp(&pid, "true", NULL, NULL, argv, environ) != 0) {
		PROBLEM("posix_spawn");
		return;
	}
	if (ended(pid) != 0)
		PROBLEM("vfork or posix_spawn");
}

static void *fork_many(void *arg)
{
	int turn;

	(void)arg;
	while ((turn = atomic_fetch_sub(&left, 1)) > 0) {
		if (turn % (KINDS + 2) < KINDS)
			fork_one(&kinds[turn % (KINDS + 2)]);
		else
			spawn_one(turn % (KINDS + 2) == KINDS);
		in_parent(0.0005);
	}
	return NULL;
}

/* --- what goes on beside --- */

/* A static program cannot. */
static void load_and_unload(void)
{
#ifndef STATIC
	void *object = dlopen("libc.so.6", RTLD_NOW);

	if (object)
		dlclose(object);
#endif
}

static void *work(void *arg)
{
	struct pollfd none;

	(void)arg;
	while (!atomic_load(&stop)) {
		PYROSCOPE_LABELS_SCOPE("part", "work");
		pthread_mutex_lock(&contended);
		in_parent(0.0005);
		pthread_mutex_unlock(&contended);
		use_libc();
		poll(&none, 0, 1);

		load_and_unload();
	}
	return NULL;
}

static void *drive(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		usleep(200000);
		pyroscope_flush(0);
		usleep(200000);
		pyroscope_stop(200);
		usleep(1000);
		pyroscope_load("");
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[FORKERS + OTHERS];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		return 2;
	atomic_store(&left, atoi(argv[1]));
	pyroscope_lock_name(&contended, "contended");
	pyroscope_load("");
	for (int i = 0; i < FORKERS + OTHERS; i++)
		pthread_create(&thread[i], NULL,
			       i < FORKERS   ? fork_many
			       : i > FORKERS ? work
					     : drive,
			       NULL);
	for (int i = 0; i < FORKERS; i++)
		pthread_join(thread[i], NULL);
	atomic_store(&stop, true);
	for (int i = FORKERS; i < FORKERS + OTHERS; i++)
		pthread_join(thread[i], NULL);
	if (atomic_load(&problems) == 0)
		puts("ok");
	return atomic_load(&problems) ? 1 : 0;
}
