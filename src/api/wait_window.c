// SPDX-License-Identifier: Apache-2.0
/* wait_window.c - the collector's part of the mutex and block profiles */
#include "api/session.h"
#include "base/os.h"
#include "profile/wait_profile.h"
#include "source/lock_waiters.h"
#include "source/wait.h"

#define BLOCK_RATE_NS PYRO_NS_PER_MS

/* As in pyro_session.waits. */
static const struct {
	enum pyro_kind kind;
	uint32_t types;
	const char *name;
} waits[] = {
	{PYRO_KIND_MUTEX, PYRO_TYPE_MUTEX, "mutex"},
	{PYRO_KIND_BLOCK, PYRO_TYPE_BLOCK, "block"},
};

void pyro_wait_window_start(struct pyro_session *s)
{
	for (size_t i = 0; i < PYRO_COUNT_OF(waits); i++)
		s->waits[i] = (struct pyro_waits){.stacks = s->waits[i].stacks};
	pyro_wait_window_switch(s, s->types);
}

/* Who waits for a lock now does so on either side of this moment. */
static struct pyro_weight cut(void)
{
	return pyro_lock_cut(pyro_clock_ns(CLOCK_MONOTONIC));
}

/* Twice, as waits begin and end meanwhile. */
void pyro_wait_window_switch(struct pyro_session *s, uint32_t types)
{
	bool was_mutex = atomic_load(&pyro_wait_state.caused);
	bool changes = was_mutex != ((types & PYRO_TYPE_MUTEX) != 0);
	struct pyro_weight left[2] = {{0, 0}, {0, 0}};

	if (changes)
		left[0] = cut();
	pyro_wait_start(types & PYRO_TYPE_BLOCK ? BLOCK_RATE_NS : 0,
			s->config.block_classes, types & PYRO_TYPE_MUTEX);
	pyro_wait_set_halvings(s->own.halvings);
	if (changes && was_mutex)
		left[1] = cut();
	for (size_t i = 0; i < 2 && was_mutex; i++)
		pyro_wait_left_over(left[i].count, left[i].value);
}

void pyro_wait_window_add(struct pyro_session *s,
			  const struct pyro_stack_frames *stack,
			  const struct pyro_record *record)
{
	pyro_wait_stacks_add(&s->waits[record->kind == PYRO_KIND_BLOCK].stacks,
			     stack, record->wait_class, record->weight);
}

void pyro_wait_window_round(struct pyro_session *s, uint64_t now)
{
	for (size_t i = 0; i < PYRO_COUNT_OF(waits); i++) {
		struct pyro_waits *w = &s->waits[i];
		struct pyro_weight lost = pyro_slots_lost(waits[i].kind);

		w->lost += lost.count;
		pyro_weight_add(&w->not_captured, lost);
		pyro_weight_add(&w->not_captured,
				pyro_wait_take_not_captured(waits[i].kind));
	}
	pyro_weight_add(&s->waits[0].left_over, pyro_wait_take_left_over());
	pyro_wait_adapt(now);
}

static void want_lines(struct pyro_session *s,
		       const struct pyro_wait_stacks *stacks)
{
	for (size_t i = 0; i < stacks->set.count; i++)
		for (int c = 0; c < PYRO_WAIT_CLASSES; c++)
			if (stacks->values[i].sum[c].count)
				pyro_window_want_lines(
					s, &stacks->set.stacks[i],
					stacks->values[i].sum[c].value + 1);
}

static struct pyro_profile *build(struct pyro_session *s, size_t i,
				  const struct pyro_window *w)
{
	const struct pyro_wait_window window = {
		.stacks = &s->waits[i].stacks,
		.types = s->types & waits[i].types,
		.time_ns = w->time_ns,
		.duration_ns = w->duration_ns,
		.not_captured = s->waits[i].not_captured,
		.left_over = s->waits[i].left_over,
		.symbolize = s->config.symbolize,
		.strip = s->config.strip,
		.lines = s->lines,
		.names = s->names,
	};
	struct pyro_profile *profile = pyro_wait_profile(&window, s->modules);

	if (profile)
		pyro_output_comment(profile, waits[i].name,
				    s->waits[i].stacks.stops, s->waits[i].lost);
	return profile;
}

static bool is_empty(const struct pyro_waits *w)
{
	return w->stacks.records == 0 && w->not_captured.count == 0 &&
	       w->left_over.count == 0;
}

bool pyro_wait_window_end(struct pyro_session *s, enum pyro_output output,
			  bool last)
{
	const struct pyro_window *w = &s->windows[output];
	size_t i = output == PYRO_OUTPUT_BLOCK;
	struct pyro_waits *of = &s->waits[i];
	struct pyro_profile *profile;
	bool over;

	if (is_empty(of) && !last)
		return true;
	if (s->lines) {
		want_lines(s, &of->stacks);
		pyro_window_lines(s, last);
	}
	profile = build(s, i, w);
	over = pyro_output_window(s, output, profile, w->may_go_on);
	pyro_profile_free(profile);
	if (over) {
		pyro_wait_stacks_clear(&of->stacks);
		*of = (struct pyro_waits){.stacks = of->stacks};
	}
	return over;
}

void pyro_wait_window_free(struct pyro_session *s)
{
	for (size_t i = 0; i < PYRO_COUNT_OF(waits); i++)
		pyro_wait_stacks_free(&s->waits[i].stacks);
}
