// SPDX-License-Identifier: Apache-2.0
/* cpu_profile.c - a window's stacks, and what was not sampled made visible */
#include "profile/cpu_profile.h"

static void add_values(struct pyro_profile *profile, const uint32_t *stack,
		       size_t depth, const struct pyro_label *labels,
		       size_t label_count, uint64_t ticks, uint64_t ns)
{
	int64_t values[2] = {(int64_t)ticks, (int64_t)ns};

	if (ns > 0)
		pyro_profile_sample(profile, stack, depth, labels, label_count,
				    values);
}

/* Room for one mark more: a leaf that is no code. */
static void add_stack(struct pyro_frames *f, const struct pyro_stack_frames *s,
		      const struct pyro_stack_values *values)
{
	struct pyro_label labels[PYRO_FRAMES_LABELS_MAX];
	size_t label_count = pyro_frames_labels(f, s, labels);
	uint32_t stack[PYRO_FRAMES_MAX + 1];
	uint32_t *leaf = stack + 1;
	size_t depth = pyro_frames_stack(f, s, leaf);

	add_values(f->profile, leaf, depth, labels, label_count, values->ticks,
		   values->ns - values->delayed_ns);
	if (values->delayed_ns) {
		stack[0] = pyro_profile_pseudo(f->profile, "[signal delayed]");
		add_values(f->profile, stack, depth + 1, labels, label_count, 0,
			   values->delayed_ns);
	}
}

static void add_stacks(struct pyro_frames *f, const struct pyro_stacks *stacks)
{
	for (size_t i = 0; i < stacks->set.count; i++)
		pyro_frames_want(f, &stacks->set.stacks[i]);
	pyro_frames_wanted(f);
	for (size_t i = 0; i < stacks->set.count; i++)
		add_stack(f, &stacks->set.stacks[i], &stacks->values[i]);
}

static void add_pseudo(struct pyro_profile *profile, const char *name,
		       uint64_t ticks, uint64_t ns)
{
	uint32_t location;

	if (ns == 0)
		return;
	location = pyro_profile_pseudo(profile, name);
	add_values(profile, &location, 1, NULL, 0, ticks, ns);
}

struct pyro_profile *pyro_cpu_profile(const struct pyro_cpu_window *window,
				      struct pyro_modules *modules)
{
	const struct pyro_stacks *stacks = window->stacks;
	struct pyro_profile *profile = pyro_profile_new();
	struct pyro_frames frames = {
		.profile = profile,
		.modules = modules,
		.symbolize = window->symbolize,
		.strip = window->strip,
		.lines = window->lines,
		.names = window->names,
		.spans = stacks->spans,
		.traces = window->traces,
	};
	uint64_t period = window->period_ns;

	if (!profile)
		return NULL;
	pyro_profile_set_cpu(profile, (int64_t)period);
	profile->time_ns = window->time_ns;
	profile->duration_ns = window->duration_ns;
	add_stacks(&frames, stacks);
	pyro_frames_free(&frames);
	add_pseudo(profile, "[overflow]", stacks->overflow.ticks,
		   stacks->overflow.ns);
	add_pseudo(profile, "[lost]", window->lost_ticks, window->lost_ns);
	add_pseudo(profile, "[unsampled]", window->unsampled_ns / period,
		   window->unsampled_ns);
	add_pseudo(profile, "[pyroscope]", window->library_ns / period,
		   window->library_ns);
	if (pyro_profile_error(profile)) {
		pyro_profile_free(profile);
		return NULL;
	}
	return profile;
}
