// SPDX-License-Identifier: Apache-2.0
/* cpu_handler.c - one timer expiry becomes one record
 *
 * The thread's entry comes with the signal (sival_ptr). errno is not touched, as
 * nothing here calls libc. */
#include "source/cpu_handler.h"

#include "base/cost.h"
#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "capture/labels.h"
#include "capture/spans.h"
#include "image/modules.h"

struct pyro_cpu_handler pyro_cpu_handler;

/* A signal that was queued before a stop or a fork may carry an entry that has
 * another owner. */
static bool is_own(const struct pyro_thread *thread, pid_t tid)
{
	return pyro_registry_holds(thread) &&
	       atomic_load_explicit(&thread->tid, memory_order_acquire) == tid;
}

static unsigned halvings_of(const siginfo_t *info)
{
	return (uintptr_t)info->si_value.sival_ptr & PYRO_CPU_HALVINGS;
}

static const struct pyro_thread *entry_of(const siginfo_t *info)
{
	const char *value = info->si_value.sival_ptr;

	return value ? (const void *)(value - halvings_of(info)) : NULL;
}

static struct pyro_record *take(pid_t tid, uint32_t ticks, unsigned halvings)
{
	uint64_t period = atomic_load_explicit(&pyro_cpu_handler.period_ns,
					       memory_order_relaxed)
			  << halvings;
	struct pyro_record *record =
		pyro_slots_take(PYRO_KIND_CPU, tid,
				(struct pyro_weight){ticks, ticks * period});

	if (record) {
		record->labels = pyro_labels;
		record->span = pyro_span_now();
	}
	return record;
}

static struct pyro_record *take_shot(void)
{
	if (!atomic_load_explicit(&pyro_cpu_handler.shots,
				  memory_order_relaxed))
		return NULL;
	return pyro_slots_take(PYRO_KIND_THREADS, pyro_gettid(),
			       (struct pyro_weight){1, 0});
}

static struct pyro_record *take_any(const siginfo_t *info)
{
	pid_t tid;

	if (info->si_value.sival_ptr == PYRO_CPU_SHOT)
		return take_shot();
	tid = pyro_gettid();
	return is_own(entry_of(info), tid)
		       ? take(tid, 1 + (uint32_t)info->si_overrun,
			      halvings_of(info))
		       : NULL;
}

/* By itself: the walk needs the stack, and when the handler began is kept in the
 * record meanwhile. */
static __attribute__((noinline)) struct pyro_record *
take_for(const siginfo_t *info)
{
	uint64_t began = pyro_cost_begin(PYRO_COST_HANDLERS);
	struct pyro_record *record = take_any(info);

	if (record)
		record->began = began;
	else
		pyro_cost_end(PYRO_COST_HANDLERS, began);
	return record;
}

/* A shot comes without an entry: the kernel copies the stack. */
static const struct pyro_thread *thread_of(const siginfo_t *info)
{
	static const struct pyro_thread unknown;

	return info->si_value.sival_ptr == PYRO_CPU_SHOT ? &unknown
							 : entry_of(info);
}

static void sample(const siginfo_t *info, const ucontext_t *context)
{
	struct pyro_record *record = take_for(info);
	const struct pyro_snapshot *snapshot;
	struct pyro_walk walk;
	uint64_t began;

	if (!record)
		return;
	snapshot = pyro_modules_current();
	record->generation = snapshot ? snapshot->generation : 0;
	record->depth = (uint16_t)pyro_unwind_signal(
		snapshot, context, thread_of(info)->stack, record->pc,
		record->room, &walk);
	record->stop = (uint16_t)walk.stop;
	began = record->began;
	pyro_slots_commit(record, walk.stop == PYRO_STOP_UNMAPPED);
	pyro_cost_end(PYRO_COST_HANDLERS, began);
}

bool pyro_cpu_sent(const siginfo_t *info)
{
	return info->si_code == SI_TIMER &&
	       (info->si_value.sival_ptr == PYRO_CPU_SHOT ||
		pyro_registry_holds(entry_of(info)));
}

void pyro_cpu_on_tick(int sig, siginfo_t *info, void *context)
{
	unsigned entered;

	(void)sig;
	/* Signals that others sent end here. The program had left this one to
	 * its default, and most often that is to ignore it (cpu.c). */
	if (info->si_code != SI_TIMER)
		return;
	/* First: a stop that is not seen below waits until this one is out, and
	 * frees nothing before. */
	entered = pyro_readers_enter();
	if (pyro_on_get() != PYRO_ON_NO)
		sample(info, context);
	pyro_readers_leave(entered);
}
