// SPDX-License-Identifier: Apache-2.0
/* merge.c - many profiles into one, one less another, and one into less
 *
 * All copy samples from one profile into another and bring along what those
 * samples use, each thing once: four arrays translate the numbers of the one
 * into the numbers of the other, 0 standing for what was not copied yet. */
#include "profile/merge.h"

#include <errno.h>
#include <string.h>

struct copy {
	struct pyro_profile *to;
	const struct pyro_profile *from;
	const int64_t *factor; /* of each type's values; NULL: all 1 */
	size_t column[PYRO_PROFILE_TYPES_MAX]; /* of each type in to */
	bool unlabelled;
	/* From from's number to to's; one allocation. */
	uint32_t *string, *mapping, *function, *location;
	size_t map_bytes;
	/* Room for one location's lines, one sample's stack and labels. */
	struct pyro_line *lines;
	uint32_t *stack;
	struct pyro_label *labels;
	size_t lines_cap, stack_cap, labels_cap;
};

static int copy_begin(struct copy *copy, struct pyro_profile *to,
		      const struct pyro_profile *from)
{
	size_t lines = 1, depth = 1, labels = 1;

	for (size_t i = 0; i < from->locations_count; i++)
		lines = pyro_max(lines, from->locations[i].line_count);
	for (size_t i = 0; i < from->samples_count; i++) {
		depth = pyro_max(depth, from->samples[i].location_count);
		labels = pyro_max(labels, from->samples[i].label_count);
	}

	*copy = (struct copy){.to = to, .from = from};
	for (size_t i = 0; i < PYRO_PROFILE_TYPES_MAX; i++)
		copy->column[i] = i;
	copy->map_bytes = sizeof(uint32_t) *
			  (from->strings.count + from->mappings_count +
			   from->functions_count + from->locations_count);
	copy->string = pyro_pages_alloc(copy->map_bytes);
	copy->lines = pyro_array_grow(NULL, &copy->lines_cap, lines,
				      sizeof(*copy->lines));
	copy->stack = pyro_array_grow(NULL, &copy->stack_cap, depth,
				      sizeof(*copy->stack));
	copy->labels = pyro_array_grow(NULL, &copy->labels_cap, labels,
				       sizeof(*copy->labels));
	if (!copy->string || !copy->lines || !copy->stack || !copy->labels)
		return -ENOMEM;
	copy->mapping = copy->string + from->strings.count;
	copy->function = copy->mapping + from->mappings_count;
	copy->location = copy->function + from->functions_count;
	return 0;
}

static void copy_end(struct copy *copy)
{
	pyro_pages_free(copy->string, copy->map_bytes);
	pyro_pages_free(copy->lines, copy->lines_cap * sizeof(*copy->lines));
	pyro_pages_free(copy->stack, copy->stack_cap * sizeof(*copy->stack));
	pyro_pages_free(copy->labels, copy->labels_cap * sizeof(*copy->labels));
}

static uint32_t copy_string(struct copy *copy, uint32_t from)
{
	/* Clean already, so not through pyro_profile_string. */
	if (copy->string[from] == 0) {
		const struct pyro_string *s = &copy->from->strings.items[from];

		copy->string[from] =
			pyro_strings_add(&copy->to->strings, s->data, s->len);
	}
	return copy->string[from];
}

static uint32_t copy_mapping(struct copy *copy, uint32_t from)
{
	if (from == 0)
		return 0;

	uint32_t *done = &copy->mapping[from - 1];

	if (*done == 0) {
		struct pyro_mapping mapping = copy->from->mappings[from - 1];

		mapping.filename = copy_string(copy, mapping.filename);
		mapping.build_id = copy_string(copy, mapping.build_id);
		*done = pyro_profile_mapping(copy->to, &mapping);
	}
	return *done;
}

static uint32_t copy_function(struct copy *copy, uint32_t from)
{
	uint32_t *done = &copy->function[from - 1];

	if (*done == 0) {
		struct pyro_function f = copy->from->functions[from - 1];

		f.name = copy_string(copy, f.name);
		f.system_name = copy_string(copy, f.system_name);
		f.filename = copy_string(copy, f.filename);
		*done = pyro_profile_function(copy->to, &f);
	}
	return *done;
}

static uint32_t copy_location(struct copy *copy, uint32_t from)
{
	uint32_t *done = &copy->location[from - 1];

	if (*done == 0) {
		const struct pyro_location *at =
			&copy->from->locations[from - 1];
		uint32_t mapping = copy_mapping(copy, at->mapping);

		for (size_t i = 0; i < at->line_count; i++) {
			const struct pyro_line *line =
				&copy->from->lines[at->first_line + i];

			copy->lines[i].function =
				copy_function(copy, line->function);
			copy->lines[i].line = line->line;
		}
		*done = pyro_profile_location(copy->to, at->address, mapping,
					      copy->lines, at->line_count);
	}
	return *done;
}

/* The sample's values by their factors, in to's order. Returns false if factors
 * leave nothing. */
static bool scale(const struct copy *copy, const struct pyro_sample *sample,
		  int64_t values[PYRO_PROFILE_TYPES_MAX])
{
	bool any = !copy->factor;

	memset(values, 0, PYRO_PROFILE_TYPES_MAX * sizeof(*values));
	/* Unsigned, because values that were read from a file may overflow. */
	for (size_t i = 0; i < copy->from->type_count; i++) {
		uint64_t factor = copy->factor ? (uint64_t)copy->factor[i] : 1;
		int64_t *to = &values[copy->column[i]];

		*to = (int64_t)((uint64_t)*to +
				(uint64_t)sample->value[i] * factor);
		any |= *to != 0;
	}
	return any;
}

static void copy_sample(struct copy *copy, const struct pyro_sample *sample)
{
	const struct pyro_profile *from = copy->from;
	size_t label_count = copy->unlabelled ? 0 : sample->label_count;
	int64_t values[PYRO_PROFILE_TYPES_MAX];

	if (!scale(copy, sample, values))
		return;
	for (size_t i = 0; i < sample->location_count; i++)
		copy->stack[i] = copy_location(
			copy, from->location_ids[sample->first_location + i]);
	for (size_t i = 0; i < label_count; i++) {
		struct pyro_label *label = &copy->labels[i];

		*label = from->labels[sample->first_label + i];
		label->key = copy_string(copy, label->key);
		label->str = copy_string(copy, label->str);
		label->num_unit = copy_string(copy, label->num_unit);
	}
	pyro_profile_sample(copy->to, copy->stack, sample->location_count,
			    copy->labels, label_count, values);
}

static void copy_types(struct copy *copy)
{
	struct pyro_profile *to = copy->to;
	const struct pyro_profile *from = copy->from;

	for (size_t i = 0; i < from->type_count; i++) {
		to->type[i].type = copy_string(copy, from->type[i].type);
		to->type[i].unit = copy_string(copy, from->type[i].unit);
	}
	to->type_count = from->type_count;
	to->default_type = copy_string(copy, from->default_type);
	to->period_type.type = copy_string(copy, from->period_type.type);
	to->period_type.unit = copy_string(copy, from->period_type.unit);
}

static void copy_comments(struct copy *copy)
{
	struct pyro_profile *to = copy->to;

	for (size_t i = 0; i < copy->from->comments_count; i++) {
		uint32_t comment = copy_string(copy, copy->from->comments[i]);
		size_t at = 0;

		while (at < to->comments_count && to->comments[at] != comment)
			at++;
		if (at < to->comments_count)
			continue;

		uint32_t *all = pyro_array_grow(to->comments, &to->comments_cap,
						at + 1, sizeof(*all));

		if (!all) {
			to->error = -ENOMEM;
			return;
		}
		to->comments = all;
		all[to->comments_count++] = comment;
	}
}

/* The program itself is the first mapping, by which pprof names the profile:
 * it must stay so whatever the first sample's leaf lies in. */
static void copy_program(struct copy *copy)
{
	if (copy->from->mappings_count && copy->to->mappings_count == 0)
		copy_mapping(copy, 1);
}

static bool same_text(const struct pyro_profile *a, uint32_t in_a,
		      const struct pyro_profile *b, uint32_t in_b)
{
	return strcmp(pyro_profile_text(a, in_a), pyro_profile_text(b, in_b)) ==
	       0;
}

static bool is_type(const struct pyro_profile *a, size_t in_a,
		    const struct pyro_profile *b, size_t in_b)
{
	return same_text(a, a->type[in_a].type, b, b->type[in_b].type) &&
	       same_text(a, a->type[in_a].unit, b, b->type[in_b].unit);
}

static bool same_types(const struct pyro_profile *a,
		       const struct pyro_profile *b)
{
	if (a->type_count != b->type_count)
		return false;
	for (size_t i = 0; i < a->type_count; i++)
		if (!is_type(a, i, b, i))
			return false;
	return true;
}

/* Where to has the type; its type_count: it has not. */
static size_t find_type(const struct pyro_profile *to,
			const struct pyro_profile *from, size_t type)
{
	size_t i = 0;

	while (i < to->type_count && !is_type(to, i, from, type))
		i++;
	return i;
}

/* Is one's types all that the other has, or some of it? A type that was paused is
 * missing for that time. */
static bool may_merge(const struct pyro_profile *to,
		      const struct pyro_profile *from)
{
	size_t shared = 0;

	for (size_t i = 0; i < from->type_count; i++)
		shared += find_type(to, from, i) < to->type_count;
	return shared == from->type_count || shared == to->type_count;
}

/* What to has not yet, it has nothing of. */
static void match_types(struct copy *copy)
{
	struct pyro_profile *to = copy->to;

	for (size_t i = 0; i < copy->from->type_count; i++) {
		size_t at = find_type(to, copy->from, i);

		copy->column[i] = at;
		if (at < to->type_count)
			continue;
		to->type[at].type = copy_string(copy, copy->from->type[i].type);
		to->type[at].unit = copy_string(copy, copy->from->type[i].unit);
		to->type_count++;
		for (size_t k = 0; k < to->samples_count; k++)
			to->samples[k].value[at] = 0;
	}
}

/* What is read from files may lie anywhere, so all of this saturates. */
static void span_times(struct pyro_profile *to, const struct pyro_profile *from)
{
	int64_t to_end, from_end;

	if (to->time_ns == 0 || from->time_ns == 0) {
		/* One start is unknown: what is known is how long it took. */
		if (to->time_ns == 0)
			to->time_ns = from->time_ns;
		if (to->duration_ns < from->duration_ns)
			to->duration_ns = from->duration_ns;
		return;
	}
	if (__builtin_add_overflow(to->time_ns, to->duration_ns, &to_end))
		to_end = INT64_MAX;
	if (__builtin_add_overflow(from->time_ns, from->duration_ns, &from_end))
		from_end = INT64_MAX;
	if (to->time_ns > from->time_ns)
		to->time_ns = from->time_ns;
	if (to_end < from_end)
		to_end = from_end;
	if (__builtin_sub_overflow(to_end, to->time_ns, &to->duration_ns))
		to->duration_ns = INT64_MAX;
}

static int merge(struct pyro_profile *to, const struct pyro_profile *from,
		 const int64_t *factor, bool unlabelled)
{
	struct copy copy;
	int err = pyro_profile_error(from);

	if (!err)
		err = pyro_profile_error(to);
	if (!err && to->type_count && !may_merge(to, from))
		err = -EINVAL;
	if (err)
		return err;

	err = copy_begin(&copy, to, from);
	copy.factor = factor;
	copy.unlabelled = unlabelled;
	if (!err) {
		if (to->type_count == 0)
			copy_types(&copy);
		else if (!same_types(to, from))
			match_types(&copy);
		span_times(to, from);
		if (to->period < from->period)
			to->period = from->period;
		copy_comments(&copy);
		copy_program(&copy);
		for (size_t i = 0; i < from->samples_count; i++)
			copy_sample(&copy, &from->samples[i]);
		err = pyro_profile_error(to);
	}
	copy_end(&copy);
	return err;
}

int pyro_profile_merge(struct pyro_profile *to, const struct pyro_profile *from)
{
	return merge(to, from, NULL, false);
}

int pyro_profile_merge_scaled(struct pyro_profile *to,
			      const struct pyro_profile *from,
			      const int64_t *factor)
{
	return merge(to, from, factor, false);
}

static int subtract(struct pyro_profile *difference, struct pyro_profile *sum,
		    const struct pyro_profile *base,
		    const struct pyro_profile *profile)
{
	int64_t one[PYRO_PROFILE_TYPES_MAX], minus[PYRO_PROFILE_TYPES_MAX];

	for (size_t i = 0; i < PYRO_PROFILE_TYPES_MAX; i++) {
		one[i] = 1;
		minus[i] = -1;
	}

	int err = merge(sum, profile, one, true);

	if (!err)
		err = merge(sum, base, minus, true);
	/* Once more: now without what is the same in both. */
	if (!err)
		err = merge(difference, sum, one, true);
	difference->comments_count = 0;
	difference->time_ns = profile->time_ns;
	difference->duration_ns = profile->duration_ns;
	return err;
}

int pyro_profile_diff(const struct pyro_profile *base,
		      const struct pyro_profile *profile,
		      struct pyro_profile **out)
{
	struct pyro_profile *difference = pyro_profile_new();
	struct pyro_profile *sum = pyro_profile_new();
	int err = !difference || !sum ? -ENOMEM
		  : same_types(base, profile)
			  ? subtract(difference, sum, base, profile)
			  : -EINVAL;

	pyro_profile_free(sum);
	if (err) {
		pyro_profile_free(difference);
		difference = NULL;
	}
	*out = difference;
	return err;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* The greatest value of the last one's unit, so that neither what was allocated
 * nor what is in use goes first. Of a difference what shrank counts as what
 * grew. */
static uint64_t weight(const struct pyro_profile *profile, size_t sample)
{
	const int64_t *value = profile->samples[sample].value;
	size_t last = profile->type_count ? profile->type_count - 1 : 0;
	uint64_t greatest = magnitude(value[last]);

	for (size_t i = 0; i < last; i++)
		if (profile->type[i].unit == profile->type[last].unit)
			greatest = pyro_max(greatest, magnitude(value[i]));
	return greatest;
}

/* The greatest weight that at least keep of the samples have, bit by bit: 64
 * passes over a dense array need no sorting, and qsort may call malloc. */
static uint64_t least_kept(const uint64_t *weights, size_t count, size_t keep)
{
	uint64_t least = 0;

	for (int bit = 63; bit >= 0; bit--) {
		uint64_t trial = least | UINT64_C(1) << bit;
		size_t enough = 0;

		for (size_t i = 0; i < count; i++)
			enough += weights[i] >= trial;
		if (enough >= keep)
			least = trial;
	}
	return least;
}

/* Copy the keep heaviest samples; of equal ones the first. */
static int copy_heaviest(struct copy *copy, size_t keep)
{
	const struct pyro_profile *from = copy->from;
	size_t count = from->samples_count, ties = keep;
	int64_t rest[PYRO_PROFILE_TYPES_MAX] = {0};
	uint64_t *weights = pyro_pages_alloc(count * sizeof(*weights));

	if (!weights)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		weights[i] = weight(from, i);

	uint64_t least = least_kept(weights, count, pyro_max(keep, 1));

	for (size_t i = 0; i < count; i++)
		if (ties && weights[i] > least)
			ties--;
	for (size_t i = 0; i < count; i++) {
		const struct pyro_sample *sample = &from->samples[i];

		if (keep && weights[i] > least) {
			copy_sample(copy, sample);
		} else if (ties && weights[i] == least) {
			copy_sample(copy, sample);
			ties--;
		} else {
			for (size_t j = 0; j < from->type_count; j++)
				rest[j] = (int64_t)((uint64_t)rest[j] +
						    (uint64_t)sample->value[j]);
		}
	}
	pyro_pages_free(weights, count * sizeof(*weights));

	uint32_t frame = pyro_profile_pseudo(copy->to, "[trimmed]");

	pyro_profile_sample(copy->to, &frame, 1, NULL, 0, rest);
	return 0;
}

struct pyro_profile *pyro_profile_trim(const struct pyro_profile *profile,
				       size_t max_samples)
{
	struct pyro_profile *to = pyro_profile_new();
	struct copy copy;

	if (!to)
		return NULL;

	int err = copy_begin(&copy, to, profile);

	if (!err) {
		copy_types(&copy);
		to->period = profile->period;
		to->time_ns = profile->time_ns;
		to->duration_ns = profile->duration_ns;
		copy_comments(&copy);
		copy_program(&copy);
		if (profile->samples_count > max_samples)
			err = copy_heaviest(&copy,
					    pyro_max(max_samples, 1) - 1);
		else
			for (size_t i = 0; i < profile->samples_count; i++)
				copy_sample(&copy, &profile->samples[i]);
	}
	copy_end(&copy);
	if (err || pyro_profile_error(to)) {
		pyro_profile_free(to);
		return NULL;
	}
	return to;
}
