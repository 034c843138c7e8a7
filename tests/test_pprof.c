// SPDX-License-Identifier: Apache-2.0
/* test_pprof.c - profile.proto, written and read
 *
 * The expected bytes are hand-computed from the message definition. */
#include "tests/profile_util.h"

#include "encode/gzip.h"
#include "encode/pprof.h"
#include "profile/types.h"

struct bytes {
	const char *data;
	size_t len;
};

#define BYTES(text)                    \
	{                              \
		text, sizeof(text) - 1 \
	}

static int read_bytes(const void *data, size_t len, struct pyro_profile **out)
{
	struct guarded g = guarded_new(len);
	int err = pyro_pprof_read(guarded_put(&g, data, len), len, out);

	guarded_free(&g);
	return err;
}

static struct pyro_buf written(const struct pyro_profile *p)
{
	struct pyro_buf out = {0};

	assert_int_equal(pyro_pprof_write(p, &out), 0);
	assert_false(out.failed);
	return out;
}

static void test_golden(void **state)
{
	static const char want[] =
		/* samples/count, cpu/nanoseconds */
		"\x0a\x04\x08\x01\x10\x02\x0a\x04\x08\x03\x10\x04"
		/* sample: location 1, values 1 and 10 */
		"\x12\x06\x08\x01\x10\x01\x10\x0a"
		/* mapping 1: 0x1000-0x2000, strings 5 and 6, has_functions */
		"\x1a\x0e\x08\x01\x10\x80\x20\x18\x80\x40\x28\x05\x30\x06"
		"\x38\x01"
		/* location 1: mapping 1, 0x1234, function 1 line 4 */
		"\x22\x0d\x08\x01\x10\x01\x18\xb4\x24\x22\x04\x08\x01\x10\x04"
		/* function 1: string 7 */
		"\x2a\x04\x08\x01\x10\x07"
		"\x32\x00\x32\x07samples\x32\x05"
		"count\x32\x03"
		"cpu\x32\x0bnanoseconds\x32\x02/a\x32\x02"
		"12\x32\x01"
		"f"
		/* time 5, duration 6, cpu/nanoseconds, period 10 */
		"\x48\x05\x50\x06\x5a\x04\x08\x03\x10\x04\x60\x0a";
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_mapping mapping = {
		.start = 0x1000, .limit = 0x2000, .has_functions = true};
	struct pyro_function function = {0};
	struct pyro_line line = {.line = 4};
	const int64_t values[] = {1, 10};
	uint32_t location;

	(void)state;
	pyro_profile_set_cpu(p, 10);
	p->time_ns = 5;
	p->duration_ns = 6;
	mapping.filename = pyro_profile_string(p, "/a");
	mapping.build_id = pyro_profile_string(p, "12");
	function.name = pyro_profile_string(p, "f");
	line.function = pyro_profile_function(p, &function);
	location = pyro_profile_location(
		p, 0x1234, pyro_profile_mapping(p, &mapping), &line, 1);
	pyro_profile_sample(p, &location, 1, NULL, 0, values);

	struct pyro_buf out = written(p);

	assert_int_equal(out.len, sizeof(want) - 1);
	assert_memory_equal(out.data, want, out.len);
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

static void test_golden_packed_and_labels(void **state)
{
	static const char want[] =
		"\x0a\x04\x08\x01\x10\x01"
		/* three locations, packed; value -1; two labels */
		"\x12\x1f\x0a\x03\x01\x01\x01"
		"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
		"\x1a\x04\x08\x01\x10\x02"
		"\x1a\x07\x08\x01\x18\xac\x02\x20\x02"
		"\x22\x02\x08\x01"
		"\x32\x00\x32\x01t\x32\x01u"
		/* period_type although it is empty; comments, packed */
		"\x5a\x00\x6a\x03\x01\x02\x01";
	struct pyro_profile *p = pyro_profile_new();
	const int64_t value = -1;
	uint32_t stack[3], comments[] = {1, 2, 1};
	struct pyro_label labels[2] = {{.key = 1, .str = 2},
				       {.key = 1, .num = 300, .num_unit = 2}};

	(void)state;
	pyro_profile_add_type(p, "t", "t");
	pyro_profile_string(p, "u");
	for (int i = 0; i < 3; i++)
		stack[i] = pyro_profile_location(p, 0, 0, NULL, 0);
	pyro_profile_sample(p, stack, 3, labels, 2, &value);
	p->comments = comments;
	p->comments_count = 3;

	struct pyro_buf out = written(p);

	assert_int_equal(out.len, sizeof(want) - 1);
	assert_memory_equal(out.data, want, out.len);
	pyro_buf_free(&out);
	p->comments = NULL;
	pyro_profile_free(p);
}

/* All four values, packed, and a label of an age; default_sample_type. */
static void test_golden_heap(void **state)
{
	static const char want[] =
		"\x0a\x04\x08\x01\x10\x02\x0a\x04\x08\x03\x10\x04"
		"\x0a\x04\x08\x05\x10\x02\x0a\x04\x08\x06\x10\x04"
		"\x12\x10\x08\x01\x12\x04\x01\x02\x03\x04"
		"\x1a\x06\x08\x08\x18\x10\x20\x09"
		"\x22\x02\x08\x01"
		"\x32\x00\x32\x0d"
		"alloc_objects\x32\x05"
		"count\x32\x0b"
		"alloc_space\x32\x05"
		"bytes\x32\x0d"
		"inuse_objects\x32\x0b"
		"inuse_space\x32\x05"
		"space\x32\x03"
		"age\x32\x07"
		"seconds"
		"\x5a\x04\x08\x07\x10\x04\x60\x80\x80\x20\x70\x06";
	struct pyro_profile *p = pyro_profile_new();
	const int64_t values[] = {1, 2, 3, 4};
	struct pyro_label label = {.num = 16};
	uint32_t location;

	(void)state;
	pyro_profile_set_heap(p, PYRO_TYPE_HEAP, 524288);
	label.key = pyro_profile_string(p, "age");
	label.num_unit = pyro_profile_string(p, "seconds");
	location = pyro_profile_location(p, 0, 0, NULL, 0);
	pyro_profile_sample(p, &location, 1, &label, 1, values);

	struct pyro_buf out = written(p);

	assert_int_equal(out.len, sizeof(want) - 1);
	assert_memory_equal(out.data, want, out.len);
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

static void check_round_trip(const struct pyro_profile *p)
{
	struct pyro_buf out = written(p), again;
	struct pyro_profile *back = NULL;

	assert_int_equal(read_bytes(out.data, out.len, &back), 0);
	assert_same(p, back, false);
	assert_int_equal(back->mappings_count, p->mappings_count);
	assert_int_equal(back->functions_count, p->functions_count);
	assert_int_equal(back->locations_count, p->locations_count);
	again = written(back);
	assert_int_equal(again.len, out.len);
	assert_memory_equal(again.data, out.data, out.len);
	pyro_buf_free(&again);
	pyro_profile_free(back);

	again = (struct pyro_buf){0};
	assert_int_equal(pyro_gzip(out.data, out.len, &again), 0);
	assert_int_equal(read_bytes(again.data, again.len, &back), 0);
	assert_same(p, back, false);
	pyro_profile_free(back);
	pyro_buf_free(&again);
	pyro_buf_free(&out);
}

static void test_round_trip(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct pyro_profile *p = rnd_profile(
			seed, seed % 9, seed % 9 ? seed * 5 : 0, true);

		check_round_trip(p);
		pyro_profile_free(p);
	}
}

/* The message's fields, those of one number in their order, but the numbers in
 * any order. */
static struct pyro_buf reordered(const struct pyro_buf *in, uint64_t *s)
{
	struct pyro_buf out = {0};
	unsigned char order[16];

	for (unsigned char i = 0; i < 16; i++)
		order[i] = i;
	for (size_t i = 15; i > 0; i--) {
		size_t j = rnd(s) % (i + 1);
		unsigned char swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (size_t turn = 0; turn < 16; turn++) {
		for (size_t at = 0; at < in->len;) {
			size_t start = at, len = 0;
			unsigned char key = in->data[at++];
			unsigned int shift = 0;

			do
				len |= (size_t)(in->data[at] & 127) << shift;
			while (shift += 7, in->data[at++] & 128);
			if ((key & 7) == 2)
				at += len;
			if (key >> 3 == order[turn])
				pyro_buf_put(&out, in->data + start,
					     at - start);
		}
	}
	assert_int_equal(out.len, in->len);
	return out;
}

static void test_any_order(void **state)
{
	struct pyro_profile *p = rnd_profile(4, 2, 50, true), *back = NULL;
	struct pyro_buf out = written(p);
	uint64_t s = 1;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct pyro_buf other = reordered(&out, &s);

		assert_int_equal(read_bytes(other.data, other.len, &back), 0);
		assert_same(p, back, true);
		pyro_profile_free(back);
		pyro_buf_free(&other);
	}
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

/* Every prefix, every byte changed: refused or a sound profile, and nothing is
 * read outside. */
static void check_broken(const void *data, size_t len)
{
	struct guarded g = guarded_new(len);
	struct pyro_profile *back = NULL;
	unsigned char *at;
	uint64_t s = 3;

	for (size_t n = 0; n < len; n++) {
		int err = pyro_pprof_read(guarded_put(&g, data, n), n, &back);

		assert_true(err == 0 || err == -EBADMSG);
		if (!err)
			pyro_profile_free(back);
	}
	for (size_t i = 0; i < 8 * len; i++) {
		at = guarded_put(&g, data, len);
		for (size_t n = 0; n <= rnd(&s) % 3; n++)
			at[n ? rnd(&s) % len : i % len] =
				(unsigned char)rnd(&s);

		int err = pyro_pprof_read(at, len, &back);

		assert_true(err == 0 || err == -EBADMSG);
		if (!err) {
			check_round_trip(back);
			pyro_profile_free(back);
		}
	}
	guarded_free(&g);
}

static void test_broken(void **state)
{
	struct pyro_profile *p = rnd_profile(12, 3, 6, true);
	struct pyro_buf out = written(p), packed = {0};

	(void)state;
	check_broken(out.data, out.len);
	assert_int_equal(pyro_gzip(out.data, out.len, &packed), 0);
	check_broken(packed.data, packed.len);
	pyro_buf_free(&packed);
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

#define STRINGS "\x32\x00\x32\x01t"
#define TYPE "\x0a\x04\x08\x01\x10\x01"
#define MAPPING "\x1a\x02\x08\x07"
#define FUNCTION "\x2a\x04\x08\x09\x10\x01"
#define LOCATION "\x22\x08\x08\x05\x10\x07\x22\x02\x08\x09"
#define SAMPLE "\x12\x04\x08\x05\x10\x03"
#define ALL STRINGS TYPE MAPPING FUNCTION LOCATION SAMPLE

static const struct bytes accepted[] = {
	BYTES(ALL),
	/* what refers comes first */
	BYTES(SAMPLE LOCATION FUNCTION MAPPING TYPE STRINGS),
	/* packed and not, mixed */
	BYTES(STRINGS TYPE MAPPING FUNCTION LOCATION
	      "\x12\x06\x0a\x01\x05\x12\x01\x03"),
	/* unknown fields of all wire types, everywhere */
	BYTES(ALL "\xf8\x01\x05\xf9\x01"
		  "12345678\xfa\x01\x02ok\xfd\x01"
		  "1234"),
	BYTES(STRINGS TYPE MAPPING FUNCTION LOCATION
	      "\x12\x07\x08\x05\x10\x03\xfa\x01\x00"),
	/* a string twice in the table */
	BYTES(STRINGS "\x32\x01t" TYPE MAPPING FUNCTION LOCATION SAMPLE),
	/* the largest ids */
	BYTES(STRINGS TYPE "\x22\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff"
			   "\x01\x12\x0d\x08\xff\xff\xff\xff\xff\xff\xff\xff"
			   "\xff\x01\x10\x03"),
	/* comments, a period, an empty period type */
	BYTES(ALL "\x6a\x02\x01\x00\x68\x01\x60\x05\x5a\x00"),
	/* drop_frames, keep_frames, default_sample_type */
	BYTES(ALL "\x38\x01\x40\x01\x70\x01"),
	/* nothing but a string table */
	BYTES("\x32\x00"),
	/* a sample of no frames */
	BYTES(STRINGS TYPE "\x12\x02\x10\x03"),
};

static const struct bytes refused[] = {
	BYTES(""),
	/* no string table, none that begins with "" */
	BYTES(TYPE),
	BYTES("\x32\x01t\x32\x00"),
	/* strings out of range: each field that holds one */
	BYTES(STRINGS "\x0a\x02\x08\x02"),
	BYTES(STRINGS "\x0a\x02\x10\x02"),
	BYTES(STRINGS "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	BYTES(STRINGS "\x1a\x04\x08\x07\x28\x02"),
	BYTES(STRINGS "\x1a\x04\x08\x07\x30\x02"),
	BYTES(STRINGS "\x2a\x04\x08\x09\x10\x02"),
	BYTES(STRINGS "\x2a\x04\x08\x09\x18\x02"),
	BYTES(STRINGS "\x2a\x04\x08\x09\x20\x02"),
	BYTES(STRINGS TYPE "\x12\x06\x10\x03\x1a\x02\x08\x02"),
	BYTES(STRINGS TYPE "\x12\x06\x10\x03\x1a\x02\x10\x02"),
	BYTES(STRINGS TYPE "\x12\x06\x10\x03\x1a\x02\x20\x02"),
	BYTES(STRINGS "\x5a\x02\x08\x02"),
	BYTES(STRINGS "\x68\x02"),
	BYTES(STRINGS "\x70\x02"),
	/* ids: 0, missing, twice, unknown */
	BYTES(STRINGS "\x1a\x02\x08\x00"),
	BYTES(STRINGS "\x1a\x00"),
	BYTES(STRINGS "\x2a\x02\x10\x01"),
	BYTES(STRINGS "\x22\x02\x18\x01"),
	BYTES(STRINGS MAPPING MAPPING),
	BYTES(STRINGS FUNCTION FUNCTION),
	BYTES(STRINGS MAPPING FUNCTION LOCATION LOCATION),
	BYTES(STRINGS FUNCTION LOCATION),
	BYTES(STRINGS MAPPING LOCATION),
	BYTES(STRINGS TYPE SAMPLE),
	BYTES(STRINGS "\x22\x06\x08\x05\x22\x02\x10\x01"),
	BYTES(STRINGS TYPE "\x12\x04\x08\x00\x10\x03"),
	/* too few values, too many, no types */
	BYTES(STRINGS TYPE "\x12\x00"),
	BYTES(STRINGS TYPE "\x12\x04\x10\x03\x10\x03"),
	BYTES(STRINGS TYPE TYPE "\x12\x02\x10\x03"),
	BYTES(STRINGS "\x12\x02\x10\x03"),
	BYTES(STRINGS "\x12\x00"),
	/* more types than there is room for */
	BYTES(STRINGS TYPE TYPE TYPE TYPE TYPE TYPE TYPE TYPE TYPE),
	/* two profiles, one behind the other */
	BYTES(ALL "\x48\x05" ALL "\x48\x05"),
	/* wrong wire types */
	BYTES("\x30\x05"),
	BYTES(ALL "\x0d"
		  "1234"),
	BYTES(ALL "\x4a\x01\x05"),
	BYTES(ALL "\x08\x05"),
	BYTES(STRINGS "\x1a\x03\x0a\x01\x07"),
	BYTES(STRINGS TYPE "\x12\x05\x15"
			   "1234"),
	/* groups, field 0, numbers that are too long or too large */
	BYTES(ALL "\x7b\x7c"),
	BYTES(ALL "\x00\x00"),
	BYTES(ALL "\xf8\xff\xff\xff\x1f\x05"),
	BYTES(ALL "\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
	BYTES(ALL "\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	/* lengths over the end, the largest included */
	BYTES(ALL "\xfa\x01\x05"
		  "1234"),
	BYTES(ALL "\xfa\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
	BYTES(STRINGS TYPE "\x12\x04\x0a\x05\x01\x01"),
	BYTES(STRINGS TYPE "\x12\x03\x12\x01\x83"),
	/* no gzip in spite of its first two bytes */
	BYTES("\x1f\x8b"),
	BYTES("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00"),
};

static void test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(accepted); i++) {
		struct pyro_profile *p = NULL;
		int err = read_bytes(accepted[i].data, accepted[i].len, &p);

		if (err)
			fail_msg("accepted[%zu]: %d", i, err);
		check_round_trip(p);
		pyro_profile_free(p);
	}
}

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(refused); i++) {
		struct pyro_profile *p = NULL;
		int err = read_bytes(refused[i].data, refused[i].len, &p);

		if (err != -EBADMSG)
			fail_msg("refused[%zu]: %d", i, err);
		assert_null(p);
	}
}

/* What a sample of depth frames, each of 32768 inlined functions, reads as. */
static int read_inlined(size_t depth)
{
	static struct pyro_line lines[1 << 15];
	static uint32_t stack[1 << 14];
	struct pyro_profile *p = pyro_profile_new(), *back = NULL;
	struct pyro_function function = {0};
	int64_t value = 1;
	uint32_t at;
	int err;

	pyro_profile_add_type(p, "t", "u");
	function.name = pyro_profile_string(p, "f");
	for (size_t i = 0; i < PYRO_COUNT_OF(lines); i++)
		lines[i].function = pyro_profile_function(p, &function);
	at = pyro_profile_location(p, 1, 0, lines, PYRO_COUNT_OF(lines));
	assert_true(depth <= PYRO_COUNT_OF(stack));
	for (size_t i = 0; i < depth; i++)
		stack[i] = at;
	pyro_profile_sample(p, stack, depth, NULL, 0, &value);

	struct pyro_buf out = written(p);

	err = pyro_pprof_read(out.data, out.len, &back);
	assert_true(!err == !!back);
	pyro_profile_free(back);
	pyro_buf_free(&out);
	pyro_profile_free(p);
	return err;
}

/* A small file is not to be hours of work. */
static void test_too_many_frames(void **state)
{
	(void)state;
	assert_int_equal(read_inlined(1 << 10), 0);
	assert_int_equal(read_inlined(1 << 14), -EBADMSG);
}

static void test_content(void **state)
{
	static const char message[] = STRINGS TYPE MAPPING FUNCTION LOCATION
		"\x32\x03"
		"a\xff\x00"
		"\x12\x0a\x08\x05\x10\x03\x1a\x04\x08\x01\x18\x04"
		"\x12\x0a\x08\x05\x10\x04\x1a\x04\x08\x01\x18\x04"
		"\x12\x0c\x08\x05\x10\x04\x1a\x06\x08\x01\x10\x02\x18\x04"
		"\x6a\x01\x02";
	struct pyro_profile *p = NULL;
	char *text;

	(void)state;
	assert_int_equal(read_bytes(message, sizeof(message) - 1, &p), 0);
	text = describe(p, false);
	assert_string_equal(text, "t/t / 0 0+0\n"
				  "# a\xef\xbf\xbd\xef\xbf\xbd\n"
				  " 0@,,0-0+00000{t,,:0:0} [t=|4 ] =7\n"
				  " 0@,,0-0+00000{t,,:0:0}"
				  " [t=a\xef\xbf\xbd\xef\xbf\xbd|0 ] =4\n");
	free(text);
	pyro_profile_free(p);
}

static void check_limited(const struct pyro_profile *p, bool small)
{
	struct pyro_buf out = {0};
	struct pyro_profile *back = NULL;
	size_t trimmed = 12345;

	pyro_buf_puts(&out, "before");
	assert_int_equal(pyro_pprof_write_limited(p, &out, &trimmed), 0);
	assert_memory_equal(out.data, "before", 6);
	assert_true(out.len - 6 <= PYRO_PPROF_BYTES_MAX);
	assert_int_equal(read_bytes(out.data + 6, out.len - 6, &back), 0);
	assert_true(back->samples_count <= PYRO_PPROF_SAMPLES_MAX);
	for (size_t i = 0; i < p->type_count; i++)
		assert_int_equal(total(back, i), total(p, i));
	assert_int_equal(back->time_ns, p->time_ns);
	assert_int_equal(back->duration_ns, p->duration_ns);
	if (trimmed)
		assert_int_equal(back->samples_count,
				 p->samples_count - trimmed + 1);
	else
		assert_same(p, back, false);
	assert_int_equal(trimmed == 0, small);
	/* It keeps what it can. */
	if (!small && back->samples_count < PYRO_PPROF_SAMPLES_MAX)
		assert_true(out.len > PYRO_PPROF_BYTES_MAX / 4 * 3);
	assert_int_equal(pyro_pprof_write_limited(p, &out, NULL), 0);
	pyro_profile_free(back);
	pyro_buf_free(&out);
}

/* count samples of depth frames each, over functions with long names. */
static struct pyro_profile *big_profile(size_t count, size_t depth,
					unsigned int functions, int name_len)
{
	struct pyro_profile *p = pyro_profile_new();
	uint32_t *ids = calloc(functions, sizeof(*ids));
	uint32_t *stack = calloc(depth, sizeof(*stack));
	uint64_t s = 77;

	pyro_profile_set_cpu(p, 10000000);
	p->time_ns = 1700000000000000000;
	p->duration_ns = 15000000000;
	for (unsigned int i = 0; i < functions; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "f%0*u", name_len, i);
		ids[i] = pyro_profile_pseudo(p, name);
	}
	for (size_t i = 0; i < count; i++) {
		const int64_t values[] = {1, (int64_t)(rnd(&s) % 1000000)};

		for (size_t j = 0; j < depth; j++)
			stack[j] = ids[rnd(&s) % functions];
		pyro_profile_sample(p, stack, depth, NULL, 0, values);
	}
	assert_int_equal(pyro_profile_error(p), 0);
	free(ids);
	free(stack);
	return p;
}

static void test_limits(void **state)
{
	static const struct {
		size_t count, depth;
		unsigned int functions;
		int name_len;
		bool small;
	} cases[] = {
		{100, 10, 50, 10, true},       {15999, 10, 500, 10, true},
		{16000, 10, 500, 10, false},   {100000, 5, 500, 10, false},
		{100000, 40, 5000, 50, false}, {15000, 120, 20000, 60, false},
		{9000, 2, 9000, 800, false},   {1000, 1, 1000, 4000, false},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyro_profile *p =
			big_profile(cases[i].count, cases[i].depth,
				    cases[i].functions, cases[i].name_len);

		check_limited(p, cases[i].small);
		pyro_profile_free(p);
	}
}

static void test_limits_cannot_be_met(void **state)
{
	struct pyro_profile *p = big_profile(10, 1000, 1000, 4000);
	struct pyro_buf out = {0};
	size_t trimmed = 0;

	(void)state;
	/* No stack fits: only the remainder is left. */
	assert_int_equal(pyro_pprof_write_limited(p, &out, &trimmed), 0);
	assert_int_equal(trimmed, 10);

	/* Comments are not trimmed. */
	out.len = 0;
	p->comments = pyro_array_grow(NULL, &p->comments_cap, 600000, 4);
	for (p->comments_count = 0; p->comments_count < 600000;)
		p->comments[p->comments_count++] = 1000;
	p->samples_count = 1;
	assert_int_equal(pyro_pprof_write(p, &out), 0);
	for (p->comments_count = 0; p->comments_count < 600;) {
		char text[4096];

		snprintf(text, sizeof(text), "%04000zu", p->comments_count);
		p->comments[p->comments_count++] = pyro_profile_string(p, text);
	}
	out.len = 0;
	assert_int_equal(pyro_pprof_write_limited(p, &out, &trimmed), -EFBIG);
	assert_int_equal(out.len, 0);
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

static void test_too_big_to_read(void **state)
{
	size_t len = ((size_t)256 << 20) + 1;
	unsigned char *data =
		mmap(NULL, len, PROT_READ,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct pyro_profile *p = NULL;
	struct pyro_buf packed = {0};

	(void)state;
	assert_true(data != MAP_FAILED);
	assert_int_equal(pyro_pprof_read(data, len, &p), -EFBIG);
	assert_int_equal(pyro_gzip(data, len, &packed), 0);
	assert_int_equal(pyro_pprof_read(packed.data, packed.len, &p), -EFBIG);
	pyro_buf_free(&packed);
	munmap(data, len);
}

static void test_out_of_memory(void **state)
{
	struct pyro_profile *p = rnd_profile(1, 2, 300, true);
	struct pyro_buf out = written(p), packed = {0};
	long n = 0, mapped;
	int err;

	(void)state;
	assert_int_equal(pyro_gzip(out.data, out.len, &packed), 0);
	mapped = mapped_bytes;
	do {
		struct pyro_profile *back = NULL;

		fail_memory_at(n++);
		err = pyro_pprof_read(packed.data, packed.len, &back);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(back == NULL, err != 0);
		pyro_profile_free(back);
		assert_int_equal(mapped_bytes, mapped);
	} while (err);
	assert_true(n > 20);

	pyro_buf_free(&out);
	n = 0;
	do {
		fail_memory_at(n++);
		err = pyro_pprof_write(p, &out);
		assert_true(err == 0 || err == -ENOMEM);
		assert_int_equal(out.failed, err != 0);
		pyro_buf_free(&out);
	} while (err);
	assert_true(n > 1);

	fail_memory_at(-1);
	p->error = -ENOMEM;
	assert_int_equal(pyro_pprof_write(p, &out), -ENOMEM);
	assert_int_equal(pyro_pprof_write_limited(p, &out, NULL), -ENOMEM);
	assert_int_equal(out.len, 0);
	pyro_buf_free(&packed);
	pyro_profile_free(p);
}

static void test_out_of_memory_while_trimming(void **state)
{
	struct pyro_profile *p = big_profile(17000, 3, 300, 10);
	long n = 0;
	int err;

	(void)state;
	do {
		struct pyro_buf out = {0};
		long mapped = mapped_bytes;

		fail_memory_at(n++);
		err = pyro_pprof_write_limited(p, &out, NULL);
		assert_true(err == 0 || err == -ENOMEM);
		pyro_buf_free(&out);
		assert_int_equal(mapped_bytes, mapped);
	} while (err);
	fail_memory_at(-1);
	assert_true(n > 20);
	pyro_profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_golden_packed_and_labels),
		cmocka_unit_test(test_golden_heap),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_frames),
		cmocka_unit_test(test_content),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_cannot_be_met),
		cmocka_unit_test(test_too_big_to_read),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_out_of_memory_while_trimming),
	};

	alarm(170);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
