// SPDX-License-Identifier: Apache-2.0
/* collector.c - the thread that turns records into profiles
 *
 * Wakes when records come (at most some ten times a second then), else once a
 * second. What a record's addresses belong to is decided by two looks at what is
 * loaded: the one that its walk went by, and one after it was taken out of the
 * pool. So code loaded a moment ago has a name, and code that was unloaded since
 * does not get another's. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "api/listener.h"
#include "api/session.h"
#include "api/stats.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "profile/cpu_profile.h"
#include "source/bind.h"
#include "source/cpu.h"
#include "source/heap.h"
#include "source/here.h"
#include "source/hook.h"
#include "source/lock_waiters.h"
#include "source/wait.h"

#define BUSY_NS (100 * PYRO_NS_PER_MS)
/* While objects come and go: what is loaded twice between two looks has no name. */
#define LOADING_NS (10 * PYRO_NS_PER_MS)
#define AFTER_IDLE_NS PYRO_NS_PER_MS
#define IDLE_NS PYRO_NS_PER_SEC
#define URGENT_NS (5 * PYRO_NS_PER_MS)
#define LAZY_POLL_NS (10 * PYRO_NS_PER_MS)
#define LAZY_MOVES_NS (PYRO_NS_PER_MS / 2)
/* A look at all threads may take a thousandth of one core. */
#define SCAN_SHARE 1000
#define SCAN_AGAIN_NS (20 * PYRO_NS_PER_MS)
/* How long a parent may take to exit, of which a child then serves. */
#define ORPHAN_NS (60 * PYRO_NS_PER_SEC)

uint64_t pyro_process_cpu_ns(void)
{
	return pyro_clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t pyro_program_cpu_ns(void)
{
	uint64_t library = pyro_library_cpu_ns();
	uint64_t process = pyro_process_cpu_ns();

	return process > library ? process - library : 0;
}

static void count_modules(struct pyro_session *s)
{
	const struct pyro_snapshot *snapshot = pyro_modules_current();

	pyro_counts.objects = snapshot ? snapshot->count : 0;
	pyro_counts.tables_bytes = pyro_modules_bytes(s->modules);
}

/* See what is loaded. */
static bool look(struct pyro_session *s)
{
	bool fresh = pyro_modules_refresh(s->modules) == 1;

	count_modules(s);
	s->stale |= fresh;
	if (fresh)
		s->loading_ns =
			pyro_clock_ns(CLOCK_MONOTONIC) + PYRO_NS_PER_SEC;
	return fresh;
}

/* What a walk found behind an address of which nobody can tell whose it was may
 * have come by another object's rules. */
static void add_record(struct pyro_session *s, const struct pyro_record *record)
{
	const struct pyro_map *map;
	uint64_t frames[PYRO_DEPTH_MAX + 1];
	struct pyro_stack_frames stack = {
		.frames = frames,
		.stop = record->stop,
		.labels = record->labels,
	};

	if ((record->kind == PYRO_KIND_MUTEX ||
	     record->kind == PYRO_KIND_BLOCK) &&
	    record->lock)
		frames[stack.depth++] =
			(uint64_t)PYRO_FRAME_LOCK << 48 | record->lock;
	for (size_t i = 0;
	     i < record->depth && stack.stop != PYRO_STOP_UNLOADED; i++) {
		uint64_t pc = record->pc[i];

		if (pyro_hook_is_trampoline(pc))
			continue;
		if (!pyro_modules_place(s->modules, record->generation, pc,
					&map))
			stack.stop = PYRO_STOP_UNLOADED;
		/* Hooks in which a thread waits, as it does without them. */
		if ((record->kind == PYRO_KIND_THREADS ||
		     record->kind == PYRO_KIND_WALL) &&
		    map && map->module == s->threads.own)
			continue;
		frames[stack.depth++] =
			map ? (uint64_t)map->module << 48 |
					PYRO_FRAME_ADDRESS(pc - map->bias)
			    : PYRO_FRAME_ADDRESS(pc);
	}
	if (record->kind == PYRO_KIND_HEAP) {
		pyro_heap_window_add(s, &stack, &record->heap);
		return;
	}
	if (record->kind == PYRO_KIND_BIRTH) {
		pyro_births_add(s, &stack, &record->birth);
		return;
	}
	if (record->kind == PYRO_KIND_WALL) {
		pyro_wall_add(s, &stack, record->weight);
		return;
	}
	if (record->kind == PYRO_KIND_THREADS) {
		pyro_wall_answer(s, &stack, record->tid);
		stack.labels = record->labels;
		pyro_threads_window_add(s, &stack, record->tid);
		return;
	}
	if (record->kind != PYRO_KIND_CPU) {
		pyro_wait_window_add(s, &stack, record);
		return;
	}
	pyro_counts.samples[stack.stop] += record->weight.count;
	stack.span = pyro_stacks_span(&s->stacks, &record->span);
	if (!pyro_stacks_add(&s->stacks, &stack, record->weight.value,
			     record->weight.count))
		pyro_counts.overflow += record->weight.count;
}

static void add_batch(struct pyro_session *s)
{
	if (s->batched > 0)
		look(s);
	for (size_t i = 0; i < s->batched; i++)
		add_record(s, &s->batch[i]);
	s->batched = 0;
}

void pyro_collector_add(struct pyro_session *s,
			const struct pyro_record *record)
{
	memcpy(&s->batch[s->batched++], record,
	       offsetof(struct pyro_record, pc) +
		       record->depth * sizeof(record->pc[0]));
	if (s->batched == PYRO_BATCH_MAX)
		add_batch(s);
}

static void take_record(void *arg, const struct pyro_record *record)
{
	pyro_collector_add(arg, record);
}

size_t pyro_collector_sweep(struct pyro_session *s)
{
	size_t swept = pyro_slots_sweep(take_record, s);
	struct pyro_weight lost;

	add_batch(s);
	lost = pyro_slots_lost(PYRO_KIND_CPU);
	s->cpu.lost_ns += lost.value;
	s->cpu.lost_ticks += lost.count;
	pyro_counts.lost += lost.count;
	pyro_heap_window_round(s, pyro_clock_ns(CLOCK_MONOTONIC));
	pyro_wait_window_round(s, pyro_clock_ns(CLOCK_MONOTONIC));
	if (swept)
		pyro_output_mark(s, true);
	return swept;
}

/* A walk that meets unknown code wakes us at once: most often something was
 * loaded. Where it is code that no object will ever hold, as a JIT's, less and
 * less often. */
static void allow_urgent(struct pyro_session *s, uint64_t now, bool fresh)
{
	if (fresh)
		s->urgent_pause_ns = URGENT_NS;
	else if (now < s->next_urgent_ns)
		return;
	else
		s->urgent_pause_ns = pyro_min(2 * s->urgent_pause_ns, IDLE_NS);
	s->next_urgent_ns = now + s->urgent_pause_ns;
	pyro_slots_allow_urgent();
}

/* New objects: their tables are in the new snapshot. The old ones go when no
 * handler walks by them and no record names them. */
static size_t refresh(struct pyro_session *s, uint64_t now)
{
	size_t swept = 0;
	bool fresh = look(s);

	pyro_bind_refresh();
	if (s->stale && pyro_registry_quiesce()) {
		uint32_t newest = pyro_modules_current()->generation;

		s->stale = false; /* unless the sweep sees more */
		swept = pyro_collector_sweep(s);
		pyro_modules_reclaim(s->modules, newest);
	}
	allow_urgent(s, now, fresh || s->stale);
	return swept + pyro_collector_sweep(s);
}

static bool alive(void *arg, pid_t tid)
{
	(void)arg;
	return pyro_clock_ns(pyro_thread_clock(tid)) != 0;
}

/* What threads had that are gone. */
static void reclaim(void)
{
	pyro_slots_reclaim(alive, NULL);
	pyro_lock_reclaim(alive, NULL);
}

/* Often at first, when programs start their threads, then once a second. */
static void scan(struct pyro_session *s, uint64_t now)
{
	if (now < s->next_scan_ns)
		return;
	if (s->types & (PYRO_TYPE_CPU | PYRO_TYPE_MOMENT))
		pyro_cpu_check_signal();
	if (!(s->types & PYRO_TYPE_CPU)) {
		reclaim();
		s->next_scan_ns = now + IDLE_NS;
		return;
	}

	/* Its own time: it may have waited for a processor in between. */
	uint64_t begin = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	bool complete = pyro_cpu_scan();
	uint64_t took = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin;

	reclaim();
	s->scan_pause_ns = pyro_min(2 * s->scan_pause_ns, IDLE_NS);
	s->next_scan_ns =
		now + pyro_max(complete ? s->scan_pause_ns : SCAN_AGAIN_NS,
			       took * SCAN_SHARE);
}

static bool asked_for(struct pyro_session *s)
{
	return atomic_load(&s->stop_asked) || atomic_load(&s->pause_asked) ||
	       atomic_load(&s->flush_asked) != atomic_load(&s->flush_done) ||
	       atomic_load(&s->types_asked) != atomic_load(&s->types_done);
}

/* A descendant may be one of a thousand short commands of a script, or sleep all
 * its life: look seldom when nothing moves. */
static void wait_until_worth_it(struct pyro_session *s)
{
	uint64_t pause = LAZY_POLL_NS, last = 0, cpu;

	for (;;) {
		uint32_t seen = pyro_slots_wakes();

		cpu = pyro_program_cpu_ns();
		if (asked_for(s) || cpu >= PYRO_LAZY_CPU_NS)
			return;
		pause = cpu - last >= LAZY_MOVES_NS
				? LAZY_POLL_NS
				: pyro_min(2 * pause, IDLE_NS / 4);
		last = cpu;
		pyro_slots_wait(seen, pause, false);
	}
}

/* A forked child does when its parent is gone, as a daemon's is soon after the fork.
 * One that is left behind later, as a server's worker, would keep the port from the
 * server that is started next. */
static void listen_at_address(struct pyro_session *s)
{
	bool forked = s->how == PYRO_START_FORKED;

	if (!s->to_listen)
		return;
	s->to_listen = forked &&
		       pyro_clock_ns(CLOCK_MONOTONIC) - s->began_ns < ORPHAN_NS;
	if (forked && getppid() == pyro_process.parent)
		return;
	if (pyro_listener_start(s->config.pprof_address, s->config.pprof_token,
				forked) != -EADDRINUSE)
		s->to_listen = false;
}

static void arm(struct pyro_session *s)
{
	/* First, for what is allocated counts from the start, and tables take
	 * their time. */
	pyro_bind_refresh();
	pyro_modules_refresh(s->modules);
	pyro_on_set(PYRO_ON_YES);
	/* Where the hooks' walks of it end: reads files. */
	pyro_here_set_main(pyro_stack_of_main());
	pyro_heap_window_arm(s);
	listen_at_address(s);
	s->next_scan_ns = 0;
	s->scan_pause_ns = SCAN_AGAIN_NS / 2;
	scan(s, pyro_clock_ns(CLOCK_MONOTONIC));
	pyro_budget_start(s);
	atomic_store(&s->armed, 1);
	pyro_wake(&s->armed);
}

static void switch_off(struct pyro_session *s)
{
	pyro_wait_window_switch(s, 0);
	pyro_on_set(PYRO_ON_NO);
	pyro_heap_stop();
	pyro_cpu_stop();
	pyro_cpu_window_stop(s);
	pyro_registry_quiesce();
}

/* Windows end of which types come or go, unless all have just ended. */
static void change_types(struct pyro_session *s, uint32_t types, bool over,
			 uint64_t now)
{
	if (!over)
		pyro_windows_change(s, s->types ^ types);
	pyro_types_enter(s, types);
	scan(s, now);
	atomic_store(&s->types_done, types);
	pyro_wake(&s->types_done);
}

/* One round; returns whether there were records. *last: none is to follow. */
static bool collect(struct pyro_session *s, bool *last)
{
	uint32_t asked = atomic_load(&s->flush_asked);
	bool stop = *last = atomic_load(&s->stop_asked);
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
	bool over = stop || asked != atomic_load(&s->flush_done) ||
		    now - s->round_ns >=
			    s->config.upload_interval_ms * PYRO_NS_PER_MS;
	uint32_t types = atomic_load(&s->types_asked);
	uint32_t changes = stop ? 0 : types ^ s->types;

	if (over)
		pyro_threads_window_take(
			s, asked != atomic_load(&s->flush_done), stop);
	pyro_wall_round(s, over, stop);
	if (stop) {
		switch_off(s);
	} else {
		scan(s, now);
		pyro_types_leave(s, types);
	}
	pyro_labels_tell();
	pyro_memory_tell();

	bool busy = refresh(s, now) > 0;

	if (over) {
		pyro_windows_round(s, changes, stop);
		pyro_wall_window_end(s, stop);
	}
	if (changes)
		change_types(s, types, over, now);
	if (asked != atomic_load(&s->flush_done)) {
		atomic_store(&s->flush_done, asked);
		pyro_wake(&s->flush_done);
	}
	if (!stop)
		pyro_budget_round(s, over);
	return busy;
}

static void wait_for_work(struct pyro_session *s, bool busy)
{
	uint64_t end =
		s->round_ns + s->config.upload_interval_ms * PYRO_NS_PER_MS;
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	end = pyro_min(end, s->next_scan_ns);
	if (s->wall.on)
		end = pyro_min(end, s->wall.next_ns);

	uint64_t left = end > now ? end - now : 0;

	uint32_t seen = pyro_slots_wakes();

	uint64_t pause = now < s->loading_ns ? LOADING_NS : BUSY_NS;

	if (!asked_for(s))
		pyro_slots_wait(seen, pyro_min(busy ? pause : IDLE_NS, left),
				!busy);
	/* What ended the idleness may be a wait for a child, and the next fork is
	 * near. One without handlers, as _Fork, would find the loader's lock
	 * taken for ever if we were just at it. */
	if (!busy && !asked_for(s))
		pyro_sleep_ns(AFTER_IDLE_NS);
}

/* False: paused. */
static bool run(struct pyro_session *s)
{
	bool last = false, busy = false;

	pyro_mutex_lock(&s->round);
	if (!atomic_load(&s->armed))
		arm(s);
	while (!last) {
		pyro_mutex_unlock(&s->round);
		wait_for_work(s, busy);
		if (atomic_exchange(&s->pause_asked, false))
			return false;
		pyro_mutex_lock(&s->round);
		busy = collect(s, &last);
		if (!last)
			listen_at_address(s);
	}
	pyro_mutex_unlock(&s->round);
	pyro_heap_forget();
	/* Late handlers find no snapshot; who is still in one may use it. */
	pyro_modules_unpublish(s->modules);
	s->quiet = pyro_registry_quiesce();
	return true;
}

/* False: paused. */
static bool run_lazily(struct pyro_session *s)
{
	if (!atomic_load(&s->armed))
		wait_until_worth_it(s);
	if (atomic_exchange(&s->pause_asked, false))
		return false;
	if (atomic_load(&s->armed) || !atomic_load(&s->stop_asked))
		return run(s);
	pyro_windows_round(s, 0, true); /* too short for a sample */
	return true;
}

void pyro_collector_main(void *arg)
{
	struct pyro_session *s = arg;

	if (s->how == PYRO_START_LAZY ? run_lazily(s) : run(s)) {
		pyro_output_mark(s, false);
		if (s->uploader &&
		    pyro_uploader_flush(s->uploader, pyro_left_ms(s->end_ns),
					s->end_failed_ms) != 0)
			s->end_result = -ETIMEDOUT;
	}
	atomic_store(&s->ended, 1);
	pyro_wake(&s->ended);
}
