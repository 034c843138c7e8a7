// SPDX-License-Identifier: Apache-2.0
/* wall_window.c - what all threads do all the time, on a processor or not
 *
 * Only while somebody asks for it (taps.h). At each moment all threads are looked
 * at from outside, and what one does stands for the time since the moment before, so
 * that of a thread that lives all along the sum is the time that went by. Who runs
 * is asked: until it answers, which it does at a tick of the kernel's clock while it
 * runs, its time waits for the answer. */
#include "api/session.h"
#include "api/taps.h"
#include "base/cost.h"
#include "base/library.h"
#include "base/os.h"
#include "capture/labels.h"
#include "profile/threads_profile.h"
#include "source/cpu.h"
#include "source/threads.h"

/* On average. */
#define INTERVAL_NS (PYRO_NS_PER_SEC / 99)
/* Looking takes a twentieth of one core at the most, or moments become fewer. */
#define SHARE 20
/* How long an answer may take, when a profile ends, and at exit; and how long
 * otherwise. */
#define ANSWER_NS (100 * PYRO_NS_PER_MS)
#define LAST_ANSWER_NS (20 * PYRO_NS_PER_MS)
#define LATE_NS PYRO_NS_PER_SEC
/* A thread's name is read so often. */
#define NAME_NS PYRO_NS_PER_SEC
/* Looks at threads between two sweeps of the pool, which others go on to fill. */
#define SWEEP_EVERY 256

static bool same_tid(const void *owner, uint32_t item, const void *key)
{
	return ((const struct pyro_wall *)owner)->threads[item].tid ==
	       *(const pid_t *)key;
}

static uint64_t tid_hash(pid_t tid)
{
	return pyro_hash(&tid, sizeof(tid), 0);
}

/* NULL: it is not known. */
static struct pyro_walled *find(struct pyro_wall *wall, pid_t tid)
{
	uint32_t item = pyro_table_find(&wall->by_tid, tid_hash(tid), same_tid,
					wall, &tid);

	return item == PYRO_TABLE_NONE ? NULL : &wall->threads[item];
}

static void end_shot(struct pyro_walled *thread)
{
	if (thread->armed)
		pyro_cpu_shot_end(thread->timer);
	thread->armed = false;
}

/* What waited for an answer is of this stack. */
static void settle(struct pyro_wall *wall, struct pyro_walled *thread,
		   struct pyro_stack_frames *stack)
{
	stack->labels = thread->labels;
	if (thread->moments)
		pyro_stacks_add(&wall->stacks, stack, thread->waits_ns,
				thread->moments);
	thread->moments = 0;
	thread->waits_ns = 0;
}

static void not_reached(struct pyro_wall *wall, struct pyro_walled *thread)
{
	static const uint64_t no_frames[1];
	struct pyro_stack_frames stack = {
		.frames = no_frames,
		.stop = PYRO_STOP_UNREACHED,
	};

	settle(wall, thread, &stack);
}

void pyro_wall_add(struct pyro_session *s,
		   const struct pyro_stack_frames *stack,
		   struct pyro_weight weight)
{
	pyro_stacks_add(&s->wall.stacks, stack, weight.value, weight.count);
}

void pyro_wall_answer(struct pyro_session *s, struct pyro_stack_frames *stack,
		      pid_t tid)
{
	struct pyro_walled *thread =
		s->wall.on && tid ? find(&s->wall, tid) : NULL;

	if (!thread)
		return;
	end_shot(thread);
	settle(&s->wall, thread, stack);
}

static void note_thread(void *arg, pid_t tid)
{
	struct pyro_wall *wall = arg;
	struct pyro_walled *thread, *threads;

	if (pyro_is_library_thread(tid))
		return;
	thread = find(wall, tid);
	if (!thread) {
		threads = pyro_array_grow(wall->threads, &wall->cap,
					  wall->count + 1, sizeof(*threads));
		if (!threads)
			return;
		wall->threads = threads;
		if (pyro_table_add(&wall->by_tid, tid_hash(tid),
				   (uint32_t)wall->count))
			return;
		thread = &threads[wall->count++];
		*thread = (struct pyro_walled){.tid = tid};
	}
	thread->seen = wall->moment;
}

static void name(struct pyro_session *s, struct pyro_walled *thread,
		 uint64_t now)
{
	struct pyro_thread_facts facts;

	if (thread->named_ns && now - thread->named_ns < NAME_NS)
		return;
	thread->named_ns = now;
	if (pyro_threads_describe(thread->tid, &facts) == 0)
		thread->labels = pyro_threads_window_label(s, facts.name);
}

static enum pyro_thread_read read_stack(struct pyro_session *s,
					const struct pyro_walled *thread,
					uint64_t ns)
{
	const struct pyro_snapshot *snapshot = pyro_modules_current();
	struct pyro_record record = {
		.kind = PYRO_KIND_WALL,
		.weight = {1, ns},
		.labels = thread->labels,
		.generation = snapshot ? snapshot->generation : 0,
	};
	struct pyro_walk walk;
	size_t depth;
	enum pyro_thread_read read =
		pyro_threads_read(thread->tid, snapshot, record.pc,
				  s->config.stack_depth, &depth, &walk);

	if (read == PYRO_THREAD_PARKED) {
		record.depth = (uint16_t)depth;
		record.stop = (uint16_t)walk.stop;
		pyro_collector_add(s, &record);
	}
	return read;
}

/* The answer is under way, unless that takes long: then no record was made of it, or
 * its signal is blocked, where that of another timer would wait, too. */
static void ask(struct pyro_walled *thread, uint64_t now)
{
	int sig = pyro_cpu_signal();
	bool right = thread->armed && thread->signal == sig;

	if (right && now - thread->armed_ns <= LATE_NS)
		return;
	if (!right || pyro_cpu_shot_again(thread->timer) != 0) {
		end_shot(thread);
		thread->signal = sig;
		thread->armed = pyro_cpu_shot(thread->tid, &thread->timer) == 0;
	}
	thread->armed_ns = now;
}

static void look_at(struct pyro_session *s, struct pyro_walled *thread,
		    uint64_t ns, uint64_t now)
{
	enum pyro_thread_read read;

	name(s, thread, now);
	read = read_stack(s, thread, ns);
	if (read == PYRO_THREAD_MOVED)
		read = read_stack(s, thread, ns);
	if (thread->moments && now - thread->asked_ns > LATE_NS)
		not_reached(&s->wall, thread);
	if (read == PYRO_THREAD_PARKED || read == PYRO_THREAD_GONE)
		return;
	if (!thread->moments++)
		thread->asked_ns = now;
	thread->waits_ns += ns;
	ask(thread, now);
}

/* Those that have ended. */
static void forget_gone(struct pyro_wall *wall)
{
	size_t kept = 0;

	for (size_t i = 0; i < wall->count; i++) {
		struct pyro_walled *thread = &wall->threads[i];

		if (thread->seen == wall->moment) {
			wall->threads[kept++] = *thread;
			continue;
		}
		end_shot(thread);
		not_reached(wall, thread);
	}
	if (kept == wall->count)
		return;
	wall->count = kept;
	pyro_table_clear(&wall->by_tid);
	/* There is room: the table has held as many. */
	for (size_t i = 0; i < kept; i++)
		pyro_table_add(&wall->by_tid, tid_hash(wall->threads[i].tid),
			       (uint32_t)i);
}

static void adapt(struct pyro_wall *wall, uint64_t took_ns)
{
	while (took_ns * SHARE > wall->interval_ns)
		wall->interval_ns *= 2;
	if (wall->interval_ns > INTERVAL_NS &&
	    took_ns * SHARE * 2 < wall->interval_ns)
		wall->interval_ns /= 2;
}

/* Not regular: what a program does each ten milliseconds would be seen always, or
 * never. */
static void plan_next(struct pyro_wall *wall, uint64_t now)
{
	wall->next_ns =
		now + wall->interval_ns / 2 + pyro_random() % wall->interval_ns;
}

static void take_moment(struct pyro_session *s, uint64_t now)
{
	struct pyro_wall *wall = &s->wall;
	uint64_t began = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	uint64_t ns = now - wall->last_ns, took;

	wall->moment++;
	if (pyro_each_thread(note_thread, wall) != 0) {
		wall->moment--; /* the next one has this one's time, too */
		plan_next(wall, now);
		return;
	}
	wall->last_ns = now;
	forget_gone(wall);
	for (size_t i = 0; i < wall->count; i++) {
		look_at(s, &wall->threads[i], ns, now);
		if (i % SWEEP_EVERY == SWEEP_EVERY - 1)
			pyro_collector_sweep(s);
	}
	took = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began;
	pyro_cost_add(PYRO_COST_ASKED, took);
	adapt(wall, took);
	plan_next(wall, now);
}

static bool any_waits(const struct pyro_wall *wall)
{
	for (size_t i = 0; i < wall->count; i++)
		if (wall->threads[i].moments)
			return true;
	return false;
}

/* Nothing waits for an answer any longer. */
static void settle_all(struct pyro_session *s, uint64_t timeout_ns)
{
	struct pyro_wall *wall = &s->wall;
	uint64_t end = pyro_clock_ns(CLOCK_MONOTONIC) + timeout_ns;

	pyro_collector_sweep(s);
	while (any_waits(wall) && pyro_clock_ns(CLOCK_MONOTONIC) < end) {
		pyro_sleep_ns(2 * PYRO_NS_PER_MS);
		pyro_collector_sweep(s);
	}
	for (size_t i = 0; i < wall->count; i++)
		not_reached(wall, &wall->threads[i]);
}

static void begin_window(struct pyro_wall *wall, uint64_t now)
{
	pyro_stacks_clear(&wall->stacks);
	wall->window = (struct pyro_window){
		.time_ns = (int64_t)pyro_clock_ns(CLOCK_REALTIME),
		.start_ns = now,
	};
	wall->first = wall->moment;
}

static void start(struct pyro_session *s, uint64_t now)
{
	struct pyro_wall *wall = &s->wall;

	pyro_cpu_check_signal();
	pyro_cpu_shots(true);
	s->threads.own = pyro_threads_window_own();
	wall->on = true;
	wall->interval_ns = INTERVAL_NS;
	wall->last_ns = now;
	plan_next(wall, now);
	begin_window(wall, now);
}

void pyro_wall_free(struct pyro_session *s)
{
	struct pyro_wall *wall = &s->wall;

	if (!wall->on)
		return;
	pyro_cpu_shots(false);
	for (size_t i = 0; i < wall->count; i++)
		end_shot(&wall->threads[i]);
	pyro_stacks_free(&wall->stacks);
	pyro_table_free(&wall->by_tid);
	pyro_pages_free(wall->threads, wall->cap * sizeof(*wall->threads));
	*wall = (struct pyro_wall){0};
}

void pyro_wall_round(struct pyro_session *s, bool over, bool last)
{
	struct pyro_wall *wall = &s->wall;
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	if (!pyro_taps_want(PYRO_OUTPUT_WALL)) {
		pyro_wall_free(s);
		return;
	}
	if (!wall->on)
		start(s, now);
	else if (over || now >= wall->next_ns)
		take_moment(s, now);
	if (over)
		settle_all(s, last ? LAST_ANSWER_NS : ANSWER_NS);
}

static struct pyro_profile *build(struct pyro_session *s)
{
	const struct pyro_wall *wall = &s->wall;
	int64_t duration_ns = (int64_t)(wall->last_ns - wall->window.start_ns);
	const struct pyro_threads_moment all = {
		.stacks = &wall->stacks,
		.interval_ns = duration_ns / (wall->moment - wall->first),
		.time_ns = wall->window.time_ns,
		.duration_ns = duration_ns,
		.symbolize = s->config.symbolize,
		.strip = s->config.strip,
		.lines = s->lines,
		.names = s->names,
	};

	return pyro_threads_profile(&all, s->modules);
}

static void give(struct pyro_session *s, bool last)
{
	struct pyro_wall *wall = &s->wall;
	const struct pyro_stacks *stacks = &wall->stacks;
	struct pyro_profile *profile;

	for (size_t i = 0; s->lines && i < stacks->set.count; i++)
		pyro_window_want_lines(s, &stacks->set.stacks[i],
				       stacks->values[i].ns);
	if (s->lines)
		pyro_window_lines(s, last);
	profile = build(s);
	if (!profile)
		return;
	pyro_output_comment(profile, "wall", stacks->stops, 0);
	pyro_taps_add(PYRO_OUTPUT_WALL, profile, wall->window.start_ns);
	pyro_profile_free(profile);
}

void pyro_wall_window_end(struct pyro_session *s, bool last)
{
	struct pyro_wall *wall = &s->wall;

	if (wall->on && wall->moment != wall->first) {
		give(s, last);
		begin_window(wall, wall->last_ns);
	}
	if (last) /* the next session's begin anew */
		pyro_wall_free(s);
}
