// SPDX-License-Identifier: Apache-2.0
/* serve.c - serve ADDRESS FILE: profiles to be fetched, until its input ends
 *
 * Has 512 blocks of 16 KiB from keep_memory(), burns in burn(), holds a lock in
 * hold_lock() that another thread wants in want_lock(). Prints what
 * pyroscope_listen() gives: for ADDRESS, again, and then what
 * pyroscope_profile_write() does for a second of CPU time into FILE. Reads p, and pauses
 * some types, r, and resumes them, or w, and writes all the time of all threads for
 * five seconds into FILE. In the end it does the same in a forked child, whose
 * descriptors are its own by then. */
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
#define THREADS 4

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

/* What mix_on() has done so far. */
static _Atomic uint64_t mix_burnt_ns, mix_slept_ns;
static _Atomic int mix_interrupted;

NOINLINE static void mix_burn(void)
{
	double began = now();

	for (double end = cpu() + 0.003; cpu() < end;)
		for (int i = 0; i < 10000; i++)
			__asm__ volatile("");
	mix_burnt_ns += (uint64_t)((now() - began) * 1e9);
}

NOINLINE static void mix_sleep(void)
{
	struct timespec t = {0, 7000000};
	double began = now();

	mix_interrupted += nanosleep(&t, NULL) != 0;
	mix_slept_ns += (uint64_t)((now() - began) * 1e9);
}

static void *mix_on(void *arg)
{
	while (!stop) {
		mix_burn();
		mix_sleep();
	}
	return arg;
}

static int write_profile(const char *kind, unsigned seconds, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int err = pyroscope_profile_write(kind, seconds, fd);

	close(fd);
	return err;
}

/* And what a thread has done meanwhile. */
static void write_wall(const char *path)
{
	uint64_t burnt = mix_burnt_ns, slept = mix_slept_ns;
	int err = write_profile("wall", 5, path);

	printf("wall %d %llu %llu %d\n", err,
	       (unsigned long long)(mix_burnt_ns - burnt),
	       (unsigned long long)(mix_slept_ns - slept), mix_interrupted);
}

static void command(char byte, const char *path)
{
	if (byte == 'p')
		printf("p %d\n", pyroscope_pause("mutex,block_count"));
	else if (byte == 'r')
		printf("r %d\n", pyroscope_resume("mutex,block_count"));
	else
		write_wall(path);
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
	static const struct {
		void *(*run)(void *);
		const char *name;
	} all[] = {{burn_on, "burns"},
		   {hold_on, "holds"},
		   {want_on, "wants"},
		   {mix_on, "mixes"}};
	pthread_t thread[THREADS];
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
	for (int i = 0; i < THREADS; i++) {
		pthread_create(&thread[i], NULL, all[i].run, NULL);
		pthread_setname_np(thread[i], all[i].name);
	}
	printf("write %d\n", write_profile("cpu", 1, argv[2]));
	printf("kind %d\n", pyroscope_profile_write("no such kind", 1, 1));
	while (read(0, &byte, 1) == 1)
		command(byte, argv[2]);
	printf("fork %d\n", fork_with(fork, argv[1]));
	printf("_Fork %d\n", fork_with(_Fork, argv[1]));
	printf("stop %d\n", pyroscope_listen(NULL));
	printf("bad %d\n", pyroscope_listen("example.com:80"));
	printf("port %d\n", pyroscope_listen("127.0.0.1"));
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < BLOCKS; i++)
		free(kept[i]);
	return 0;
}
