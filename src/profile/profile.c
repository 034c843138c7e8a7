// SPDX-License-Identifier: Apache-2.0
/* profile.c - building a profile: growing arrays, each with a hash index
 *
 * Arrays grow by doubling and hold no pointers, so an item is its number and
 * nothing ever has to be fixed up. Failure is sticky: after it the add
 * functions do nothing. Numbers are 32 bits wide; a profile that needs more
 * fails like one that is out of memory. */
#include "profile/profile.h"

#include <errno.h>
#include <string.h>

#include "profile/types.h"
#include "profile/utf8.h"

#define STRING_MAX 4096

static void fail(struct pyro_profile *profile, int err)
{
	if (!profile->error)
		profile->error = err;
}

static void *grown(struct pyro_profile *profile, void *array, size_t *cap,
		   size_t need, size_t item)
{
	void *fresh = NULL;

	/* One less than the largest: ids are index + 1. */
	if (need < UINT32_MAX)
		fresh = pyro_array_grow(array, cap, pyro_max(need, 1), item);
	if (!fresh)
		fail(profile, -ENOMEM);
	return fresh;
}

/* The array with room for more items, where it may have moved to, or NULL. */
#define GROWN(profile, name, more)                          \
	grown(profile, profile->name, &profile->name##_cap, \
	      profile->name##_count + (more), sizeof(*profile->name))

#define FREE(profile, name)            \
	pyro_pages_free(profile->name, \
			profile->name##_cap * sizeof(*profile->name))

struct pyro_profile *pyro_profile_new(void)
{
	struct pyro_profile *profile = pyro_pages_alloc(sizeof(*profile));

	if (profile && pyro_strings_init(&profile->strings)) {
		pyro_profile_free(profile);
		return NULL;
	}
	return profile;
}

void pyro_profile_free(struct pyro_profile *profile)
{
	if (!profile)
		return;
	pyro_strings_free(&profile->strings);
	FREE(profile, comments);
	FREE(profile, mappings);
	FREE(profile, functions);
	FREE(profile, locations);
	FREE(profile, lines);
	FREE(profile, samples);
	FREE(profile, location_ids);
	FREE(profile, labels);
	pyro_table_free(&profile->mapping_index);
	pyro_table_free(&profile->function_index);
	pyro_table_free(&profile->location_index);
	pyro_table_free(&profile->sample_index);
	pyro_pages_free(profile, sizeof(*profile));
}

void pyro_profile_set_cpu(struct pyro_profile *profile, int64_t period_ns)
{
	pyro_profile_add_type(profile, "samples", "count");
	pyro_profile_add_type(profile, "cpu", "nanoseconds");
	profile->period_type.type = pyro_profile_string(profile, "cpu");
	profile->period_type.unit = pyro_profile_string(profile, "nanoseconds");
	profile->period = period_ns;
}

void pyro_profile_set_heap(struct pyro_profile *profile, uint32_t types,
			   int64_t period)
{
	static const struct {
		uint32_t bit;
		const char *type, *unit;
	} known[] = {
		{PYRO_TYPE_ALLOC_OBJECTS, "alloc_objects", "count"},
		{PYRO_TYPE_ALLOC_SPACE, "alloc_space", "bytes"},
		{PYRO_TYPE_INUSE_OBJECTS, "inuse_objects", "count"},
		{PYRO_TYPE_INUSE_SPACE, "inuse_space", "bytes"},
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++)
		if (types & known[i].bit)
			pyro_profile_add_type(profile, known[i].type,
					      known[i].unit);
	if (types & PYRO_TYPE_INUSE_SPACE)
		profile->default_type =
			pyro_profile_string(profile, "inuse_space");
	profile->period_type.type = pyro_profile_string(profile, "space");
	profile->period_type.unit = pyro_profile_string(profile, "bytes");
	profile->period = period;
}

void pyro_profile_set_wait(struct pyro_profile *profile, uint32_t types)
{
	if (types & (PYRO_TYPE_MUTEX_COUNT | PYRO_TYPE_BLOCK_COUNT))
		pyro_profile_add_type(profile, "contentions", "count");
	if (types & (PYRO_TYPE_MUTEX_DURATION | PYRO_TYPE_BLOCK_DURATION))
		pyro_profile_add_type(profile, "delay", "nanoseconds");
	profile->period_type.type = pyro_profile_string(profile, "contentions");
	profile->period_type.unit = pyro_profile_string(profile, "count");
	profile->period = 1;
}

void pyro_profile_set_threads(struct pyro_profile *profile, const char *type)
{
	pyro_profile_add_type(profile, type, "count");
	profile->period_type = profile->type[0];
	profile->period = 1;
}

void pyro_profile_set_wall(struct pyro_profile *profile, int64_t period_ns)
{
	pyro_profile_add_type(profile, "samples", "count");
	pyro_profile_add_type(profile, "time", "nanoseconds");
	profile->period_type.type = pyro_profile_string(profile, "wallclock");
	profile->period_type.unit = pyro_profile_string(profile, "nanoseconds");
	profile->period = period_ns;
}

void pyro_profile_add_type(struct pyro_profile *profile, const char *type,
			   const char *unit)
{
	if (profile->type_count == PYRO_PROFILE_TYPES_MAX) {
		fail(profile, -EINVAL);
		return;
	}

	struct pyro_value_type *fresh = &profile->type[profile->type_count++];

	fresh->type = pyro_profile_string(profile, type);
	fresh->unit = pyro_profile_string(profile, unit);
}

uint32_t pyro_profile_string_n(struct pyro_profile *profile, const char *s,
			       size_t len)
{
	char clean[STRING_MAX];

	len = pyro_utf8_clean(s, len, clean, sizeof(clean));
	return pyro_strings_add(&profile->strings, clean, len);
}

uint32_t pyro_profile_string(struct pyro_profile *profile, const char *s)
{
	/* One more than fits, so that a character is not cut inside. */
	return pyro_profile_string_n(profile, s, strnlen(s, STRING_MAX + 1));
}

/* Two processes may see one file under two names: the build ID counts. The
 * range belongs to it because foreign profiles hold run-time addresses, where
 * one file has several mappings. */
static bool same_mapping(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_profile *profile = owner;
	const struct pyro_mapping *have = &profile->mappings[item];
	const struct pyro_mapping *want = key;

	return have->start == want->start && have->limit == want->limit &&
	       have->offset == want->offset &&
	       have->build_id == want->build_id &&
	       (have->build_id || have->filename == want->filename);
}

void pyro_profile_comment(struct pyro_profile *profile, const char *text)
{
	uint32_t *all =
		pyro_array_grow(profile->comments, &profile->comments_cap,
				profile->comments_count + 1, sizeof(*all));

	if (!all) {
		profile->error = -ENOMEM;
		return;
	}
	profile->comments = all;
	all[profile->comments_count++] = pyro_profile_string(profile, text);
}

uint32_t pyro_profile_mapping(struct pyro_profile *profile,
			      const struct pyro_mapping *mapping)
{
	const uint64_t id[] = {mapping->start, mapping->limit, mapping->offset,
			       mapping->build_id,
			       mapping->build_id ? 0 : mapping->filename};
	uint64_t hash = pyro_hash(id, sizeof(id), 0);
	uint32_t found = pyro_table_find(&profile->mapping_index, hash,
					 same_mapping, profile, mapping);

	if (pyro_profile_error(profile))
		return 0;
	if (found != PYRO_TABLE_NONE) {
		struct pyro_mapping *have = &profile->mappings[found];

		/* A claim holds only if it holds for the locations of both. */
		have->has_functions &= mapping->has_functions;
		have->has_filenames &= mapping->has_filenames;
		have->has_line_numbers &= mapping->has_line_numbers;
		have->has_inline_frames &= mapping->has_inline_frames;
		return found + 1;
	}

	struct pyro_mapping *all = GROWN(profile, mappings, 1);
	uint32_t fresh = (uint32_t)profile->mappings_count;

	if (!all)
		return 0;
	profile->mappings = all;
	if (pyro_table_add(&profile->mapping_index, hash, fresh)) {
		fail(profile, -ENOMEM);
		return 0;
	}
	all[profile->mappings_count++] = *mapping;
	return fresh + 1;
}

static bool same_function(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_profile *profile = owner;
	const struct pyro_function *have = &profile->functions[item];
	const struct pyro_function *want = key;

	return have->name == want->name &&
	       have->system_name == want->system_name &&
	       have->filename == want->filename &&
	       have->start_line == want->start_line;
}

uint32_t pyro_profile_function(struct pyro_profile *profile,
			       const struct pyro_function *function)
{
	const uint64_t id[] = {function->name, function->system_name,
			       function->filename,
			       (uint64_t)function->start_line};
	uint64_t hash = pyro_hash(id, sizeof(id), 0);
	uint32_t found = pyro_table_find(&profile->function_index, hash,
					 same_function, profile, function);

	if (pyro_profile_error(profile))
		return 0;
	if (found != PYRO_TABLE_NONE)
		return found + 1;

	struct pyro_function *all = GROWN(profile, functions, 1);
	uint32_t fresh = (uint32_t)profile->functions_count;

	if (!all)
		return 0;
	profile->functions = all;
	if (pyro_table_add(&profile->function_index, hash, fresh)) {
		fail(profile, -ENOMEM);
		return 0;
	}
	all[profile->functions_count++] = *function;
	return fresh + 1;
}

struct location_key {
	uint64_t address;
	uint32_t mapping;
	const struct pyro_line *lines;
	size_t line_count;
};

static bool same_location(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_profile *profile = owner;
	const struct pyro_location *have = &profile->locations[item];
	const struct location_key *want = key;

	if (have->address != want->address || have->mapping != want->mapping ||
	    have->line_count != want->line_count)
		return false;
	for (size_t i = 0; i < want->line_count; i++) {
		const struct pyro_line *line =
			&profile->lines[have->first_line + i];

		if (line->function != want->lines[i].function ||
		    line->line != want->lines[i].line)
			return false;
	}
	return true;
}

static uint64_t hash_location(const struct location_key *key)
{
	const uint64_t id[] = {key->address, key->mapping};
	uint64_t hash = pyro_hash(id, sizeof(id), 0);

	/* Field by field: a struct's padding may hold anything. */
	for (size_t i = 0; i < key->line_count; i++) {
		const uint64_t line[] = {key->lines[i].function,
					 (uint64_t)key->lines[i].line};

		hash = pyro_hash(line, sizeof(line), hash);
	}
	return hash;
}

static bool lines_known(const struct pyro_profile *profile,
			const struct pyro_line *lines, size_t line_count)
{
	for (size_t i = 0; i < line_count; i++)
		if (lines[i].function == 0 ||
		    lines[i].function > profile->functions_count)
			return false;
	return true;
}

static uint32_t add_location(struct pyro_profile *profile, uint64_t hash,
			     const struct location_key *key)
{
	struct pyro_location *all = GROWN(profile, locations, 1);
	uint32_t fresh = (uint32_t)profile->locations_count;

	if (!all)
		return 0;
	profile->locations = all;

	struct pyro_line *lines = GROWN(profile, lines, key->line_count);

	if (!lines)
		return 0;
	profile->lines = lines;
	if (pyro_table_add(&profile->location_index, hash, fresh)) {
		fail(profile, -ENOMEM);
		return 0;
	}
	all[profile->locations_count++] = (struct pyro_location){
		.address = key->address,
		.mapping = key->mapping,
		.first_line = (uint32_t)profile->lines_count,
		.line_count = (uint32_t)key->line_count,
	};
	for (size_t i = 0; i < key->line_count; i++)
		lines[profile->lines_count++] = key->lines[i];
	return fresh + 1;
}

uint32_t pyro_profile_location(struct pyro_profile *profile, uint64_t address,
			       uint32_t mapping, const struct pyro_line *lines,
			       size_t line_count)
{
	const struct location_key key = {address, mapping, lines, line_count};

	if (pyro_profile_error(profile))
		return 0;
	if (mapping > profile->mappings_count ||
	    !lines_known(profile, lines, line_count)) {
		fail(profile, -EINVAL);
		return 0;
	}

	uint64_t hash = hash_location(&key);
	uint32_t found = pyro_table_find(&profile->location_index, hash,
					 same_location, profile, &key);

	return found != PYRO_TABLE_NONE ? found + 1
					: add_location(profile, hash, &key);
}

uint32_t pyro_profile_pseudo(struct pyro_profile *profile, const char *name)
{
	struct pyro_function function = {0};
	struct pyro_line line = {0};

	function.name = pyro_profile_string(profile, name);
	function.system_name = function.name;
	line.function = pyro_profile_function(profile, &function);
	return pyro_profile_location(profile, 0, 0, &line, 1);
}

struct sample_key {
	const uint32_t *stack;
	size_t depth;
	const struct pyro_label *labels;
	size_t label_count;
};

static bool same_labels(const struct pyro_label *a, const struct pyro_label *b,
			size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i].key != b[i].key || a[i].str != b[i].str ||
		    a[i].num != b[i].num || a[i].num_unit != b[i].num_unit)
			return false;
	return true;
}

static bool same_sample(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_profile *profile = owner;
	const struct pyro_sample *have = &profile->samples[item];
	const struct sample_key *want = key;

	if (have->location_count != want->depth ||
	    have->label_count != want->label_count)
		return false;
	for (size_t i = 0; i < want->depth; i++)
		if (profile->location_ids[have->first_location + i] !=
		    want->stack[i])
			return false;
	return same_labels(&profile->labels[have->first_label], want->labels,
			   want->label_count);
}

static uint64_t hash_sample(const struct sample_key *key)
{
	uint64_t hash =
		pyro_hash(key->stack, key->depth * sizeof(*key->stack), 0);

	for (size_t i = 0; i < key->label_count; i++) {
		const struct pyro_label *label = &key->labels[i];
		const uint64_t id[] = {label->key, label->str,
				       (uint64_t)label->num, label->num_unit};

		hash = pyro_hash(id, sizeof(id), hash);
	}
	return hash;
}

static bool stack_known(const struct pyro_profile *profile,
			const uint32_t *stack, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		if (stack[i] == 0 || stack[i] > profile->locations_count)
			return false;
	return true;
}

/* A sample of zeros for this key, or NULL. */
static struct pyro_sample *add_sample(struct pyro_profile *profile,
				      uint64_t hash,
				      const struct sample_key *key)
{
	struct pyro_sample *all = GROWN(profile, samples, 1);

	if (!all)
		return NULL;
	profile->samples = all;

	uint32_t *ids = GROWN(profile, location_ids, key->depth);

	if (!ids)
		return NULL;
	profile->location_ids = ids;

	struct pyro_label *labels = GROWN(profile, labels, key->label_count);

	if (!labels)
		return NULL;
	profile->labels = labels;
	if (pyro_table_add(&profile->sample_index, hash,
			   (uint32_t)profile->samples_count)) {
		fail(profile, -ENOMEM);
		return NULL;
	}

	struct pyro_sample *sample = &all[profile->samples_count++];

	*sample = (struct pyro_sample){
		.first_location = (uint32_t)profile->location_ids_count,
		.location_count = (uint32_t)key->depth,
		.first_label = (uint32_t)profile->labels_count,
		.label_count = (uint32_t)key->label_count,
	};
	for (size_t i = 0; i < key->depth; i++)
		ids[profile->location_ids_count++] = key->stack[i];
	for (size_t i = 0; i < key->label_count; i++)
		labels[profile->labels_count++] = key->labels[i];
	return sample;
}

void pyro_profile_sample(struct pyro_profile *profile, const uint32_t *stack,
			 size_t depth, const struct pyro_label *labels,
			 size_t label_count, const int64_t *values)
{
	const struct sample_key key = {stack, depth, labels, label_count};

	if (pyro_profile_error(profile))
		return;
	if (!stack_known(profile, stack, depth)) {
		fail(profile, -EINVAL);
		return;
	}

	uint64_t hash = hash_sample(&key);
	uint32_t found = pyro_table_find(&profile->sample_index, hash,
					 same_sample, profile, &key);
	struct pyro_sample *sample = found != PYRO_TABLE_NONE
					     ? &profile->samples[found]
					     : add_sample(profile, hash, &key);

	if (!sample)
		return;
	/* Unsigned, because values that were read from a file may overflow. */
	for (size_t i = 0; i < profile->type_count; i++)
		sample->value[i] = (int64_t)((uint64_t)sample->value[i] +
					     (uint64_t)values[i]);
}

const char *pyro_profile_frame(const struct pyro_profile *profile,
			       uint32_t location)
{
	if (location == 0 || location > profile->locations_count)
		return "";

	const struct pyro_location *at = &profile->locations[location - 1];

	if (at->line_count == 0)
		return "";

	const struct pyro_line *outermost =
		&profile->lines[at->first_line + at->line_count - 1];

	return pyro_profile_text(
		profile, profile->functions[outermost->function - 1].name);
}
