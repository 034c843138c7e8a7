// SPDX-License-Identifier: Apache-2.0
/* bench_unwind.c - what a stack walk costs, ours and others', in one run
 *
 * Stacks of 10, 40 and 100 frames of functions that lie in pages of their own
 * and keep no frame pointer (but for the walk that needs them). Hot: the same
 * walk again and again. Cold: once, after 32 MiB of other memory were touched,
 * as the program does between two samples. The ways take turns; medians.
 * "signal" is a whole sample as the kernel delivers it, by rt_tgsigqueueinfo
 * with a timer's si_code, less that call to an ignored signal.
 *
 * "In a handler" is the walk from a real signal frame at depth 36 as samples
 * find it: caches cold, medians and 99th percentiles of many. */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cost.h"
#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "bench/bench.h"
#include "image/modules.h"
#include "source/cpu_handler.h"

#define ROUNDS 51
#define BATCH 50
#define COLD_BYTES ((size_t)32 << 20)
#define FRAMES_MAX 128

typedef size_t walk_fn(void);

static uint64_t pcs[FRAMES_MAX];
static void *pointers[FRAMES_MAX];
static struct pyro_stack stack;
static struct pyro_thread *self;
static unsigned char *cold_memory;

/* --- the ways to walk --- */

/* Such a function has a frame pointer. */
#define USE_FRAME __asm__ volatile("" ::"r"(__builtin_frame_address(0)))

static size_t walk_pyro(void)
{
	struct pyro_regs regs = {0};
	struct pyro_walk walk;

	PYRO_REGS_HERE(&regs);
	return pyro_unwind_regs(pyro_modules_current(), &regs, stack, pcs,
				FRAMES_MAX, &walk);
}

static size_t frame_pointers_from(const uintptr_t *fp)
{
	size_t count = 0;

	while (count < FRAMES_MAX && (uintptr_t)fp >= stack.lo &&
	       (uintptr_t)fp < stack.hi - 16 && (uintptr_t)fp % 8 == 0) {
		const uintptr_t *next = (const uintptr_t *)fp[0];

		pcs[count++] = fp[1] - 1;
		if (next <= fp)
			break;
		fp = next;
	}
	return count;
}

static size_t walk_frame_pointers(void)
{
	return frame_pointers_from(__builtin_frame_address(0));
}

/* libc's own: libunwind exports the name as well. */
static int (*libc_backtrace)(void **, int);

static size_t walk_backtrace(void)
{
	return (size_t)libc_backtrace(pointers, FRAMES_MAX);
}

static size_t walk_unw_backtrace(void)
{
	return (size_t)unw_backtrace(pointers, FRAMES_MAX);
}

static size_t walk_unw_step(void)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unw_word_t pc;
	size_t count = 0;

	unw_getcontext(&context);
	unw_init_local(&cursor, &context);
	while (count < FRAMES_MAX && unw_step(&cursor) > 0) {
		unw_get_reg(&cursor, UNW_REG_IP, &pc);
		pcs[count++] = pc;
	}
	return count;
}

/* A timer's signal cannot be told from this one. */
static void send(int sig)
{
	siginfo_t info;

	USE_FRAME;
	memset(&info, 0, sizeof(info));
	info.si_signo = sig;
	info.si_code = SI_TIMER;
	info.si_value.sival_ptr = self;
	syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), sig, &info);
}

static size_t signal_pyro(void)
{
	send(SIGPROF);
	return 0;
}

static size_t signal_nothing(void)
{
	send(SIGVTALRM);
	return 0;
}

static size_t signal_ignored(void)
{
	send(SIGWINCH);
	return 0;
}

static void do_nothing(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
}

/* --- stacks to walk --- */

struct job {
	walk_fn *walk;
	bool cold;
	bool once;
	double ns;
	size_t frames;
};

typedef void link_fn(struct job *job, unsigned depth);

static void evict(void)
{
	for (size_t i = 0; i < COLD_BYTES; i += 64)
		cold_memory[i]++;
}

static void measure(struct job *job)
{
	int times = job->cold || job->once ? 1 : BATCH;
	double begin, empty;

	/* Keeps the chain of frame pointers whole. */
	USE_FRAME;
	if (job->cold)
		evict();
	empty = now_ns();
	begin = now_ns();
	for (int i = 0; i < times; i++)
		job->frames = job->walk();
	job->ns = (now_ns() - begin - (begin - empty)) / times;
}

#define LINKS 16
static link_fn *const plain_links[LINKS], *const fp_links[LINKS];

/* Each in a page of its own, with a frame of its own size. */
#define DEFINE_LINK(kind, n, use)                                          \
	__attribute__((noinline, aligned(4096))) static void kind##n(      \
		struct job *job, unsigned depth)                           \
	{                                                                  \
		volatile char room[8 + 24 * n];                            \
                                                                           \
		room[0] = (char)depth;                                     \
		use;                                                       \
		if (depth > 1)                                             \
			kind##_links[(depth - 1) % LINKS](job, depth - 1); \
		else                                                       \
			measure(job);                                      \
		room[1] = room[0];                                         \
		__asm__ volatile("" ::: "memory");                         \
	}
#define FOR_LINKS(X, kind, use) \
	X(kind, 0, use)         \
	X(kind, 1, use)         \
	X(kind, 2, use)         \
	X(kind, 3, use)         \
	X(kind, 4, use)         \
	X(kind, 5, use)         \
	X(kind, 6, use)         \
	X(kind, 7, use)         \
	X(kind, 8, use)         \
	X(kind, 9, use)         \
	X(kind, 10, use)        \
	X(kind, 11, use)        \
	X(kind, 12, use)        \
	X(kind, 13, use)        \
	X(kind, 14, use)        \
	X(kind, 15, use)
FOR_LINKS(DEFINE_LINK, plain, (void)0)
FOR_LINKS(DEFINE_LINK, fp, USE_FRAME)
#define NAME_LINK(kind, n, use) kind##n,
static link_fn *const plain_links[LINKS] = {FOR_LINKS(NAME_LINK, plain, )};
static link_fn *const fp_links[LINKS] = {FOR_LINKS(NAME_LINK, fp, )};

/* --- the table --- */

static const struct way {
	const char *name;
	walk_fn *walk;
	link_fn *const *links;
} ways[] = {
	{"pyroscope", walk_pyro, plain_links},
	{"frame pointers", walk_frame_pointers, fp_links},
	{"backtrace()", walk_backtrace, plain_links},
	{"unw_backtrace, cached", walk_unw_backtrace, plain_links},
	{"unw_step", walk_unw_step, plain_links},
	{"signal, ours", signal_pyro, plain_links},
	{"signal, empty handler", signal_nothing, plain_links},
	{"signal, ignored", signal_ignored, plain_links},
};
#define WAYS PYRO_COUNT_OF(ways)

static void forget(void *arg, const struct pyro_record *record)
{
	size_t *frames = arg;

	*frames = record->depth;
}

static void compare(unsigned depth)
{
	static double hot[WAYS][ROUNDS], cold[WAYS][ROUNDS];
	size_t frames[WAYS];
	double base_hot, base_cold;

	for (int r = 0; r < ROUNDS; r++) {
		for (size_t w = 0; w < 2 * WAYS; w++) {
			struct job job = {
				.walk = ways[w / 2].walk,
				.cold = w % 2,
			};

			ways[w / 2].links[depth % LINKS](&job, depth);
			(job.cold ? cold : hot)[w / 2][r] = job.ns;
			pyro_slots_sweep(forget, &job.frames);
			frames[w / 2] = job.frames;
		}
	}
	base_hot = median(hot[WAYS - 1], ROUNDS);
	base_cold = median(cold[WAYS - 1], ROUNDS);
	printf("\ndepth %u%17s %6s %9s %8s %9s %8s\n", depth, "", "frames",
	       "hot ns", "a frame", "cold ns", "a frame");
	for (size_t w = 0; w < WAYS; w++) {
		bool whole = strncmp(ways[w].name, "signal", 6) == 0;
		double h = median(hot[w], ROUNDS) - (whole ? base_hot : 0);
		double c = median(cold[w], ROUNDS) - (whole ? base_cold : 0);

		if (w == WAYS - 1)
			break;
		printf("%-25s %6zu %9.0f", ways[w].name, frames[w], h);
		if (frames[w])
			printf(" %8.1f %9.0f %8.1f\n", h / (double)frames[w], c,
			       c / (double)frames[w]);
		else
			printf(" %8s %9.0f\n", "", c);
	}
	printf("ours to unw_backtrace: %.2f hot, %.2f cold; to backtrace(): "
	       "%.3f, %.3f; to frame pointers: %.1f, %.1f\n",
	       median(hot[0], ROUNDS) / median(hot[3], ROUNDS),
	       median(cold[0], ROUNDS) / median(cold[3], ROUNDS),
	       median(hot[0], ROUNDS) / median(hot[2], ROUNDS),
	       median(cold[0], ROUNDS) / median(cold[2], ROUNDS),
	       median(hot[0], ROUNDS) / median(hot[1], ROUNDS),
	       median(cold[0], ROUNDS) / median(cold[1], ROUNDS));
}

/* --- in a signal handler --- */

#define SAMPLES 1000

static struct {
	const struct way *way;
	double ns;
	size_t frames;
} sampled;

static size_t walk_context(const ucontext_t *context)
{
	struct pyro_walk walk;

	if (sampled.way->walk == walk_pyro)
		return pyro_unwind_signal(pyro_modules_current(), context,
					  stack, pcs, FRAMES_MAX, &walk);
	if (sampled.way->walk == walk_frame_pointers)
		return frame_pointers_from(
			(const uintptr_t *)context->uc_mcontext.gregs[REG_RBP]);
	return sampled.way->walk();
}

/* The memory is touched by the program, which the signal interrupts. */
static void on_sample(int sig, siginfo_t *info, void *context)
{
	double begin = now_ns();

	(void)sig;
	(void)info;
	sampled.frames = walk_context(context);
	sampled.ns = now_ns() - begin;
}

static size_t raise_sample(void)
{
	USE_FRAME;
	evict();
	send(SIGUSR2);
	return sampled.frames;
}

static void compare_in_handler(unsigned depth)
{
	static double ns[4][SAMPLES];
	size_t frames[4];
	double mid[4];

	/* The clock and the signal's path are warm, the walk is not. */
	for (int i = 0; i < SAMPLES; i++)
		for (size_t w = 0; w < 4; w++) {
			struct job job = {.walk = raise_sample};

			sampled.way = &ways[w];
			job.once = true;
			ways[w].links[depth % LINKS](&job, depth);
			ns[w][i] = sampled.ns;
			frames[w] = sampled.frames;
		}
	printf("\nin a handler, cold, depth %u %6s %9s %9s\n", depth, "frames",
	       "p50 ns", "p99 ns");
	for (size_t w = 0; w < 4; w++) {
		mid[w] = median(ns[w], SAMPLES);
		printf("%-29s %6zu %9.0f %9.0f\n", ways[w].name, frames[w],
		       mid[w], ns[w][SAMPLES * 99 / 100]);
	}
	printf("ours to unw_backtrace: %.2f; to backtrace(): %.2f; to frame "
	       "pointers: %.2f\n",
	       mid[0] / mid[3], mid[0] / mid[2], mid[0] / mid[1]);
}

static void handle(int sig, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
	sigaction(sig, &action, NULL);
}

/* To measure what a sample takes: most are only counted. */
static void measuring(void)
{
	static double each[ROUNDS];
	const int times = 1600;

	for (int r = 0; r < ROUNDS; r++) {
		double begin = now_ns();

		for (int i = 0; i < times; i++)
			pyro_cost_end(PYRO_COST_HOOKS,
				      pyro_cost_begin(PYRO_COST_HOOKS));
		each[r] = (now_ns() - begin) / times;
	}
	printf("\nto measure a sample's time: %.0f ns each\n",
	       median(each, ROUNDS));
}

int main(void)
{
	struct pyro_modules *modules = pyro_modules_new("");

	*(void **)&libc_backtrace =
		dlsym(dlopen("libc.so.6", RTLD_NOW), "backtrace");
	if (!libc_backtrace || !modules || pyro_on_init() ||
	    pyro_registry_init() || pyro_slots_init(256, PYRO_DEPTH_MAX) ||
	    pyro_modules_refresh(modules) != 1)
		return 1;
	pyro_mutex_lock(&pyro_registry_lock);
	self = pyro_registry_claim(PYRO_THREAD_LIVE);
	pyro_mutex_unlock(&pyro_registry_lock);
	self->stack = stack = pyro_stack_of_main();
	atomic_store(&self->tid, pyro_gettid());
	atomic_store(&pyro_cpu_handler.period_ns, 10 * PYRO_NS_PER_MS);
	pyro_on_set(PYRO_ON_YES);
	handle(SIGPROF, pyro_cpu_on_tick);
	handle(SIGVTALRM, do_nothing);
	handle(SIGUSR2, on_sample);
	signal(SIGWINCH, SIG_IGN);
	cold_memory = malloc(COLD_BYTES);
	if (!cold_memory)
		return 1;
	memset(cold_memory, 1, COLD_BYTES);
	compare(10);
	compare(40);
	compare(100);
	compare_in_handler(36);
	measuring();
	return 0;
}
