// SPDX-License-Identifier: Apache-2.0
/* review.c - what once went wrong and was found by reading: one case an argument
 *
 * Each prints "ok" and exits 0; a hang ends by alarm, a crash by itself. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

#define NOBODY "http://127.0.0.1:9"

pid_t _Fork(void);

static atomic_int in_destructor;

static void slow_destructor(void *arg)
{
	(void)arg;
	atomic_store(&in_destructor, 1);
	usleep(300000);
}

static void *set_key(void *arg)
{
	pthread_setspecific(*(pthread_key_t *)arg, arg);
	return NULL;
}

/* setuid asks every thread by a signal of libc's own: one that runs the
 * destructors of its keys must still answer. */
static int setuid_while_a_thread_exits(void)
{
	pthread_key_t key;
	pthread_t thread;

	pyroscope_load(NOBODY);
	usleep(300000);
	pthread_key_create(&key, slow_destructor);
	pthread_create(&thread, NULL, set_key, &key);
	while (!atomic_load(&in_destructor))
		usleep(1000);
	return setuid(getuid()) | pthread_join(thread, NULL);
}

static int status_of(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return status;
}

/* The page of the on-word was wiped, and nobody had set it up again. */
static int child_starts_what_its_parent_stopped(void)
{
	pyroscope_load(NOBODY);
	usleep(300000);
	pyroscope_stop(100);

	pid_t pid = fork();

	if (pid == 0) {
		pyroscope_load(NOBODY);
		for (int i = 0; i < 400; i++)
			usleep(1000);
		pyroscope_stop(100);
		_exit(0);
	}
	return status_of(pid);
}

/* _Fork runs no fork handlers: there is no collector that stop could wait
 * for. */
static int stop_in_a_dormant_child(void)
{
	pyroscope_load(NOBODY);
	usleep(300000);

	pid_t pid = _Fork();

	if (pid == 0) {
		time_t begin = time(NULL);
		int err = pyroscope_stop(0);

		_exit(err != 0 || time(NULL) - begin > 1);
	}
	return status_of(pid);
}

/* The first hooked call of the process, in a thread that a constructor waits
 * for while dlopen holds the loader's lock. */
static int dlopen_waits_for_a_thread(const char *library)
{
	return dlopen(library, RTLD_NOW) == NULL;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	int bad = 1;

	alarm(20);
	if (strcmp(name, "setuid") == 0)
		bad = setuid_while_a_thread_exits();
	else if (strcmp(name, "restart") == 0)
		bad = child_starts_what_its_parent_stopped();
	else if (strcmp(name, "dormant") == 0)
		bad = stop_in_a_dormant_child();
	else if (strcmp(name, "dlopen") == 0 && argc > 2)
		bad = dlopen_waits_for_a_thread(argv[2]);
	puts(bad ? "FAIL" : "ok");
	return bad != 0;
}
