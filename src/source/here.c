// SPDX-License-Identifier: Apache-2.0
/* here.c - the calling thread's own stack, from a hook into a record: signal
 * safe */
#include "source/here.h"

#include <signal.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "base/syscall.h"
#include "capture/labels.h"
#include "capture/readers.h"
#include "image/modules.h"

_Thread_local struct pyro_stack pyro_here_stack;

static struct pyro_stack main_stack;

/* hi last: until it is there, it is not used. */
void pyro_here_set_main(struct pyro_stack stack)
{
	main_stack.lo = stack.lo;
	atomic_thread_fence(memory_order_release);
	main_stack.hi = stack.hi;
}

static struct pyro_stack stack_of(pid_t tid)
{
	return pyro_here_stack.hi == 0 && tid == pyro_getpid()
		       ? main_stack
		       : pyro_here_stack;
}

/* The frames before caller are the library's own. */
static void drop_own_frames(struct pyro_record *record, void *caller)
{
	uint64_t pc = pyro_strip_return_address((uintptr_t)caller) - 1;
	uint16_t own = 0;

	while (own < record->depth && own < 8 && record->pc[own] != pc)
		own++;
	if (own == 8 || own >= record->depth)
		return;
	record->depth = (uint16_t)(record->depth - own);
	for (size_t i = 0; i < record->depth; i++)
		record->pc[i] = record->pc[i + own];
}

static void walk_stack(struct pyro_record *record,
		       const struct pyro_snapshot *snapshot, void *caller)
{
	struct pyro_regs regs = {0};
	struct pyro_walk walk;

	PYRO_REGS_HERE(&regs);
	record->depth = (uint16_t)pyro_unwind_regs(
		snapshot, &regs, stack_of(record->tid), record->pc,
		record->room, &walk);
	record->stop = (uint16_t)walk.stop;
	record->generation = snapshot->generation;
	drop_own_frames(record, caller);
}

/* While the first tables are being built. */
static void only_caller(struct pyro_record *record, void *caller)
{
	record->pc[0] = pyro_strip_return_address((uintptr_t)caller) - 1;
	record->depth = 1;
	record->stop = PYRO_STOP_PENDING;
	record->generation = 0;
}

/* By itself: libc keeps some signals of its own open. */
uint64_t pyro_here_block(uint64_t mask)
{
	uint64_t old = 0;

	pyro_syscall4(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)&old,
		      sizeof(mask));
	return old;
}

void pyro_here_commit(struct pyro_record *record, void *caller)
{
	unsigned entered = pyro_readers_enter();
	const struct pyro_snapshot *snapshot = pyro_modules_current();

	record->labels = pyro_labels;
	if (snapshot)
		walk_stack(record, snapshot, caller);
	else
		only_caller(record, caller);
	pyro_slots_commit(record, record->stop == PYRO_STOP_UNMAPPED);
	pyro_readers_leave(entered);
}
