// SPDX-License-Identifier: Apache-2.0
/* coroutines.c - stacks that are no thread's own, as two libraries make them
 *
 * makecontext() and boost.context, on memory from mmap and from malloc, told to
 * the profiler and not: each burns CPU time some calls deep in a function of its
 * own name (context_ or boost_, then mapped or malloced, told or not), yields in
 * between, and burns in a frame whose frame pointer is garbage. Prints the CPU
 * milliseconds of each whole one, "ok" and exits with 0 if all came back. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#include <pyroscope/pyroscope.h>

#include "program.h"

#define KEEP_FRAME() __asm__ volatile("" ::: "memory")
#define STACK_BYTES ((size_t)64 << 10)
#define TURNS 4

/* boost/context/detail/fcontext.hpp, which is C++. */
struct transfer {
	void *from, *data;
};
extern struct transfer jump_fcontext(void *to, void *data);
extern void *make_fcontext(void *stack_end, size_t size,
			   void (*fn)(struct transfer));

NOINLINE static void burn(double seconds)
{
	double end = cpu() + seconds;

	while (cpu() < end)
		for (int i = 0; i < 10000; i++)
			__asm__ volatile("");
}

NOINLINE static void deeper(int depth)
{
	if (depth == 0)
		burn(0.05);
	else
		deeper(depth - 1);
	KEEP_FRAME();
}

struct coroutine {
	bool is_boost;
	void (*work)(void);
	ucontext_t own, caller;
	void *peer; /* boost: where to jump */
	int turns;
};
static struct coroutine *running;

static void yield(struct coroutine *c)
{
	if (c->is_boost)
		c->peer = jump_fcontext(c->peer, NULL).from;
	else
		swapcontext(&c->own, &c->caller);
}

NOINLINE static void run_turns(struct coroutine *c)
{
	static const uintptr_t fp[TURNS] = {0, 64, 0x7fffffff0000, UINTPTR_MAX};

	for (; c->turns < TURNS; c->turns++) {
		c->work();
		burn_with_fp(fp[c->turns] + (uintptr_t)c->turns, 100, 20000000);
		yield(c);
	}
}

static void context_main(void)
{
	run_turns(running);
}

static void boost_main(struct transfer t)
{
	struct coroutine *c = t.data;

	c->peer = t.from;
	run_turns(c);
	jump_fcontext(c->peer, NULL);
}

static void start(struct coroutine *c, char *stack)
{
	if (c->is_boost) {
		c->peer = make_fcontext(stack + STACK_BYTES, STACK_BYTES,
					boost_main);
		return;
	}
	getcontext(&c->own);
	c->own.uc_stack.ss_sp = stack;
	c->own.uc_stack.ss_size = STACK_BYTES;
	c->own.uc_link = &c->caller;
	makecontext(&c->own, context_main, 0);
}

static void resume(struct coroutine *c)
{
	running = c;
	if (c->is_boost)
		c->peer = jump_fcontext(c->peer, c).from;
	else
		swapcontext(&c->caller, &c->own);
}

#define WORK(name)                      \
	NOINLINE static void name(void) \
	{                               \
		deeper(8);              \
		KEEP_FRAME();           \
	}
WORK(context_mapped)
WORK(context_mapped_told)
WORK(context_malloced)
WORK(context_malloced_told)
WORK(boost_mapped)
WORK(boost_mapped_told)
WORK(boost_malloced)
WORK(boost_malloced_told)
static void (*const work[])(void) = {
	context_mapped,        context_mapped_told, context_malloced,
	context_malloced_told, boost_mapped,        boost_mapped_told,
	boost_malloced,        boost_malloced_told,
};

static bool run_one(unsigned kind)
{
	struct coroutine c = {.is_boost = kind & 4, .work = work[kind]};
	bool malloced = kind & 2, told = kind & 1;
	char *stack = malloced ? malloc(STACK_BYTES)
			       : mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (told && pyroscope_stack_register(stack, STACK_BYTES) != 0)
		return false;
	start(&c, stack);
	for (int i = 0; i < TURNS + 1; i++)
		resume(&c);
	if (told)
		pyroscope_stack_unregister(stack);
	if (malloced)
		free(stack);
	else
		munmap(stack, STACK_BYTES);
	return c.turns == TURNS;
}

int main(void)
{
	pyroscope_load("");
	for (unsigned kind = 0; kind < 8; kind++) {
		if (!run_one(kind)) {
			printf("coroutine %u did not end\n", kind);
			return 1;
		}
	}
	puts("ok");
	return 0;
}
