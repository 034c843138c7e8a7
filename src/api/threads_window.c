// SPDX-License-Identifier: Apache-2.0
/* threads_window.c - what all threads do at a window's end
 *
 * Parked threads are looked at from outside. Those that run are asked: each has a
 * timer on its CPU clock that expires once, and makes a record of its stack. Who
 * has not answered by a deadline, for its signals are blocked or it gets no
 * processor, is shown as not reached. */
#include <string.h>

#include "api/session.h"
#include "base/library.h"
#include "base/os.h"
#include "capture/labels.h"
#include "profile/threads_profile.h"
#include "source/cpu.h"
#include "source/hook.h"
#include "source/threads.h"

/* In labels, each of which makes series: threads beyond have a name in common. */
#define NAMES_MAX 200
#define OTHER_NAME "[other]"
/* How long threads may take to answer; at exit somebody waits. A tick of the
 * kernel's clock takes 10 ms at the most. */
#define ANSWER_NS (100 * PYRO_NS_PER_MS)
#define LAST_ANSWER_NS (20 * PYRO_NS_PER_MS)
#define PAUSE_NS (2 * PYRO_NS_PER_MS)
/* Looks at threads between two sweeps of the pool, which others go on to fill. */
#define SWEEP_EVERY 256

void pyro_threads_window_start(struct pyro_session *s)
{
	s->threads.taken = s->threads.any = false;
	pyro_hook_births(s->types & PYRO_TYPE_CREATION);
}

void pyro_threads_window_free(struct pyro_session *s)
{
	struct pyro_moment *m = &s->threads;

	pyro_stacks_free(&m->stacks);
	pyro_strings_free(&m->names);
	pyro_pages_free(m->asked, m->cap * sizeof(*m->asked));
	*m = (struct pyro_moment){0};
	pyro_births_free(s);
}

/* What labels call a thread. */
static const char *name_for(struct pyro_moment *m, const char *name)
{
	size_t len = strlen(name);

	if (pyro_strings_find(&m->names, name, len) != PYRO_TABLE_NONE)
		return name;
	if (m->names.count >= NAMES_MAX || m->names.failed)
		return OTHER_NAME;
	pyro_strings_add(&m->names, name, len);
	return name;
}

static void add_stack(struct pyro_moment *m,
		      const struct pyro_stack_frames *stack)
{
	pyro_stacks_add(&m->stacks, stack, 0, 1);
}

void pyro_threads_window_add(struct pyro_session *s,
			     struct pyro_stack_frames *stack, pid_t tid)
{
	struct pyro_moment *m = &s->threads;

	if (tid == 0) {
		add_stack(m, stack);
		return;
	}
	for (size_t i = 0; i < m->count; i++) {
		struct pyro_asked *asked = &m->asked[i];

		if (asked->tid != tid || asked->known)
			continue;
		asked->known = true;
		/* Whatever it was a moment before. */
		stack->labels =
			pyro_labels_with(asked->labels, "state", "running");
		add_stack(m, stack);
	}
}

static void list_thread(void *arg, pid_t tid)
{
	struct pyro_moment *m = arg;
	struct pyro_asked *asked;

	if (pyro_is_library_thread(tid))
		return;
	asked = pyro_array_grow(m->asked, &m->cap, m->count + 1,
				sizeof(*asked));
	if (!asked)
		return;
	m->asked = asked;
	asked[m->count++] = (struct pyro_asked){.tid = tid};
}

static bool is_left(const struct pyro_asked *asked)
{
	return !asked->known && !asked->gone;
}

uint32_t pyro_threads_window_label(struct pyro_session *s, const char *name)
{
	return pyro_labels_with(0, "thread", name_for(&s->threads, name));
}

static void describe(struct pyro_session *s, struct pyro_asked *asked)
{
	struct pyro_thread_facts facts;
	uint32_t labels;

	asked->labels = 0;
	if (pyro_threads_describe(asked->tid, &facts) != 0)
		return;
	labels = pyro_threads_window_label(s, facts.name);
	asked->labels = pyro_labels_with(labels, "state", facts.state);
}

/* Look at a thread from outside. */
static void look_at(struct pyro_session *s, struct pyro_asked *asked)
{
	const struct pyro_snapshot *snapshot = pyro_modules_current();
	struct pyro_record record = {.kind = PYRO_KIND_THREADS};
	struct pyro_walk walk;
	enum pyro_thread_read read;
	size_t depth;

	describe(s, asked);
	read = pyro_threads_read(asked->tid, snapshot, record.pc,
				 s->config.stack_depth, &depth, &walk);
	if (read == PYRO_THREAD_PARKED) {
		record.generation = snapshot ? snapshot->generation : 0;
		record.labels = asked->labels;
		record.depth = (uint16_t)depth;
		record.stop = (uint16_t)walk.stop;
		pyro_collector_add(s, &record);
	}
	asked->known = read == PYRO_THREAD_PARKED;
	asked->gone = read == PYRO_THREAD_GONE;
}

/* At those that are left. Returns how many are left then. */
static size_t look_at_all(struct pyro_session *s)
{
	struct pyro_moment *m = &s->threads;
	size_t left = 0;

	for (size_t i = 0; i < m->count; i++) {
		if (is_left(&m->asked[i]))
			look_at(s, &m->asked[i]);
		left += is_left(&m->asked[i]);
		if (i % SWEEP_EVERY == SWEEP_EVERY - 1)
			pyro_collector_sweep(s);
	}
	pyro_collector_sweep(s);
	return left;
}

/* Those that run, or did not stand still, tell themselves. */
static void ask(struct pyro_session *s, uint64_t timeout_ns)
{
	struct pyro_moment *m = &s->threads;
	uint64_t end = pyro_clock_ns(CLOCK_MONOTONIC) + timeout_ns;
	uint64_t pause = PAUSE_NS;

	pyro_cpu_shots(true);
	for (size_t i = 0; i < m->count; i++)
		m->asked[i].armed =
			is_left(&m->asked[i]) &&
			pyro_cpu_shot(m->asked[i].tid, &m->asked[i].timer) == 0;
	do {
		pyro_sleep_ns(pause);
		pause *= 2;
		pyro_collector_sweep(s);
	} while (look_at_all(s) > 0 && pyro_clock_ns(CLOCK_MONOTONIC) < end);
	pyro_cpu_shots(s->wall.on);
	for (size_t i = 0; i < m->count; i++)
		if (m->asked[i].armed)
			pyro_cpu_shot_end(m->asked[i].timer);
}

static void add_not_reached(struct pyro_moment *m)
{
	static const uint64_t no_frames[1];

	for (size_t i = 0; i < m->count; i++) {
		const struct pyro_stack_frames stack = {
			.frames = no_frames,
			.stop = PYRO_STOP_UNREACHED,
			.labels = m->asked[i].labels,
		};

		if (is_left(&m->asked[i]))
			add_stack(m, &stack);
	}
}

uint32_t pyro_threads_window_own(void)
{
	const struct pyro_snapshot *snapshot = pyro_modules_current();
	const struct pyro_map *map =
		snapshot && pyro_library_can_load()
			? pyro_snapshot_find(snapshot,
					     (uintptr_t)pyro_threads_window_own)
			: NULL;

	return map ? map->module : 0;
}

void pyro_threads_window_take(struct pyro_session *s, bool asked, bool last)
{
	struct pyro_moment *m = &s->threads;
	uint64_t began = pyro_budget_work_ns();

	/* The program ending is a moment only where there is no better one. */
	if (!(s->types & PYRO_TYPE_MOMENT) || (last && m->any) ||
	    !(asked || pyro_budget_allows_moment(s)))
		return;
	pyro_stacks_clear(&m->stacks);
	m->own = pyro_threads_window_own();
	m->count = 0;
	if (pyro_each_thread(list_thread, m) != 0) {
		m->count = 0; /* no profile: nobody knows who there is */
		return;
	}
	if (look_at_all(s) > 0)
		ask(s, last ? LAST_ANSWER_NS : ANSWER_NS);
	add_not_reached(m);
	if (s->types & PYRO_TYPE_CREATION) {
		pyro_collector_sweep(s); /* those of a moment ago, too */
		pyro_births_take(s);
	}
	m->count = 0; /* answers that are late find nobody */
	m->taken = m->any = true;
	m->took_ns = pyro_budget_work_ns() - began;
}

static void write_as(struct pyro_session *s, const struct pyro_stacks *stacks,
		     uint64_t not_seen, const char *type,
		     enum pyro_output output)
{
	const struct pyro_window *w = &s->windows[PYRO_OUTPUT_THREADS];
	const struct pyro_threads_moment moment = {
		.stacks = stacks,
		.not_seen = not_seen,
		.type = type,
		.time_ns = w->time_ns,
		.duration_ns = w->duration_ns,
		.symbolize = s->config.symbolize,
		.strip = s->config.strip,
		.lines = s->lines,
		.names = s->names,
	};
	struct pyro_profile *profile =
		pyro_threads_profile(&moment, s->modules);

	if (profile)
		pyro_output_comment(profile, "threads", stacks->stops, 0);
	pyro_output_window(s, output, profile, false);
	pyro_profile_free(profile);
}

static void want_lines(struct pyro_session *s, const struct pyro_stacks *stacks)
{
	for (size_t i = 0; i < stacks->set.count; i++)
		pyro_window_want_lines(s, &stacks->set.stacks[i],
				       stacks->values[i].ticks);
}

/* What cannot be written is gone: the next window has a moment of its own. */
bool pyro_threads_window_end(struct pyro_session *s, bool last)
{
	const struct pyro_stacks *now = &s->threads.stacks;
	uint32_t types = s->types;
	uint64_t began = pyro_budget_work_ns();

	if (!s->threads.taken)
		return true;
	s->threads.taken = false;
	if (s->lines) {
		want_lines(s, now);
		want_lines(s, &s->births.now);
		pyro_window_lines(s, last);
	}
	/* A folder's reader knows them by one name. */
	if ((types & PYRO_TYPE_THREADS) ||
	    ((types & PYRO_TYPE_GOROUTINES) && !s->uploader))
		write_as(s, now, 0, "threads", PYRO_OUTPUT_THREADS);
	if ((types & PYRO_TYPE_GOROUTINES) && s->uploader)
		write_as(s, now, 0, "goroutine", PYRO_OUTPUT_GOROUTINES);
	if (types & PYRO_TYPE_CREATION)
		write_as(s, &s->births.now, s->births.not_seen, "threads",
			 PYRO_OUTPUT_CREATION);
	pyro_budget_moment(s,
			   s->threads.took_ns + pyro_budget_work_ns() - began);
	return true;
}
