// SPDX-License-Identifier: Apache-2.0
/* heap_leaks.c - a known heap: what was allocated when, what was freed, and how
 * the program ends
 *
 *     heap_leaks [COUNT [WORD...]]
 *
 * keep_early() keeps COUNT (100) blocks of 1000 bytes; words are then done in
 * order: churn allocates and frees 200 blocks of 500; late keeps 30 of 2000;
 * fork does 50 of 300 in a child; wait sleeps 2.3 seconds; exec executes
 * true; kill dies. Prints "done" and ends with 7. It takes its time, so that no
 * sample is lost: of each block with COUNT up to 1000, else of one in 30. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))

/* For the compiler, which knows what malloc is for. */
static void *volatile kept;

static bool fast;

static void pause_ms(long ms)
{
	struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&pause, &pause) != 0)
		;
}

static NOINLINE void *block(size_t size)
{
	static int count;
	void **p = malloc(size);

	if (!p)
		abort();
	/* Sampled blocks of a burst are lost when nobody has time to look. */
	if (++count % (fast ? 500 : 10) == 0)
		pause_ms(10);
	*p = kept;
	return p;
}

/* Each has a frame of its own: the loop is no tail call. */
static NOINLINE void keep_early(long count)
{
	for (long i = 0; i < count; i++)
		kept = block(1000);
}

static NOINLINE void keep_late(void)
{
	for (int i = 0; i < 30; i++)
		kept = block(2000);
}

static NOINLINE void keep_in_child(void)
{
	for (int i = 0; i < 50; i++)
		kept = block(300);
}

static NOINLINE void churn(void)
{
	for (int i = 0; i < 200; i++) {
		void *volatile p = block(500);

		free(p);
	}
}

static void in_child(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		/* A child is worth a profile when it has worked a bit. */
		while (clock() < CLOCKS_PER_SEC / 20)
			;
		pause_ms(700);
		keep_in_child();
		exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void act(const char *word)
{
	if (!strcmp(word, "churn"))
		churn();
	else if (!strcmp(word, "late"))
		keep_late();
	else if (!strcmp(word, "fork"))
		in_child();
	else if (!strcmp(word, "wait"))
		pause_ms(2300);
	else if (!strcmp(word, "exec"))
		execlp("true", "true", (char *)NULL);
	else if (!strcmp(word, "kill"))
		kill(getpid(), SIGKILL);
	else
		exit(1);
}

int main(int argc, char **argv)
{
	long count = argc > 1 ? atol(argv[1]) : 100;

	void *volatile first;

	/* The profiler may need a moment on a busy machine, and a thread that is
	 * older than it looks for it every so many bytes. */
	pause_ms(500);
	first = malloc(100000);
	free(first);
	fast = count > 1000;
	keep_early(count);
	for (int i = 2; i < argc; i++)
		act(argv[i]);
	puts("done");
	return 7;
}
