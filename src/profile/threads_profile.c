// SPDX-License-Identifier: Apache-2.0
/* threads_profile.c - how many threads there are of each stack, or how long */
#include "profile/threads_profile.h"

static void add_stacks(struct pyro_frames *f, const struct pyro_stacks *stacks)
{
	for (size_t i = 0; i < stacks->set.count; i++)
		pyro_frames_want(f, &stacks->set.stacks[i]);
	pyro_frames_wanted(f);
	for (size_t i = 0; i < stacks->set.count; i++) {
		int64_t values[] = {(int64_t)stacks->values[i].ticks,
				    (int64_t)stacks->values[i].ns};
		struct pyro_place at;

		pyro_frames_place(f, &stacks->set.stacks[i], &at);
		pyro_profile_sample(f->profile, at.locations, at.depth,
				    at.labels, at.label_count, values);
	}
}

static void add_pseudo(struct pyro_profile *profile, const char *name,
		       uint64_t count, uint64_t ns)
{
	int64_t values[] = {(int64_t)count, (int64_t)ns};
	uint32_t location;

	if (!count)
		return;
	location = pyro_profile_pseudo(profile, name);
	pyro_profile_sample(profile, &location, 1, NULL, 0, values);
}

struct pyro_profile *
pyro_threads_profile(const struct pyro_threads_moment *moment,
		     struct pyro_modules *modules)
{
	struct pyro_profile *profile = pyro_profile_new();
	struct pyro_frames frames = {
		.profile = profile,
		.modules = modules,
		.symbolize = moment->symbolize,
		.strip = moment->strip,
		.lines = moment->lines,
		.names = moment->names,
	};

	if (!profile)
		return NULL;
	if (moment->interval_ns)
		pyro_profile_set_wall(profile, moment->interval_ns);
	else
		pyro_profile_set_threads(profile, moment->type);
	profile->time_ns = moment->time_ns;
	profile->duration_ns = moment->duration_ns;
	add_stacks(&frames, moment->stacks);
	pyro_frames_free(&frames);
	add_pseudo(profile, "[overflow]", moment->stacks->overflow.ticks,
		   moment->stacks->overflow.ns);
	add_pseudo(profile, "[creator not seen]", moment->not_seen, 0);
	if (pyro_profile_error(profile)) {
		pyro_profile_free(profile);
		return NULL;
	}
	return profile;
}
