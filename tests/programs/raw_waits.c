// SPDX-License-Identifier: Apache-2.0
/* raw_waits.c - threads in system calls that no hook is around, so that no frame
 * further in has saved rbp
 *
 * Functions that return early, call with arguments on the stack, and have frames
 * of several sizes. The library, if there is one, looks at them when all are
 * there. */
#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "program.h"

static int word;

NOINLINE static long wait_futex(volatile int *argument)
{
	char room[256];

	memset(room, *argument, sizeof(room));
	return syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0) +
	       room[*argument] + 1;
}

NOINLINE static long wait_pause(volatile int *argument)
{
	if (*argument == 1)
		return 7; /* an epilogue before the call */
	if (*argument == 2)
		return wait_futex(argument) + 2;
	return pause() + 1;
}

NOINLINE static long many(volatile int *a, long b, long c, long d, long e,
			  long f, long g, long h)
{
	return b + c + d + e + f + g + h + wait_pause(a);
}

NOINLINE static long wait_below(volatile int *argument)
{
	long numbers[40];

	memset(numbers, *argument, sizeof(numbers));
	return many(argument, numbers[*argument], 1, 2, 3, 4, 5, 6) +
	       numbers[1];
}

static void *wait_here(void *arg)
{
	volatile int argument = (int)(intptr_t)arg;

	return (void *)wait_below(&argument);
}

int main(void)
{
	int (*flush)(uint32_t) =
		(int (*)(uint32_t))dlsym(RTLD_DEFAULT, "pyroscope_flush");
	pthread_t thread;

	for (intptr_t i = 0; i < 8; i++)
		if (pthread_create(&thread, NULL, wait_here,
				   (void *)(i % 2 * 2)) != 0)
			return 1;
	usleep(300000);
	return flush && flush(10000) != 0;
}
