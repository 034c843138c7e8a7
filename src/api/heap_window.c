// SPDX-License-Identifier: Apache-2.0
/* heap_window.c - the collector's heap part: records in, profiles out */
#include <stdio.h>

#include "api/session.h"
#include "api/stats.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/os.h"
#include "profile/heap_profile.h"
#include "source/bind.h"
#include "source/heap.h"

static bool wanted(const struct pyro_session *s)
{
	return s->types & PYRO_TYPE_HEAP;
}

void pyro_heap_window_start(struct pyro_session *s)
{
	s->heap_paused_ns = s->heap_paused_since_ns = 0;
	if (wanted(s))
		pyro_heap_start(s->config.heap_interval);
	else if (s->config.types & PYRO_TYPE_HEAP)
		pyro_heap_window_pause(s, true); /* in a forked child */
}

void pyro_heap_window_pause(struct pyro_session *s, bool paused)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	if (paused) {
		pyro_heap_stop();
		s->heap_paused_since_ns = now;
	} else {
		pyro_heap_start(s->config.heap_interval);
		pyro_heap_set_halvings(s->own.halvings);
		s->heap_paused_ns += now - s->heap_paused_since_ns;
		s->heap_paused_since_ns = 0;
	}
}

/* What cannot start for want of memory says so in one line, not in two. */
void pyro_heap_window_arm(struct pyro_session *s)
{
	if (!wanted(s))
		return;
	if (pyro_heap_interval() == 0)
		PYRO_LOG_ONCE("the heap is not profiled: out of memory");
}

void pyro_heap_window_add(struct pyro_session *s,
			  const struct pyro_stack_frames *stack,
			  const struct pyro_heap_sample *sample)
{
	pyro_counts.heap_samples++;
	pyro_heap_stacks_add(&s->heap, stack, sample,
			     pyro_clock_ns(CLOCK_MONOTONIC));
}

static void add_live(void *arg, const struct pyro_heap_sample *sample)
{
	pyro_heap_stacks_live(arg, sample->id, sample->size, sample->interval);
}

static void look_at_live(struct pyro_session *s, uint64_t now)
{
	pyro_heap_stacks_live_begin(&s->heap, now, s->config.heap_ages);
	pyro_live_each(add_live, &s->heap);
	pyro_heap_stacks_live_end(&s->heap);
}

void pyro_heap_window_round(struct pyro_session *s, uint64_t now)
{
	struct pyro_weight lost = pyro_slots_lost(PYRO_KIND_HEAP);

	pyro_counts.heap_lost += lost.count;
	s->heap_lost.count += lost.count;
	s->heap_lost.value += lost.value;
	pyro_heap_adapt(now);
	if (pyro_heap_stacks_is_full(&s->heap))
		look_at_live(s, now);
}

/* How the program's calls of malloc() reach the hook. */
static const char *mode_name(enum pyro_bind_mode mode)
{
	switch (mode) {
	case PYRO_BIND_SYMBOLS:
		return "symbols";
	case PYRO_BIND_GOT:
		return "got";
	case PYRO_BIND_OWN:
		return "own";
	case PYRO_BIND_WRAP:
		return "wrap";
	default:
		return "none";
	}
}

static void comment_pause(const struct pyro_session *s,
			  struct pyro_profile *profile)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "the heap was paused for %.3f s so far: what was allocated "
		 "then is not here",
		 (double)s->heap_paused_ns / (double)PYRO_NS_PER_SEC);
	pyro_profile_comment(profile, text);
}

static void comment(const struct pyro_session *s, struct pyro_profile *profile)
{
	const struct pyro_heap_stacks *h = &s->heap;
	enum pyro_bind_mode mode = pyro_bind_mode("malloc");
	struct pyro_buf text = {0};

	pyro_buf_printf(
		&text,
		"pyroscope: heap samples=%llu live=%llu lost=%llu "
		"truncated=%llu interval=%llu hooks=%s",
		(unsigned long long)h->records,
		(unsigned long long)pyro_live_count(),
		(unsigned long long)s->heap_lost.count,
		(unsigned long long)(h->records - h->stops[PYRO_STOP_END]),
		(unsigned long long)pyro_heap_interval(), mode_name(mode));
	pyro_buf_put(&text, "", 1);
	if (!text.failed)
		pyro_profile_comment(profile, (const char *)text.data);
	pyro_buf_free(&text);
	if (s->heap_paused_ns)
		comment_pause(s, profile);
	if (mode == PYRO_BIND_OWN)
		pyro_profile_comment(profile,
				     "the program has a malloc() of its own: "
				     "only what its libraries allocate is "
				     "here");
}

static void want_lines(struct pyro_session *s)
{
	for (size_t i = 0; i < s->heap.set.count; i++)
		pyro_window_want_lines(s, &s->heap.set.stacks[i],
				       (uint64_t)s->heap.values[i].alloc.bytes +
					       1);
}

bool pyro_heap_window_end(struct pyro_session *s, bool last)
{
	const struct pyro_window *w = &s->windows[PYRO_OUTPUT_HEAP];
	struct pyro_heap_window window = {
		.stacks = &s->heap,
		.types = s->types & PYRO_TYPE_HEAP,
		.interval =
			pyro_max(pyro_heap_interval(), s->config.heap_interval),
		.time_ns = w->time_ns,
		.duration_ns = w->duration_ns,
		.lost = {(double)s->heap_lost.count,
			 (double)s->heap_lost.value},
		.symbolize = s->config.symbolize,
		.strip = s->config.strip,
		.lines = s->lines,
		.names = s->names,
	};
	struct pyro_profile *profile;
	bool over;

	look_at_live(s, pyro_clock_ns(CLOCK_MONOTONIC));
	if (s->lines) {
		want_lines(s);
		pyro_window_lines(s, last);
	}
	profile = pyro_heap_profile(&window, s->modules);
	if (profile)
		comment(s, profile);
	over = pyro_output_window(s, PYRO_OUTPUT_HEAP, profile, w->may_go_on);
	pyro_profile_free(profile);
	if (over) {
		s->heap_lost = (struct pyro_weight){0};
		pyro_heap_stacks_next(&s->heap);
	}
	return over;
}
