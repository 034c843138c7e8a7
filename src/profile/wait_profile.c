// SPDX-License-Identifier: Apache-2.0
/* wait_profile.c - who waited, or made others wait, by stack */
#include "profile/wait_profile.h"

struct builder {
	struct pyro_frames frames;
	bool count, duration; /* which values */
	bool classes;         /* are told apart */
	struct pyro_label class[PYRO_WAIT_CLASSES];
};

static int64_t clamped(uint64_t value)
{
	return value < INT64_MAX ? (int64_t)value : INT64_MAX;
}

static void add_sample(struct builder *b, const uint32_t *stack, size_t depth,
		       struct pyro_weight sum, const struct pyro_label *label)
{
	int64_t values[2];
	size_t count = 0;

	if (b->count)
		values[count++] = clamped(sum.count);
	if (b->duration)
		values[count++] = clamped(sum.value);
	if (sum.count || sum.value)
		pyro_profile_sample(b->frames.profile, stack, depth, label,
				    label ? 1 : 0, values);
}

static void add_values(struct builder *b, const uint32_t *stack, size_t depth,
		       const struct pyro_wait_stack *values)
{
	for (int c = 0; c < PYRO_WAIT_CLASSES; c++)
		add_sample(b, stack, depth, values->sum[c],
			   b->classes ? &b->class[c] : NULL);
}

static void add_stacks(struct builder *b, const struct pyro_wait_stacks *w)
{
	for (size_t i = 0; i < w->set.count; i++)
		pyro_frames_want(&b->frames, w->set.stacks[i].frames,
				 w->set.stacks[i].depth);
	pyro_frames_wanted(&b->frames);
	for (size_t i = 0; i < w->set.count; i++) {
		const struct pyro_stack_frames *s = &w->set.stacks[i];
		uint32_t stack[PYRO_FRAMES_MAX];

		add_values(b, stack,
			   pyro_frames_stack(&b->frames, s->frames, s->depth,
					     s->stop, stack),
			   &w->values[i]);
	}
}

static void add_pseudo(struct builder *b, const char *name,
		       const struct pyro_wait_stack *values, bool labels)
{
	for (int c = 0; c < PYRO_WAIT_CLASSES; c++) {
		struct pyro_weight sum = values->sum[c];
		uint32_t location;

		if (!sum.count && !sum.value)
			continue;
		location = pyro_profile_pseudo(b->frames.profile, name);
		add_sample(b, &location, 1, sum, labels ? &b->class[c] : NULL);
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
	const struct pyro_wait_stack not_captured = {{window->not_captured}};
	const struct pyro_wait_stack left_over = {{window->left_over}};
	struct pyro_profile *profile = pyro_profile_new();
	struct builder b = {
		.frames = {.profile = profile,
			   .modules = modules,
			   .symbolize = window->symbolize,
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
	add_pseudo(&b, "[overflow]", &window->stacks->overflow, b.classes);
	add_pseudo(&b, "[stack not captured]", &not_captured, false);
	add_pseudo(&b, "[unlocker not seen]", &left_over, false);
	if (pyro_profile_error(profile)) {
		pyro_profile_free(profile);
		return NULL;
	}
	return profile;
}
