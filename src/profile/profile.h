// SPDX-License-Identifier: Apache-2.0
/* profile.h - a profile as pprof knows it, built once, then read
 *
 * Everything refers to everything by number: strings by their number in
 * `strings` (0 is ""), mappings, functions and locations by id = index + 1 with
 * 0 for none. The add functions deduplicate, so a builder, the reader and the
 * merge need nothing else. Failure is sticky: add everything, then look at
 * pyro_profile_error(). One thread at a time. */
#ifndef PYRO_PROFILE_PROFILE_H
#define PYRO_PROFILE_PROFILE_H

#include "base/table.h"

#define PYRO_PROFILE_TYPES_MAX 8

struct pyro_value_type {
	uint32_t type; /* strings */
	uint32_t unit;
};

struct pyro_mapping {
	uint64_t start, limit, offset; /* ELF virtual addresses; file offset */
	uint32_t filename;             /* strings */
	uint32_t build_id;             /* strings: lower-case hex */
	bool has_functions;
	bool has_filenames;
	bool has_line_numbers;
	bool has_inline_frames;
};

struct pyro_function {
	uint32_t name; /* strings */
	uint32_t system_name;
	uint32_t filename;
	int64_t start_line;
};

struct pyro_line {
	uint32_t function; /* id */
	int64_t line;
};

struct pyro_location {
	uint64_t address;    /* ELF virtual; callers: return address - 1 */
	uint32_t mapping;    /* id, 0 for pseudo frames */
	uint32_t first_line; /* index into lines; innermost inlined first */
	uint32_t line_count;
};

struct pyro_label {
	uint32_t key; /* strings */
	uint32_t str; /* strings; 0: a number */
	int64_t num;
	uint32_t num_unit; /* strings */
};

struct pyro_sample {
	uint32_t first_location; /* index into location_ids; leaf first */
	uint32_t location_count;
	uint32_t first_label; /* index into labels */
	uint32_t label_count;
	int64_t value[PYRO_PROFILE_TYPES_MAX]; /* type_count of them */
};

/* Growing arrays: data, count, room. */
#define PYRO_PROFILE_ARRAY(type, name) \
	type *name;                    \
	size_t name##_count, name##_cap

struct pyro_profile {
	struct pyro_strings strings;
	struct pyro_value_type type[PYRO_PROFILE_TYPES_MAX];
	size_t type_count;
	uint32_t default_type; /* strings: the one to show first; 0: the last */
	struct pyro_value_type period_type;
	int64_t period;
	int64_t time_ns; /* start, CLOCK_REALTIME */
	int64_t duration_ns;
	PYRO_PROFILE_ARRAY(uint32_t, comments); /* strings */
	PYRO_PROFILE_ARRAY(struct pyro_mapping, mappings);
	PYRO_PROFILE_ARRAY(struct pyro_function, functions);
	PYRO_PROFILE_ARRAY(struct pyro_location, locations);
	PYRO_PROFILE_ARRAY(struct pyro_line, lines);
	PYRO_PROFILE_ARRAY(struct pyro_sample, samples);
	PYRO_PROFILE_ARRAY(uint32_t, location_ids);
	PYRO_PROFILE_ARRAY(struct pyro_label, labels);
	struct pyro_table mapping_index, function_index, location_index,
		sample_index;
	int error; /* the first failure: -ENOMEM, -EINVAL */
};

/* Empty profile; returns owned (pyro_profile_free), NULL for OOM. */
struct pyro_profile *pyro_profile_new(void);
void pyro_profile_free(struct pyro_profile *profile);
static inline int pyro_profile_error(const struct pyro_profile *profile)
{
	return profile->strings.failed ? -12 /* ENOMEM */ : profile->error;
}

/* The profile of a CPU window: samples/count, cpu/nanoseconds, period type
 * cpu/nanoseconds. */
void pyro_profile_set_cpu(struct pyro_profile *profile, int64_t period_ns);
/* That of a heap window: those sample types of the mask PYRO_TYPE_HEAP that are
 * in types, period type space/bytes. */
void pyro_profile_set_heap(struct pyro_profile *profile, uint32_t types,
			   int64_t period);
/* That of waits: contentions/count and delay/nanoseconds, as far as types, of the
 * mask PYRO_TYPE_MUTEX or PYRO_TYPE_BLOCK, has them; period type
 * contentions/count. */
void pyro_profile_set_wait(struct pyro_profile *profile, uint32_t types);
/* That of threads: type/count, which is the period type, too. */
void pyro_profile_set_threads(struct pyro_profile *profile, const char *type);
/* That of all the time of threads: samples/count and time/nanoseconds, period type
 * wallclock/nanoseconds. */
void pyro_profile_set_wall(struct pyro_profile *profile, int64_t period_ns);
void pyro_profile_add_type(struct pyro_profile *profile, const char *type,
			   const char *unit);

/* s is copied; bytes that are not UTF-8 become U+FFFD, and what is longer than
 * 4096 bytes is cut at a character's end. Returns the number. */
uint32_t pyro_profile_string(struct pyro_profile *profile, const char *s);
/* The same for len bytes; a NUL among them becomes U+FFFD too. */
uint32_t pyro_profile_string_n(struct pyro_profile *profile, const char *s,
			       size_t len);
static inline const char *pyro_profile_text(const struct pyro_profile *profile,
					    uint32_t string)
{
	return pyro_strings_get(&profile->strings, string);
}

/* Add a line about the profile as a whole. */
void pyro_profile_comment(struct pyro_profile *profile, const char *text);

/* Each returns the id of an equal one, or of a new one; 0 on failure. Mappings
 * are equal if their ranges and build IDs are, or without build ID their
 * filenames; the has_ flags of equal ones are and-ed. */
uint32_t pyro_profile_mapping(struct pyro_profile *profile,
			      const struct pyro_mapping *mapping);
uint32_t pyro_profile_function(struct pyro_profile *profile,
			       const struct pyro_function *function);
uint32_t pyro_profile_location(struct pyro_profile *profile, uint64_t address,
			       uint32_t mapping, const struct pyro_line *lines,
			       size_t line_count);
/* A frame that is no code: "[unsampled]", "[lost]", "[truncated]". */
uint32_t pyro_profile_pseudo(struct pyro_profile *profile, const char *name);

/* Add values (type_count of them) to the sample of this stack (location ids,
 * leaf first) and these labels. All of it is copied. */
void pyro_profile_sample(struct pyro_profile *profile, const uint32_t *stack,
			 size_t depth, const struct pyro_label *labels,
			 size_t label_count, const int64_t *values);

/* Name of a location's frame as a person reads it: the outermost function's
 * name ("" only if it has none). For inlined lines ask by index. */
const char *pyro_profile_frame(const struct pyro_profile *profile,
			       uint32_t location);

#endif
