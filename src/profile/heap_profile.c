// SPDX-License-Identifier: Apache-2.0
/* heap_profile.c - what was allocated and what is in use, by stack
 *
 * Sums are rounded here, once a stack and value: rounded weights of single
 * samples would add up to something else. */
#include "profile/heap_profile.h"

struct builder {
	struct pyro_frames frames;
	const struct pyro_heap_stacks *stacks;
	uint32_t types;
	struct pyro_label age; /* its key and unit */
};

static int64_t rounded(double value)
{
	return value < 9e18 ? (int64_t)(value + 0.5) : INT64_MAX;
}

static void add_sample(struct builder *b, const struct pyro_place *at,
		       const struct pyro_heap_values *alloc,
		       const struct pyro_heap_values *inuse, size_t ages)
{
	const struct {
		uint32_t bit;
		double value;
	} all[] = {
		{PYRO_TYPE_ALLOC_OBJECTS, alloc->objects},
		{PYRO_TYPE_ALLOC_SPACE, alloc->bytes},
		{PYRO_TYPE_INUSE_OBJECTS, inuse->objects},
		{PYRO_TYPE_INUSE_SPACE, inuse->bytes},
	};
	int64_t values[PYRO_COUNT_OF(all)];
	size_t count = 0;
	bool any = false;

	for (size_t i = 0; i < PYRO_COUNT_OF(all); i++) {
		if (!(b->types & all[i].bit))
			continue;
		values[count] = rounded(all[i].value);
		any |= values[count++] != 0;
	}
	if (any)
		pyro_profile_sample(b->frames.profile, at->locations, at->depth,
				    at->labels, at->label_count + ages, values);
}

/* A stack's values: one sample, or one for each age and one for what was
 * allocated. */
static void add_values(struct builder *b, struct pyro_place *at,
		       const struct pyro_heap_stack *values)
{
	static const struct pyro_heap_values none;
	const struct pyro_heap_inuse *inuse = b->stacks->inuse;

	if (!b->stacks->ages) {
		add_sample(b, at, &values->alloc,
			   values->inuse ? &inuse[values->inuse - 1].values
					 : &none,
			   0);
		return;
	}
	add_sample(b, at, &values->alloc, &none, 0);
	for (uint32_t i = values->inuse; i; i = inuse[i - 1].next) {
		struct pyro_label age = b->age;

		age.num = inuse[i - 1].age_s;
		at->labels[at->label_count] = age;
		add_sample(b, at, &none, &inuse[i - 1].values, 1);
	}
}

static bool has_values(const struct builder *b,
		       const struct pyro_heap_stack *values)
{
	return ((b->types & PYRO_TYPE_ALLOC) && values->alloc.objects > 0) ||
	       ((b->types & PYRO_TYPE_INUSE) && values->inuse);
}

static void add_stacks(struct builder *b)
{
	const struct pyro_stack_set *set = &b->stacks->set;
	const struct pyro_heap_stack *values = b->stacks->values;

	for (size_t i = 0; i < set->count; i++)
		if (has_values(b, &values[i]))
			pyro_frames_want(&b->frames, &set->stacks[i]);
	pyro_frames_wanted(&b->frames);
	for (size_t i = 0; i < set->count; i++) {
		struct pyro_place at;

		if (!has_values(b, &values[i]))
			continue;
		pyro_frames_place(&b->frames, &set->stacks[i], &at);
		add_values(b, &at, &values[i]);
	}
}

static void add_pseudo(struct builder *b, const char *name,
		       const struct pyro_heap_stack *values)
{
	struct pyro_place at = {.depth = 1};

	if (!has_values(b, values))
		return;
	at.locations[0] = pyro_profile_pseudo(b->frames.profile, name);
	add_values(b, &at, values);
}

struct pyro_profile *pyro_heap_profile(const struct pyro_heap_window *window,
				       struct pyro_modules *modules)
{
	const struct pyro_heap_stack lost = {.alloc = window->lost};
	struct pyro_profile *profile = pyro_profile_new();
	struct builder b = {
		.frames = {.profile = profile,
			   .modules = modules,
			   .symbolize = window->symbolize,
			   .strip = window->strip,
			   .lines = window->lines,
			   .names = window->names},
		.stacks = window->stacks,
		.types = window->types,
	};

	if (!profile)
		return NULL;
	pyro_profile_set_heap(profile, window->types,
			      (int64_t)window->interval);
	profile->time_ns = window->time_ns;
	profile->duration_ns = window->duration_ns;
	if (window->stacks->ages) {
		b.age.key = pyro_profile_string(profile, "age");
		b.age.num_unit = pyro_profile_string(profile, "seconds");
	}
	add_stacks(&b);
	pyro_frames_free(&b.frames);
	add_pseudo(&b, "[overflow]", &window->stacks->overflow);
	add_pseudo(&b, "[lost]", &lost);
	if (pyro_profile_error(profile)) {
		pyro_profile_free(profile);
		return NULL;
	}
	return profile;
}
