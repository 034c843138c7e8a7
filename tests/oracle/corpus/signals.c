// SPDX-License-Identifier: Apache-2.0
/* signals.c - handlers: on the same and on alternate stacks, one in another,
 * struck at any instruction, left by siglongjmp */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "marker.h"

#define NOINLINE __attribute__((noinline))

static volatile unsigned sink;
static sigjmp_buf back;

static NOINLINE unsigned recurse(unsigned depth, unsigned x)
{
	return depth ? recurse(depth - 1, x + depth) * 3 + depth : x;
}

static void on_inner(int sig)
{
	sink += recurse(3, (unsigned)sig);
}

static void on_outer(int sig)
{
	sink += recurse(2, (unsigned)sig);
	raise(SIGUSR2);
	sink += recurse(2, (unsigned)sig);
}

static void on_jump(int sig)
{
	sink += recurse(2, (unsigned)sig);
	siglongjmp(back, 1);
}

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	sink += recurse(2, 1);
	siglongjmp(back, 1);
}

static void install(int sig, void (*handler)(int), int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	sigaction(sig, &action, NULL);
}

static NOINLINE void cases(void)
{
	static const int flags[][2] = {
		{0, 0},
		{SA_ONSTACK, 0},
		{0, SA_ONSTACK},
		{SA_ONSTACK, SA_ONSTACK},
		{SA_ONSTACK | SA_NODEFER, SA_RESTART},
	};

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		install(SIGUSR1, on_outer, flags[i][0]);
		install(SIGUSR2, on_inner, flags[i][1]);
		raise(SIGUSR1);
		install(SIGUSR1, on_jump, flags[i][0]);
		if (sigsetjmp(back, 1) == 0)
			raise(SIGUSR1);
	}
}

/* A function that faults at its first instruction. */
void faults_at_once(void);
__asm__(".text\n"
	".type faults_at_once, @function\n"
	"faults_at_once:\n"
	".cfi_startproc\n"
	"ud2\n"
	".cfi_endproc\n"
	".size faults_at_once, . - faults_at_once\n");

static NOINLINE void faults(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_fault;
	action.sa_flags = SA_SIGINFO | SA_ONSTACK;
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)8 = 1;
	if (sigsetjmp(back, 1) == 0)
		faults_at_once();
}

/* An interval that strikes anywhere. */
static NOINLINE void strikes(void)
{
	struct itimerval timer = {{0, 3000}, {0, 3000}};

	install(SIGALRM, on_inner, SA_ONSTACK);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (unsigned i = 0; i < 60; i++)
		sink += recurse(i % 20, i);
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
}

int main(void)
{
	static char in_data[65536];
	char here[32768];
	stack_t ss = {.ss_sp = in_data, .ss_size = sizeof(in_data)};

	MARKER();
	sigaltstack(&ss, NULL);
	cases();
	faults();
	strikes();
	/* And above the frames that are interrupted. */
	ss.ss_sp = here;
	ss.ss_size = sizeof(here);
	sigaltstack(&ss, NULL);
	cases();
	faults();
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	MARKER();
	return 0;
}
