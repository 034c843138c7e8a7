// SPDX-License-Identifier: Apache-2.0
/* wait_profile.c - who waited, or made others wait, by stack */
#include "profile/wait_profile.h"

struct builder {
	struct pyro_frames frames;
	bool count, duration; /* which values */
	bool classes;         /* are told apart */
	struct pyro_label class[PYRO_WAIT_CLASSES];
};

static bool has(struct pyro_weight sum)
{
	return sum.count || sum.value;
}

static int64_t clamped(uint64_t value)
{
	return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

static void add_sample(struct builder *b, const struct pyro_place *at,
		       struct pyro_weight sum)
{
	int64_t values[2];
	size_t count = 0;

	if (b->count)
		values[count++] = clamped(sum.count);
	if (b->duration)
		values[count++] = clamped(sum.value);
	if (has(sum))
		pyro_profile_sample(b->frames.profile, at->locations, at->depth,
				    at->labels, at->label_count, values);
}

static void add_values(struct builder *b, struct pyro_place *at,
		       const struct pyro_wait_stack *values)
{
	size_t own = at->label_count;

	for (int c = 0; c < PYRO_WAIT_CLASSES; c++) {
		at->labels[own] = b->class[c];
		at->label_count = own + b->classes;
		add_sample(b, at, values->sum[c]);
	}
}

static void add_stacks(struct builder *b, const struct pyro_wait_stacks *w)
{
	for (size_t i = 0; i < w->set.count; i++)
		pyro_frames_want(&b->frames, &w->set.stacks[i]);
	pyro_frames_wanted(&b->frames);
	for (size_t i = 0; i < w->set.count; i++) {
		struct pyro_place at;

		pyro_frames_place(&b->frames, &w->set.stacks[i], &at);
		add_values(b, &at, &w->values[i]);
	}
}

static bool is_empty(const struct pyro_wait_stack *values)
{
	for (int c = 0; c < PYRO_WAIT_CLASSES; c++)
		if (has(values->sum[c]))
			return false;
	return true;
}

static struct pyro_place pseudo(struct builder *b, const char *name)
{
	struct pyro_place at = {.depth = 1};

	at.locations[0] = pyro_profile_pseudo(b->frames.profile, name);
	return at;
}

/* What has no stack of its own, and no class where it was not kept. */
static void add_pseudo(struct builder *b, const struct pyro_wait_window *window)
{
	struct pyro_place at;

	if (!is_empty(&window->stacks->overflow)) {
		at = pseudo(b, "[overflow]");
		add_values(b, &at, &window->stacks->overflow);
	}
	if (has(window->not_captured)) {
		at = pseudo(b, "[stack not captured]");
		add_sample(b, &at, window->not_captured);
	}
	if (has(window->left_over)) {
		at = pseudo(b, "[unlocker not seen]");
		add_sample(b, &at, window->left_over);
	}
}

static void name_classes(struct builder *b)
{
	static const char *const name[] = {
		[PYRO_WAIT_SYNC] = "sync",
		[PYRO_WAIT_IO] = "io",
		[PYRO_WAIT_SLEEP] = "sleep",
	};
	struct pyro_profile *profile = b->frames.profile;

	for (int i = 0; i < PYRO_WAIT_CLASSES; i++)
		b->class[i] = (struct pyro_label){
			.key = pyro_profile_string(profile, "wait_class"),
			.str = pyro_profile_string(profile, name[i]),
		};
}

struct pyro_profile *pyro_wait_profile(const struct pyro_wait_window *window,
				       struct pyro_modules *modules)
{
	struct pyro_profile *profile = pyro_profile_new();
	struct builder b = {
		.frames = {.profile = profile,
			   .modules = modules,
			   .symbolize = window->symbolize,
			   .strip = window->strip,
			   .lines = window->lines,
			   .names = window->names},
		.count = window->types &
			 (PYRO_TYPE_MUTEX_COUNT | PYRO_TYPE_BLOCK_COUNT),
		.duration = window->types & (PYRO_TYPE_MUTEX_DURATION |
					     PYRO_TYPE_BLOCK_DURATION),
		.classes = window->types & PYRO_TYPE_BLOCK,
	};

	if (!profile)
		return NULL;
	pyro_profile_set_wait(profile, window->types);
	profile->time_ns = window->time_ns;
	profile->duration_ns = window->duration_ns;
	if (b.classes)
		name_classes(&b);
	add_stacks(&b, window->stacks);
	pyro_frames_free(&b.frames);
	add_pseudo(&b, window);
	if (pyro_profile_error(profile)) {
		pyro_profile_free(profile);
		return NULL;
	}
	return profile;
}
