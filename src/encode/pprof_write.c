// SPDX-License-Identifier: Apache-2.0
/* pprof_write.c - a profile as profile.proto
 *
 * Fields go out in the order of their numbers and in the forms that
 * google/pprof writes. The profile's string numbers are the string table's
 * indices. */
#include "encode/pprof.h"

#include <errno.h>

#include "encode/proto.h"
#include "profile/merge.h"

static void put_value_type(struct pyro_buf *out, uint32_t field,
			   const struct pyro_value_type *type)
{
	size_t begun = pyro_proto_begin(out);

	pyro_proto_put_opt(out, 1, type->type);
	pyro_proto_put_opt(out, 2, type->unit);
	pyro_proto_end(out, field, begun);
}

static void put_label(struct pyro_buf *out, const struct pyro_label *label)
{
	size_t begun = pyro_proto_begin(out);

	pyro_proto_put_opt(out, 1, label->key);
	pyro_proto_put_opt(out, 2, label->str);
	pyro_proto_put_opt(out, 3, (uint64_t)label->num);
	pyro_proto_put_opt(out, 4, label->num_unit);
	pyro_proto_end(out, 3, begun);
}

/* Up to two numbers are no longer unpacked than packed. */
static bool packs(size_t count)
{
	return count > 2;
}

static void put_sample(struct pyro_buf *out, const struct pyro_profile *profile,
		       const struct pyro_sample *sample)
{
	const uint32_t *ids = &profile->location_ids[sample->first_location];
	size_t begun = pyro_proto_begin(out);
	size_t packed = begun;

	for (size_t i = 0; i < sample->location_count; i++)
		if (packs(sample->location_count))
			pyro_proto_put_varint(out, ids[i]);
		else
			pyro_proto_put(out, 1, ids[i]);
	if (packs(sample->location_count))
		pyro_proto_end(out, 1, packed);

	packed = pyro_proto_begin(out);
	for (size_t i = 0; i < profile->type_count; i++)
		if (packs(profile->type_count))
			pyro_proto_put_varint(out, (uint64_t)sample->value[i]);
		else
			pyro_proto_put(out, 2, (uint64_t)sample->value[i]);
	if (packs(profile->type_count))
		pyro_proto_end(out, 2, packed);

	for (size_t i = 0; i < sample->label_count; i++)
		put_label(out, &profile->labels[sample->first_label + i]);
	pyro_proto_end(out, 2, begun);
}

static void put_mapping(struct pyro_buf *out, uint64_t id,
			const struct pyro_mapping *mapping)
{
	size_t begun = pyro_proto_begin(out);

	pyro_proto_put(out, 1, id);
	pyro_proto_put_opt(out, 2, mapping->start);
	pyro_proto_put_opt(out, 3, mapping->limit);
	pyro_proto_put_opt(out, 4, mapping->offset);
	pyro_proto_put_opt(out, 5, mapping->filename);
	pyro_proto_put_opt(out, 6, mapping->build_id);
	pyro_proto_put_opt(out, 7, mapping->has_functions);
	pyro_proto_put_opt(out, 8, mapping->has_filenames);
	pyro_proto_put_opt(out, 9, mapping->has_line_numbers);
	pyro_proto_put_opt(out, 10, mapping->has_inline_frames);
	pyro_proto_end(out, 3, begun);
}

static void put_location(struct pyro_buf *out,
			 const struct pyro_profile *profile, uint64_t id,
			 const struct pyro_location *location)
{
	size_t begun = pyro_proto_begin(out);

	pyro_proto_put(out, 1, id);
	pyro_proto_put_opt(out, 2, location->mapping);
	pyro_proto_put_opt(out, 3, location->address);
	for (size_t i = 0; i < location->line_count; i++) {
		const struct pyro_line *line =
			&profile->lines[location->first_line + i];
		size_t line_begun = pyro_proto_begin(out);

		pyro_proto_put(out, 1, line->function);
		pyro_proto_put_opt(out, 2, (uint64_t)line->line);
		pyro_proto_end(out, 4, line_begun);
	}
	pyro_proto_end(out, 4, begun);
}

static void put_function(struct pyro_buf *out, uint64_t id,
			 const struct pyro_function *function)
{
	size_t begun = pyro_proto_begin(out);

	pyro_proto_put(out, 1, id);
	pyro_proto_put_opt(out, 2, function->name);
	pyro_proto_put_opt(out, 3, function->system_name);
	pyro_proto_put_opt(out, 4, function->filename);
	pyro_proto_put_opt(out, 5, (uint64_t)function->start_line);
	pyro_proto_end(out, 5, begun);
}

static void put_comments(struct pyro_buf *out,
			 const struct pyro_profile *profile)
{
	size_t begun = pyro_proto_begin(out);

	for (size_t i = 0; i < profile->comments_count; i++)
		if (packs(profile->comments_count))
			pyro_proto_put_varint(out, profile->comments[i]);
		else
			pyro_proto_put(out, 13, profile->comments[i]);
	if (packs(profile->comments_count))
		pyro_proto_end(out, 13, begun);
}

int pyro_pprof_write(const struct pyro_profile *profile, struct pyro_buf *out)
{
	int err = pyro_profile_error(profile);

	if (err)
		return err;
	for (size_t i = 0; i < profile->type_count; i++)
		put_value_type(out, 1, &profile->type[i]);
	for (size_t i = 0; i < profile->samples_count; i++)
		put_sample(out, profile, &profile->samples[i]);
	for (size_t i = 0; i < profile->mappings_count; i++)
		put_mapping(out, i + 1, &profile->mappings[i]);
	for (size_t i = 0; i < profile->locations_count; i++)
		put_location(out, profile, i + 1, &profile->locations[i]);
	for (size_t i = 0; i < profile->functions_count; i++)
		put_function(out, i + 1, &profile->functions[i]);
	for (size_t i = 0; i < profile->strings.count; i++)
		pyro_proto_put_bytes(out, 6, profile->strings.items[i].data,
				     profile->strings.items[i].len);
	pyro_proto_put_opt(out, 9, (uint64_t)profile->time_ns);
	pyro_proto_put_opt(out, 10, (uint64_t)profile->duration_ns);
	/* Even when empty: without it the server may panic. */
	put_value_type(out, 11, &profile->period_type);
	pyro_proto_put_opt(out, 12, (uint64_t)profile->period);
	put_comments(out, profile);
	pyro_proto_put_opt(out, 14, profile->default_type);
	return out->failed ? -ENOMEM : 0;
}

/* Append profile trimmed to count samples. 0, or -EFBIG if that is too long and
 * then nothing is appended, or -errno. */
static int write_trimmed(const struct pyro_profile *profile, size_t count,
			 struct pyro_buf *out)
{
	size_t before = out->len;
	struct pyro_profile *less = NULL;
	int err;

	if (profile->samples_count > count) {
		less = pyro_profile_trim(profile, count);
		if (!less)
			return -ENOMEM;
	}
	err = pyro_pprof_write(less ? less : profile, out);
	pyro_profile_free(less);
	if (!err && out->len - before > PYRO_PPROF_BYTES_MAX) {
		out->len = before;
		err = -EFBIG;
	}
	return err;
}

/* The same with as many samples, less than too_many, as fit. Bytes do not fall
 * in proportion to samples, because these share what they refer to; hence
 * bisection, to a sixteenth. */
static int write_fewer(const struct pyro_profile *profile, size_t too_many,
		       struct pyro_buf *out, size_t *count)
{
	size_t before = out->len;

	*count = 0;
	while (too_many - *count > pyro_max(too_many / 16, 1)) {
		size_t trial = *count + (too_many - *count) / 2;
		int err = write_trimmed(profile, trial, out);

		if (err && err != -EFBIG)
			return err;
		if (err)
			too_many = trial;
		else
			*count = trial;
		out->len = before;
	}
	return *count ? write_trimmed(profile, *count, out) : -EFBIG;
}

int pyro_pprof_write_limited(const struct pyro_profile *profile,
			     struct pyro_buf *out, size_t *trimmed)
{
	size_t samples = profile->samples_count;
	size_t count = pyro_min(samples, PYRO_PPROF_SAMPLES_MAX);
	int err = pyro_profile_error(profile);

	if (!err)
		err = write_trimmed(profile, count, out);
	if (err == -EFBIG)
		err = write_fewer(profile, count, out, &count);
	if (trimmed)
		*trimmed = err || count >= samples ? 0 : samples - count + 1;
	return err;
}
