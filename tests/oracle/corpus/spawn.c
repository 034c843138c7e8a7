// SPDX-License-Identifier: Apache-2.0
/* spawn.c - fork, vfork and what is made of them */
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "marker.h"

extern char **environ;

static __attribute__((noinline)) int by_vfork(int status)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(status);
	waitpid(pid, &status, 0);
	return status;
}

static __attribute__((noinline)) int by_fork(int status)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	waitpid(pid, &status, 0);
	return status;
}

static __attribute__((noinline)) int by_spawn(void)
{
	char *argv[] = {"true", NULL};
	pid_t pid;
	int status = 0;

	if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0)
		waitpid(pid, &status, 0);
	return status;
}

int main(void)
{
	MARKER();

	int status = by_vfork(3) + by_fork(4) + by_spawn();
	FILE *out = popen("true", "r");

	if (out)
		pclose(out);
	status += system("true");
	MARKER();
	return status ? 0 : 1;
}
