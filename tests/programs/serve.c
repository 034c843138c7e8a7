// SPDX-License-Identifier: Apache-2.0
/* serve.c - serve ADDRESS FILE: profiles to be fetched, until its input ends
 *
 * Has 512 blocks of 16 KiB from keep_memory(), burns in burn(), holds a lock in
 * hold_lock() that another thread wants in want_lock(). Prints what
 * pyroscope_listen() gives: for ADDRESS, again, and then what
 * pyroscope_profile_write() does for a second of CPU time into FILE. Reads p, and pauses
 * some types, or r, and resumes them. In the end it
 * does the same in a forked child, whose descriptors are its own by then. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pyroscope/pyroscope.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "program.h"

#define BLOCKS 512

static _Atomic bool stop;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *kept[BLOCKS];

NOINLINE static void burn(void)
{
	for (int i = 0; i < 1000000; i++)
		__asm__ volatile("");
}

NOINLINE static void keep_memory(void)
{
	for (int i = 0; i < BLOCKS; i++)
		kept[i] = memset(malloc(16384), 1, 16384);
}

NOINLINE static void hold_lock(void)
{
	pthread_mutex_lock(&mutex);
	usleep(20000);
	pthread_mutex_unlock(&mutex);
	__asm__ volatile("");
}

NOINLINE static void want_lock(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	__asm__ volatile("");
}

static void *burn_on(void *arg)
{
	while (!stop)
		burn();
	return arg;
}

static void *hold_on(void *arg)
{
	while (!stop) {
		hold_lock();
		usleep(1000);
	}
	return arg;
}

static void *want_on(void *arg)
{
	while (!stop) {
		want_lock();
		usleep(1000);
	}
	return arg;
}

static int write_profile(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = pyroscope_profile_write("cpu", 1, fd);

	close(fd);
	return err;
}

/* As a daemon does: all are closed, and what is opened has their numbers. */
static int run_child(const char *address)
{
	int ours[200], bad = 0, first;

	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	for (int i = 0; i < 200; i++)
		ours[i] = open("/dev/null", O_RDONLY);
	usleep(150000);
	first = pyroscope_listen(NULL);
	usleep(1000);
	for (int i = 0; i < 200; i++)
		bad += fcntl(ours[i], F_GETFD) < 0;
	return bad || first != 0 || pyroscope_listen(address) != -EADDRINUSE;
}

static int fork_with(pid_t (*fork_it)(void), const char *address)
{
	pid_t pid = fork_it();
	int status = -1;

	if (pid == 0)
		_exit(run_child(address));
	waitpid(pid, &status, 0);
	return status;
}

int main(int argc, char **argv)
{
	static void *(*const run[])(void *) = {burn_on, hold_on, want_on};
	pthread_t thread[3];
	char byte;

	if (argc != 3)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	pyroscope_load("");
	if (pyroscope_flush(0) != 0)
		return 1;
	printf("listen %d\n", pyroscope_listen(argv[1]));
	keep_memory();
	printf("again %d\n", pyroscope_listen(argv[1]));
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, run[i], NULL);
	printf("write %d\n", write_profile(argv[2]));
	printf("kind %d\n", pyroscope_profile_write("no such kind", 1, 1));
	while (read(0, &byte, 1) == 1)
		printf("%c %d\n", byte,
		       byte == 'p' ? pyroscope_pause("mutex,block_count")
				   : pyroscope_resume("mutex,block_count"));
	printf("fork %d\n", fork_with(fork, argv[1]));
	printf("_Fork %d\n", fork_with(_Fork, argv[1]));
	printf("stop %d\n", pyroscope_listen(NULL));
	printf("bad %d\n", pyroscope_listen("example.com:80"));
	printf("port %d\n", pyroscope_listen("127.0.0.1"));
	stop = true;
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < BLOCKS; i++)
		free(kept[i]);
	return 0;
}
