// SPDX-License-Identifier: Apache-2.0
/* forks.c - a profiled program with a forked child that works too
 *
 *     forks ADDRESS call|thread SECONDS
 *
 * The parent works in in_parent, the child in in_child. The child is profiled
 * because it asks to be ("call"), or because it starts a thread after it has
 * lived for a while ("thread"). Prints "child PID" and both CPU times, first
 * the child's. */
#include "work.h"

#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds;

WORK_VISIBLE void *in_child(void *unused);
WORK_VISIBLE void in_parent(void);

void *in_child(void *unused)
{
	work_run(seconds, 1);
	/* Keeps the frame: no tail call. */
	__asm__ volatile("" ::: "memory");
	return unused;
}

void in_parent(void)
{
	work_run(seconds, 1);
	__asm__ volatile("" ::: "memory");
}

static int run_child(const char *how)
{
	const struct timespec while_ns = {0, 300000000};
	pthread_t id;

	printf("child %d\n", (int)getpid());
	if (!strcmp(how, "call")) {
		pyroscope_fork_child();
		in_child(NULL);
	} else {
		nanosleep(&while_ns, NULL);
		if (pthread_create(&id, NULL, in_child, NULL))
			return 1;
		pthread_join(id, NULL);
	}
	work_report();
	return 0;
}

int main(int argc, char **argv)
{
	int status = 0;
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "usage: forks ADDRESS call|thread SECONDS\n");
		return 2;
	}
	seconds = atof(argv[3]);
	pyroscope_load(argv[1]);
	pid = fork();
	if (pid < 0)
		return 1;
	if (pid == 0)
		return run_child(argv[2]);
	in_parent();
	if (waitpid(pid, &status, 0) != pid || status != 0)
		return 1;
	work_report();
	return 0;
}
