// SPDX-License-Identifier: Apache-2.0
/* cross.c - preloaded into any program: interrupts it at random points and
 * compares our walk with somebody else's, from the same registers
 *
 * A one-shot timer, armed again by each handler for a random time, interrupts
 * the main thread. There both walk: ours by pyro_unwind_signal(), libunwind by
 * unw_init_local2(); with CROSS_WITH=gdb, the other is gdb, which waits at
 * cross_stop() for our chain. At exit a line of counts goes to CROSS_OUT, and
 * one for each disagreement and for each chain of ours that was cut. Limits: the main thread alone; while an object is
 * being loaded its frames are not known to us ("pending").
 *
 *     CROSS_POINTS  how many (2500)       CROSS_SEED  of the times (1)
 *     CROSS_OUT     file to append to     CROSS_WITH  libunwind, gdb */
#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "capture/registry.h"
#include "capture/unwind.h"
#include "image/modules.h"

#define DEPTH 128
#define KEPT 64
#define SIGNAL SIGVTALRM

struct chain {
	uint64_t pc[DEPTH];
	size_t depth;
	bool whole; /* the unwinder says that it got to the end */
};

static struct {
	pthread_t collector;
	timer_t timer;
	struct pyro_modules *modules;
	struct pyro_stack stack;
	uint64_t random, points, wanted;
	bool with_gdb;
	_Atomic bool begun, done;
} cross;

enum verdict {
	EQUAL,
	CUT,   /* ours ended early, and agrees so far */
	SHORT, /* theirs did */
	DIFFERENT,
	VERDICTS
};

static uint64_t count[VERDICTS];
static struct kept {
	struct chain ours, theirs;
	enum pyro_stop stop;
	enum verdict verdict;
} kept[KEPT];
static size_t kept_count;

/* gdb has a breakpoint here. */
__attribute__((noinline, visibility("default"))) void
cross_stop(const uint64_t *pc, size_t depth, int stop);

void cross_stop(const uint64_t *pc, size_t depth, int stop)
{
	__asm__ volatile("" ::"r"(pc), "r"(depth), "r"(stop) : "memory");
}

static uint64_t next_random(void)
{
	cross.random ^= cross.random << 13;
	cross.random ^= cross.random >> 7;
	cross.random ^= cross.random << 17;
	return cross.random;
}

/* 20 to 220 us of this machine, that is of any instruction. */
static void arm(void)
{
	struct itimerspec when = {
		.it_value.tv_nsec = 20000 + (long)(next_random() % 200000),
	};

	timer_settime(cross.timer, 0, &when, NULL);
}

static void walk_libunwind(ucontext_t *context, struct chain *chain)
{
	unw_cursor_t cursor;
	unw_word_t ip = 0;
	bool exact = true;
	int more = 1;

	chain->depth = 0;
	if (unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME) != 0)
		more = -1;
	while (more > 0 && chain->depth < DEPTH) {
		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		if (ip == 0)
			break;
		chain->pc[chain->depth++] = ip - !exact;
		exact = unw_is_signal_frame(&cursor) > 0;
		more = unw_step(&cursor);
	}
	chain->whole = more == 0 || (more > 0 && ip == 0);
}

static enum verdict judge(const struct chain *ours, const struct chain *theirs)
{
	size_t both = pyro_min(ours->depth, theirs->depth);

	if (memcmp(ours->pc, theirs->pc, both * sizeof(*ours->pc)) != 0)
		return DIFFERENT;
	if (ours->whole && ours->depth == theirs->depth)
		return EQUAL;
	if (!ours->whole && ours->depth <= theirs->depth)
		return CUT;
	return !theirs->whole && theirs->depth < ours->depth ? SHORT
							     : DIFFERENT;
}

static void compare(const struct chain *ours, const struct chain *theirs,
		    enum pyro_stop stop)
{
	enum verdict verdict = judge(ours, theirs);

	count[verdict]++;
	/* Half of the room is for those that matter. */
	if (verdict != EQUAL && kept_count < (verdict == CUT ? KEPT / 2 : KEPT))
		kept[kept_count++] =
			(struct kept){*ours, *theirs, stop, verdict};
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	/* static: the program's alternate stack may be small */
	static struct chain ours, theirs;
	struct pyro_walk walk;
	int saved = errno;

	(void)sig;
	(void)info;
	ours.depth = pyro_unwind_signal(pyro_modules_current(), context,
					cross.stack, ours.pc, DEPTH, &walk);
	ours.whole = walk.stop == PYRO_STOP_END;
	if (cross.with_gdb) {
		cross_stop(ours.pc, ours.depth, walk.stop);
	} else {
		walk_libunwind(context, &theirs);
		compare(&ours, &theirs, walk.stop);
	}
	if (++cross.points < cross.wanted && !atomic_load(&cross.done))
		arm();
	errno = saved;
}

/* The first signal comes when nothing has been loaded for 100 ms. */
static void *look_for_modules(void *arg)
{
	int quiet = 0;

	while (!atomic_load(&cross.done)) {
		quiet = pyro_modules_refresh(cross.modules) == 0 ? quiet + 1
								 : 0;
		if (quiet == 20 && !atomic_exchange(&cross.begun, true))
			arm();
		usleep(5000);
	}
	return arg;
}

static uint64_t setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 10) : fallback;
}

static int make_timer(void)
{
	struct sigaction action;
	struct sigevent event;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = on_signal;
	action.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
	sigaction(SIGNAL, &action, NULL);
	memset(&event, 0, sizeof(event));
	event.sigev_notify = SIGEV_THREAD_ID;
	event.sigev_signo = SIGNAL;
	event._sigev_un._tid = getpid();
	return timer_create(CLOCK_MONOTONIC, &event, &cross.timer);
}

__attribute__((constructor)) static void start(void)
{
	const char *with = getenv("CROSS_WITH");
	sigset_t all, old;

	/* The program's children go without. */
	unsetenv("LD_PRELOAD");
	cross.with_gdb = with && strcmp(with, "gdb") == 0;
	cross.wanted = setting("CROSS_POINTS", 2500);
	cross.random = setting("CROSS_SEED", 1) * 0x9e3779b97f4a7c15u | 1;
	cross.stack = pyro_stack_of_main();
	cross.modules = pyro_modules_new("");
	if (!cross.modules || pyro_modules_refresh(cross.modules) != 1 ||
	    make_timer() != 0)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_create(&cross.collector, NULL, look_for_modules, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* --- what was found --- */

static const char *name_of(uint64_t pc)
{
	static char text[300];
	const struct pyro_map *map =
		pyro_snapshot_find(pyro_modules_current(), pc);
	struct pyro_symbol symbol = {.name = "?"};
	uint64_t at = map ? pc - map->bias : pc;

	if (map)
		pyro_modules_symbol(cross.modules, map->module, at, &symbol);
	snprintf(text, sizeof(text), "%s+%" PRIx64 "(%s)",
		 map ? pyro_modules_get(cross.modules, map->module)->name : "?",
		 at, symbol.name);
	return text;
}

static void print_kept(FILE *out, const struct kept *k)
{
	static const char *const name[VERDICTS] = {"equal", "cut", "short",
						   "different"};
	const struct chain *ours = &k->ours, *theirs = &k->theirs;
	size_t i = 0;

	while (i < ours->depth && i < theirs->depth &&
	       ours->pc[i] == theirs->pc[i])
		i++;
	fprintf(out, "%s at frame %zu of %zu, %zu, by %s: after %s",
		name[k->verdict], i, ours->depth, theirs->depth,
		pyro_stop_name(k->stop), i ? name_of(ours->pc[i - 1]) : "none");
	fprintf(out, " ours %s", i < ours->depth ? name_of(ours->pc[i]) : "-");
	fprintf(out, " theirs %s\n",
		i < theirs->depth ? name_of(theirs->pc[i]) : "-");
}

__attribute__((destructor)) static void finish(void)
{
	const char *path = getenv("CROSS_OUT");
	FILE *out = path ? fopen(path, "ae") : NULL;

	atomic_store(&cross.done, true);
	timer_delete(cross.timer);
	if (cross.collector)
		pthread_join(cross.collector, NULL);
	if (!out)
		return;
	fprintf(out,
		"points %" PRIu64 " equal %" PRIu64 " cut %" PRIu64
		" short %" PRIu64 " different %" PRIu64 "\n",
		cross.points, count[EQUAL], count[CUT], count[SHORT],
		count[DIFFERENT]);
	for (size_t i = 0; i < kept_count; i++)
		print_kept(out, &kept[i]);
	fclose(out);
}
