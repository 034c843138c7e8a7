// SPDX-License-Identifier: Apache-2.0
/* pprof_read.c - profile.proto to a profile
 *
 * What refers may stand before what it refers to, so the message is walked once
 * for each kind of thing, in the order of reference: strings, then types and
 * mappings, functions, locations, samples. Skipping a field is cheap. Memory is
 * proportional to the input: nothing is allocated by a number that the input
 * only claims. Refused is what google/pprof refuses. */
#include "encode/pprof.h"

#include <errno.h>

#include "encode/gzip.h"
#include "encode/proto.h"

#define INPUT_MAX ((size_t)256 << 20)
/* Of all samples together, each time that one is named: more than the largest
 * file could spell out. A stack may name a location again and again, and that
 * may have as many lines: who walks the stacks would never end. */
#define FRAMES_MAX INPUT_MAX

struct id_pair {
	uint64_t file; /* any number */
	uint32_t ours;
};

struct id_map {
	struct pyro_table table;
	struct id_pair *pairs;
	size_t count, cap;
};

struct reader {
	struct pyro_profile *profile;
	uint32_t *strings; /* the file's index to our number */
	size_t string_count, strings_cap;
	struct id_map mappings, functions, locations;
	/* One location's lines, one sample's stack and labels. */
	struct pyro_line *lines;
	uint32_t *stack;
	struct pyro_label *labels;
	size_t lines_cap, stack_cap, labels_cap;
	uint64_t frames; /* of the samples so far, inlined ones too */
	int error;       /* the first: -EBADMSG or -ENOMEM */
};

typedef void message_fn(struct reader *r, struct pyro_proto_reader *message);

static void fail(struct reader *r, int err)
{
	if (!r->error)
		r->error = err;
}

static uint64_t number(struct reader *r, const struct pyro_proto_field *field)
{
	if (field->wire != PYRO_PROTO_VARINT)
		fail(r, -EBADMSG);
	return field->value;
}

static uint32_t string_at(struct reader *r, uint64_t index)
{
	if (index < r->string_count)
		return r->strings[index];
	fail(r, -EBADMSG);
	return 0;
}

static uint32_t string(struct reader *r, const struct pyro_proto_field *field)
{
	return string_at(r, number(r, field));
}

/* The content of a field that must be a message or a string. */
static struct pyro_proto_reader content(struct reader *r,
					const struct pyro_proto_field *field)
{
	if (field->wire != PYRO_PROTO_BYTES)
		fail(r, -EBADMSG);
	return pyro_proto_reader(field->data, field->len);
}

/* The numbers of a repeated field, packed or one of the unpacked. */
static struct pyro_proto_reader numbers(struct reader *r,
					const struct pyro_proto_field *field)
{
	if (field->wire != PYRO_PROTO_VARINT && field->wire != PYRO_PROTO_BYTES)
		fail(r, -EBADMSG);
	return pyro_proto_reader(field->data, field->len);
}

static bool next(struct reader *r, struct pyro_proto_reader *message,
		 struct pyro_proto_field *field)
{
	if (r->error || pyro_profile_error(r->profile))
		return false;
	if (pyro_proto_next(message, field))
		return true;
	if (message->failed)
		fail(r, -EBADMSG);
	return false;
}

static uint64_t next_number(struct reader *r, struct pyro_proto_reader *items)
{
	uint64_t value = pyro_proto_varint(items);

	if (items->failed)
		fail(r, -EBADMSG);
	return value;
}

/* Room for one more item in an array, or NULL and failed. */
static void *grown(struct reader *r, void *array, size_t *cap, size_t count,
		   size_t item)
{
	void *fresh = pyro_array_grow(array, cap, count + 1, item);

	if (!fresh)
		fail(r, -ENOMEM);
	return fresh;
}

static bool same_id(const void *owner, uint32_t item, const void *key)
{
	const struct id_map *map = owner;
	const uint64_t *id = key;

	return map->pairs[item].file == *id;
}

static uint32_t find_id(const struct id_map *map, uint64_t id)
{
	uint32_t found = pyro_table_find(
		&map->table, pyro_hash(&id, sizeof(id), 0), same_id, map, &id);

	return found == PYRO_TABLE_NONE ? 0 : map->pairs[found].ours;
}

/* Our id for one that the file refers to. */
static uint32_t our_id(struct reader *r, const struct id_map *map, uint64_t id)
{
	uint32_t ours = find_id(map, id);

	if (ours == 0)
		fail(r, -EBADMSG);
	return ours;
}

static void add_id(struct reader *r, struct id_map *map, uint64_t id,
		   uint32_t ours)
{
	if (r->error || ours == 0)
		return; /* the profile's own failure, told at the end */
	if (id == 0 || find_id(map, id)) {
		fail(r, -EBADMSG);
		return;
	}

	struct id_pair *pairs =
		grown(r, map->pairs, &map->cap, map->count, sizeof(*pairs));

	if (!pairs)
		return;
	map->pairs = pairs;
	if (pyro_table_add(&map->table, pyro_hash(&id, sizeof(id), 0),
			   (uint32_t)map->count)) {
		fail(r, -ENOMEM);
		return;
	}
	pairs[map->count++] = (struct id_pair){id, ours};
}

static void free_ids(struct id_map *map)
{
	pyro_table_free(&map->table);
	pyro_pages_free(map->pairs, map->cap * sizeof(*map->pairs));
}

static void read_string(struct reader *r, struct pyro_proto_reader *message)
{
	uint32_t *all = grown(r, r->strings, &r->strings_cap, r->string_count,
			      sizeof(*all));
	size_t len = (size_t)(message->end - message->at);

	if (!all)
		return;
	r->strings = all;
	if (r->string_count == 0 && len != 0)
		fail(r, -EBADMSG);
	all[r->string_count++] = pyro_profile_string_n(
		r->profile, (const char *)message->at, len);
}

static struct pyro_value_type read_value_type(struct reader *r,
					      struct pyro_proto_reader *message)
{
	struct pyro_value_type type = {0};
	struct pyro_proto_field field;

	while (next(r, message, &field)) {
		if (field.number == 1)
			type.type = string(r, &field);
		else if (field.number == 2)
			type.unit = string(r, &field);
	}
	return type;
}

static void read_sample_type(struct reader *r,
			     struct pyro_proto_reader *message)
{
	struct pyro_value_type type = read_value_type(r, message);

	if (r->profile->type_count == PYRO_PROFILE_TYPES_MAX)
		fail(r, -EBADMSG);
	else
		r->profile->type[r->profile->type_count++] = type;
}

static void read_mapping(struct reader *r, struct pyro_proto_reader *message)
{
	struct pyro_mapping mapping = {0};
	struct pyro_proto_field field;
	uint64_t id = 0;

	while (next(r, message, &field)) {
		switch (field.number) {
		case 1:
			id = number(r, &field);
			break;
		case 2:
			mapping.start = number(r, &field);
			break;
		case 3:
			mapping.limit = number(r, &field);
			break;
		case 4:
			mapping.offset = number(r, &field);
			break;
		case 5:
			mapping.filename = string(r, &field);
			break;
		case 6:
			mapping.build_id = string(r, &field);
			break;
		case 7:
			mapping.has_functions = number(r, &field) != 0;
			break;
		case 8:
			mapping.has_filenames = number(r, &field) != 0;
			break;
		case 9:
			mapping.has_line_numbers = number(r, &field) != 0;
			break;
		case 10:
			mapping.has_inline_frames = number(r, &field) != 0;
			break;
		}
	}
	add_id(r, &r->mappings, id, pyro_profile_mapping(r->profile, &mapping));
}

static void read_function(struct reader *r, struct pyro_proto_reader *message)
{
	struct pyro_function function = {0};
	struct pyro_proto_field field;
	uint64_t id = 0;

	while (next(r, message, &field)) {
		switch (field.number) {
		case 1:
			id = number(r, &field);
			break;
		case 2:
			function.name = string(r, &field);
			break;
		case 3:
			function.system_name = string(r, &field);
			break;
		case 4:
			function.filename = string(r, &field);
			break;
		case 5:
			function.start_line = (int64_t)number(r, &field);
			break;
		}
	}
	add_id(r, &r->functions, id,
	       pyro_profile_function(r->profile, &function));
}

static void read_line(struct reader *r, struct pyro_proto_reader message,
		      size_t *count)
{
	struct pyro_line line = {0};
	struct pyro_proto_field field;
	uint64_t function = 0;

	while (next(r, &message, &field)) {
		if (field.number == 1)
			function = number(r, &field);
		else if (field.number == 2)
			line.line = (int64_t)number(r, &field);
	}
	line.function = our_id(r, &r->functions, function);

	struct pyro_line *all =
		grown(r, r->lines, &r->lines_cap, *count, sizeof(*all));

	if (all) {
		r->lines = all;
		all[(*count)++] = line;
	}
}

static void read_location(struct reader *r, struct pyro_proto_reader *message)
{
	struct pyro_proto_field field;
	uint64_t id = 0, mapping = 0, address = 0;
	uint32_t our_mapping = 0;
	size_t line_count = 0;

	while (next(r, message, &field)) {
		switch (field.number) {
		case 1:
			id = number(r, &field);
			break;
		case 2:
			mapping = number(r, &field);
			break;
		case 3:
			address = number(r, &field);
			break;
		case 4:
			read_line(r, content(r, &field), &line_count);
			break;
		}
	}
	if (mapping)
		our_mapping = our_id(r, &r->mappings, mapping);
	if (!r->error)
		add_id(r, &r->locations, id,
		       pyro_profile_location(r->profile, address, our_mapping,
					     r->lines, line_count));
}

static void read_stack(struct reader *r, struct pyro_proto_reader items,
		       size_t *depth)
{
	while (!r->error && pyro_proto_more(&items)) {
		uint64_t id = next_number(r, &items);
		uint32_t *all =
			grown(r, r->stack, &r->stack_cap, *depth, sizeof(*all));

		if (!all)
			return;
		r->stack = all;
		all[(*depth)++] = our_id(r, &r->locations, id);
	}
}

static void read_values(struct reader *r, struct pyro_proto_reader items,
			int64_t *values, size_t *count)
{
	while (!r->error && pyro_proto_more(&items)) {
		int64_t value = (int64_t)next_number(r, &items);

		if (*count < r->profile->type_count)
			values[(*count)++] = value;
		else
			fail(r, -EBADMSG);
	}
}

static void read_label(struct reader *r, struct pyro_proto_reader message,
		       size_t *count)
{
	struct pyro_label label = {0};
	struct pyro_proto_field field;

	while (next(r, &message, &field)) {
		switch (field.number) {
		case 1:
			label.key = string(r, &field);
			break;
		case 2:
			label.str = string(r, &field);
			break;
		case 3:
			label.num = (int64_t)number(r, &field);
			break;
		case 4:
			label.num_unit = string(r, &field);
			break;
		}
	}
	if (label.str) {
		label.num = 0;
		label.num_unit = 0;
	}

	struct pyro_label *all =
		grown(r, r->labels, &r->labels_cap, *count, sizeof(*all));

	if (all) {
		r->labels = all;
		all[(*count)++] = label;
	}
}

static void count_frames(struct reader *r, size_t depth)
{
	for (size_t i = 0; i < depth && !r->error; i++) {
		const struct pyro_location *at =
			&r->profile->locations[r->stack[i] - 1];

		r->frames += pyro_max(at->line_count, 1);
	}
	if (r->frames > FRAMES_MAX)
		fail(r, -EBADMSG);
}

static void read_sample(struct reader *r, struct pyro_proto_reader *message)
{
	int64_t values[PYRO_PROFILE_TYPES_MAX] = {0};
	struct pyro_proto_field field;
	size_t depth = 0, label_count = 0, value_count = 0;

	while (next(r, message, &field)) {
		switch (field.number) {
		case 1:
			read_stack(r, numbers(r, &field), &depth);
			break;
		case 2:
			read_values(r, numbers(r, &field), values,
				    &value_count);
			break;
		case 3:
			read_label(r, content(r, &field), &label_count);
			break;
		}
	}
	if (value_count == 0 || value_count != r->profile->type_count)
		fail(r, -EBADMSG);
	count_frames(r, depth);
	if (!r->error)
		pyro_profile_sample(r->profile, r->stack, depth, r->labels,
				    label_count, values);
}

static void read_comments(struct reader *r, struct pyro_proto_reader items)
{
	struct pyro_profile *p = r->profile;

	while (!r->error && pyro_proto_more(&items)) {
		uint64_t index = next_number(r, &items);
		uint32_t *all = grown(r, p->comments, &p->comments_cap,
				      p->comments_count, sizeof(*all));

		if (!all)
			return;
		p->comments = all;
		all[p->comments_count++] = string_at(r, index);
	}
}

/* Call fn for all fields of this number, each a message. */
static void read_all(struct reader *r, struct pyro_proto_reader message,
		     uint32_t field_number, message_fn *fn)
{
	struct pyro_proto_field field;

	while (next(r, &message, &field)) {
		if (field.number == field_number) {
			struct pyro_proto_reader inner = content(r, &field);

			fn(r, &inner);
		}
	}
}

static void read_scalars(struct reader *r, struct pyro_proto_reader message)
{
	struct pyro_profile *profile = r->profile;
	struct pyro_proto_field field;

	while (next(r, &message, &field)) {
		struct pyro_proto_reader inner;

		switch (field.number) {
		case 9:
			/* Set twice: two profiles, one behind the other. */
			if (profile->time_ns)
				fail(r, -EBADMSG);
			profile->time_ns = (int64_t)number(r, &field);
			break;
		case 10:
			profile->duration_ns = (int64_t)number(r, &field);
			break;
		case 11:
			inner = content(r, &field);
			profile->period_type = read_value_type(r, &inner);
			break;
		case 12:
			profile->period = (int64_t)number(r, &field);
			break;
		case 13:
			read_comments(r, numbers(r, &field));
			break;
		case 14:
			profile->default_type = string(r, &field);
			break;
		}
	}
}

static int read_message(const unsigned char *data, size_t len,
			struct pyro_profile *profile)
{
	struct reader r = {.profile = profile};
	struct pyro_proto_reader message = pyro_proto_reader(data, len);

	read_all(&r, message, 6, read_string);
	if (r.string_count == 0)
		fail(&r, -EBADMSG);
	read_scalars(&r, message);
	read_all(&r, message, 1, read_sample_type);
	read_all(&r, message, 3, read_mapping);
	read_all(&r, message, 5, read_function);
	read_all(&r, message, 4, read_location);
	read_all(&r, message, 2, read_sample);

	free_ids(&r.mappings);
	free_ids(&r.functions);
	free_ids(&r.locations);
	pyro_pages_free(r.strings, r.strings_cap * sizeof(*r.strings));
	pyro_pages_free(r.lines, r.lines_cap * sizeof(*r.lines));
	pyro_pages_free(r.stack, r.stack_cap * sizeof(*r.stack));
	pyro_pages_free(r.labels, r.labels_cap * sizeof(*r.labels));
	return r.error ? r.error : pyro_profile_error(profile);
}

int pyro_pprof_read(const unsigned char *data, size_t len,
		    struct pyro_profile **out)
{
	struct pyro_profile *profile;
	struct pyro_buf plain = {0};
	int err = 0;

	if (pyro_is_gzip(data, len)) {
		err = pyro_gunzip(data, len, INPUT_MAX, &plain);
		data = plain.data;
		len = plain.len;
	} else if (len > INPUT_MAX) {
		err = -EFBIG;
	}
	if (err)
		goto free_plain;
	profile = pyro_profile_new();
	if (!profile) {
		err = -ENOMEM;
		goto free_plain;
	}
	err = read_message(data, len, profile);
	if (err)
		pyro_profile_free(profile);
	else
		*out = profile;
free_plain:
	pyro_buf_free(&plain);
	return err;
}
