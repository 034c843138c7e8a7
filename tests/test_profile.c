// SPDX-License-Identifier: Apache-2.0
/* test_profile.c - building profiles; UTF-8 against Python's decoder */
#include "tests/profile_util.h"

#include "profile/utf8.h"

static void test_empty(void **state)
{
	struct pyro_profile *p = pyro_profile_new();

	(void)state;
	assert_non_null(p);
	assert_int_equal(pyro_profile_error(p), 0);
	assert_int_equal(p->strings.count, 1);
	assert_string_equal(pyro_profile_text(p, 0), "");
	assert_string_equal(pyro_profile_text(p, 77), "");
	assert_string_equal(pyro_profile_frame(p, 0), "");
	assert_string_equal(pyro_profile_frame(p, 1), "");
	pyro_profile_free(p);
	pyro_profile_free(NULL);
}

static void test_cpu_types(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	char *text;

	(void)state;
	pyro_profile_set_cpu(p, 10000000);
	text = describe(p, false);
	assert_string_equal(text, "samples/count cpu/nanoseconds "
				  "cpu/nanoseconds 10000000 0+0\n");
	free(text);
	pyro_profile_free(p);
}

static void test_equal_things_are_one(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_function f = {.name = pyro_profile_string(p, "f"),
				  .start_line = 3};
	struct pyro_function g = f;
	struct pyro_line lines[2] = {{0}, {0}};

	(void)state;
	assert_int_equal(pyro_profile_string(p, "f"), f.name);
	assert_int_equal(pyro_profile_function(p, &f), 1);
	assert_int_equal(pyro_profile_function(p, &f), 1);
	g.start_line = 4;
	assert_int_equal(pyro_profile_function(p, &g), 2);
	g.start_line = 3;
	g.filename = f.name;
	assert_int_equal(pyro_profile_function(p, &g), 3);
	g.filename = 0;
	g.system_name = f.name;
	assert_int_equal(pyro_profile_function(p, &g), 4);

	lines[0] = (struct pyro_line){1, 10};
	lines[1] = (struct pyro_line){2, 20};
	assert_int_equal(pyro_profile_location(p, 5, 0, lines, 2), 1);
	assert_int_equal(pyro_profile_location(p, 5, 0, lines, 1), 2);
	assert_int_equal(pyro_profile_location(p, 5, 0, NULL, 0), 3);
	assert_int_equal(pyro_profile_location(p, 6, 0, lines, 2), 4);
	assert_int_equal(pyro_profile_location(p, 5, 0, lines, 2), 1);
	lines[1].line = 21;
	assert_int_equal(pyro_profile_location(p, 5, 0, lines, 2), 5);
	lines[1] = (struct pyro_line){1, 20};
	assert_int_equal(pyro_profile_location(p, 5, 0, lines, 2), 6);
	assert_int_equal(pyro_profile_error(p), 0);
	pyro_profile_free(p);
}

static void test_mappings(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_mapping a = {
		.start = 0x1000,
		.limit = 0x2000,
		.filename = pyro_profile_string(p, "/app"),
		.build_id = pyro_profile_string(p, "abcd"),
		.has_functions = true,
		.has_filenames = true,
	};
	struct pyro_mapping b = a;

	(void)state;
	assert_int_equal(pyro_profile_mapping(p, &a), 1);
	/* The build ID names a file whatever its path; claims are and-ed. */
	b.filename = pyro_profile_string(p, "/proc/1/root/app");
	b.has_filenames = false;
	assert_int_equal(pyro_profile_mapping(p, &b), 1);
	assert_true(p->mappings[0].has_functions);
	assert_false(p->mappings[0].has_filenames);
	assert_string_equal(pyro_profile_text(p, p->mappings[0].filename),
			    "/app");
	b.limit++;
	assert_int_equal(pyro_profile_mapping(p, &b), 2);
	b.build_id = 0;
	assert_int_equal(pyro_profile_mapping(p, &b), 3);
	b.filename = a.filename;
	assert_int_equal(pyro_profile_mapping(p, &b), 4);
	assert_int_equal(pyro_profile_location(p, 1, 4, NULL, 0), 1);
	assert_int_equal(pyro_profile_location(p, 1, 3, NULL, 0), 2);
	assert_int_equal(pyro_profile_error(p), 0);
	pyro_profile_free(p);
}

static void test_samples(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	const int64_t one[] = {1, 10}, more[] = {2, -30};
	const int64_t most[] = {INT64_MAX, INT64_MAX};
	uint32_t stack[2];
	struct pyro_label labels[2] = {{.key = 1, .str = 2},
				       {.key = 1, .num = 7}};
	struct pyro_label turned[2] = {labels[1], labels[0]};

	(void)state;
	pyro_profile_set_cpu(p, 1);
	stack[0] = pyro_profile_pseudo(p, "leaf");
	stack[1] = pyro_profile_pseudo(p, "root");
	assert_int_equal(pyro_profile_pseudo(p, "leaf"), stack[0]);
	assert_string_equal(pyro_profile_frame(p, stack[1]), "root");

	pyro_profile_sample(p, stack, 2, NULL, 0, one);
	pyro_profile_sample(p, stack, 2, NULL, 0, more);
	assert_int_equal(p->samples_count, 1);
	assert_int_equal(p->samples[0].value[0], 3);
	assert_int_equal(p->samples[0].value[1], -20);
	pyro_profile_sample(p, stack, 1, NULL, 0, one);
	pyro_profile_sample(p, stack, 0, NULL, 0, one);
	assert_int_equal(p->samples_count, 3);
	pyro_profile_sample(p, stack, 2, labels, 2, one);
	pyro_profile_sample(p, stack, 2, turned, 2, one);
	pyro_profile_sample(p, stack, 2, labels, 1, one);
	assert_int_equal(p->samples_count, 6);
	pyro_profile_sample(p, stack, 2, labels, 2, most);
	assert_int_equal(p->samples_count, 6);
	assert_int_equal(p->samples[3].value[0], INT64_MIN);
	assert_int_equal(pyro_profile_error(p), 0);
	pyro_profile_free(p);
}

static void test_frame_is_outermost(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_function inlined = {.name = pyro_profile_string(p, "in")};
	struct pyro_function outer = {.name = pyro_profile_string(p, "out")};
	struct pyro_line lines[2] = {{0}, {0}};

	(void)state;
	lines[0].function = pyro_profile_function(p, &inlined);
	lines[1].function = pyro_profile_function(p, &outer);
	assert_string_equal(
		pyro_profile_frame(p, pyro_profile_location(p, 1, 0, lines, 2)),
		"out");
	assert_string_equal(
		pyro_profile_frame(p, pyro_profile_location(p, 2, 0, NULL, 0)),
		"");
	pyro_profile_free(p);
}

static void test_errors_stick(void **state)
{
	const int64_t value = 1;
	const uint32_t bad = 1, none = 0;
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_line line = {1, 1};

	(void)state;
	for (size_t i = 0; i <= PYRO_PROFILE_TYPES_MAX; i++) {
		assert_int_equal(pyro_profile_error(p), 0);
		pyro_profile_add_type(p, "t", "u");
	}
	assert_int_equal(pyro_profile_error(p), -EINVAL);
	assert_int_equal(p->type_count, PYRO_PROFILE_TYPES_MAX);
	pyro_profile_sample(p, NULL, 0, NULL, 0, &value);
	assert_int_equal(p->samples_count, 0);
	pyro_profile_free(p);

	p = pyro_profile_new();
	assert_int_equal(pyro_profile_location(p, 1, 1, NULL, 0), 0);
	assert_int_equal(pyro_profile_error(p), -EINVAL);
	assert_int_equal(pyro_profile_pseudo(p, "x"), 0);
	pyro_profile_free(p);

	p = pyro_profile_new();
	assert_int_equal(pyro_profile_location(p, 1, 0, &line, 1), 0);
	assert_int_equal(pyro_profile_error(p), -EINVAL);
	pyro_profile_free(p);

	p = pyro_profile_new();
	pyro_profile_sample(p, &bad, 1, NULL, 0, &value);
	assert_int_equal(pyro_profile_error(p), -EINVAL);
	pyro_profile_free(p);

	p = pyro_profile_new();
	pyro_profile_sample(p, &none, 1, NULL, 0, &value);
	assert_int_equal(pyro_profile_error(p), -EINVAL);
	pyro_profile_free(p);
}

/* The Nth mapping and all after it fail, for every N until all goes well. */
static void test_out_of_memory(void **state)
{
	long n = 0, mapped = mapped_bytes;
	int err;

	(void)state;
	do {
		struct pyro_profile *p;
		uint64_t s = 5;

		assert_int_equal(mapped_bytes, mapped);

		fail_memory_at(n++);
		p = pyro_profile_new();
		if (!p) {
			err = -ENOMEM;
			continue;
		}
		pyro_profile_set_cpu(p, 1);
		for (int i = 0; i < 300; i++)
			rnd_sample(p, &s, true);
		err = pyro_profile_error(p);
		assert_true(err == 0 || err == -ENOMEM);
		fail_memory_at(-1);
		pyro_profile_sample(p, NULL, 0, NULL, 0, (int64_t[]){1, 1});
		assert_int_equal(pyro_profile_error(p), err);
		pyro_profile_free(p);
	} while (err);
	fail_memory_at(-1);
	assert_int_equal(mapped_bytes, mapped);
	assert_true(n > 20);
}

static void assert_clean(const char *s, size_t len, const char *want)
{
	char to[64];
	size_t n = pyro_utf8_clean(s, len, to, sizeof(to));

	assert_int_equal(n, strlen(want));
	assert_memory_equal(to, want, n);
}

#define BAD "\xef\xbf\xbd"

static void test_utf8_by_hand(void **state)
{
	char to[8] = "zzzzzzz";

	(void)state;
	assert_clean("", 0, "");
	assert_clean("a\0b", 3, "a" BAD "b");
	assert_clean("\xc0\x80", 2, BAD BAD);
	assert_clean("\xe2\x82\xac", 3, "\xe2\x82\xac");
	assert_clean("\xe2\x82", 2, BAD);
	assert_clean("\xed\xa0\x80", 3, BAD BAD BAD);
	assert_clean("\xf0\x90\x80\x41", 4, BAD "A");
	assert_clean("\xf4\x90\x80\x80", 4, BAD BAD BAD BAD);
	assert_clean("\xf4\x8f\xbf\xbf", 4, "\xf4\x8f\xbf\xbf");

	/* No room: whole characters only. */
	assert_int_equal(pyro_utf8_clean("ab\xe2\x82\xac", 5, to, 4), 2);
	assert_string_equal(to, "abzzzzz");
	assert_int_equal(pyro_utf8_clean("ab\xff", 3, to, 4), 2);
	assert_int_equal(pyro_utf8_clean("ab\xff", 3, to, 5), 5);
}

/* Random bytes, most of them near the borders of well-formed sequences. */
static void test_utf8_like_python(void **state)
{
	static const unsigned char near[] = {
		'a',  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
		0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1,
		0xf3, 0xf4, 0xf5, 0xff, 0x80, 0x80, 0xbf, 0xbf};
	struct pyro_buf in = {0}, ours = {0}, theirs = {0};
	struct guarded g = guarded_new(64);
	uint64_t s = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		unsigned char text[16];
		char clean[64];
		size_t len = rnd(&s) % sizeof(text);

		for (size_t j = 0; j < len; j++)
			text[j] = near[rnd(&s) % sizeof(near)];
		pyro_buf_put(&in, text, len);
		pyro_buf_put(&in, "\n", 1);
		pyro_buf_put(&ours, clean,
			     pyro_utf8_clean((char *)guarded_put(&g, text, len),
					     len, clean, sizeof(clean)));
		pyro_buf_put(&ours, "\n", 1);
	}
	run_on("python3 -c 'import os, sys\n"
	       "for line in open(os.environ[\"IN\"], \"rb\").read()"
	       ".split(b\"\\n\")[:-1]:\n"
	       "  text = line.decode(\"utf-8\", \"replace\") + \"\\n\"\n"
	       "  sys.stdout.buffer.write(text.encode())'",
	       in.data, in.len, &theirs);
	assert_int_equal(ours.len, theirs.len);
	assert_memory_equal(ours.data, theirs.data, ours.len);
	pyro_buf_free(&in);
	pyro_buf_free(&ours);
	pyro_buf_free(&theirs);
	guarded_free(&g);
}

static void test_long_strings(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	char text[5000];

	(void)state;
	for (size_t before = 4090; before <= 4100; before++) {
		memset(text, 'a', sizeof(text));
		memcpy(text + before, "\xf0\x9f\x94\xa5", 4);
		text[sizeof(text) - 1] = '\0';

		uint32_t n = pyro_profile_string(p, text);
		size_t len = p->strings.items[n].len;
		size_t want = before <= 4092 || before >= 4096 ? 4096 : before;

		assert_int_equal(len, want);
		assert_memory_equal(pyro_profile_text(p, n), text, len);
		assert_int_equal(strlen(pyro_profile_text(p, n)), len);
		assert_int_equal(
			pyro_profile_string_n(p, text, sizeof(text) - 1), n);
	}
	assert_string_equal(
		pyro_profile_text(p, pyro_profile_string_n(p, "a\0b", 3)),
		"a" BAD "b");
	pyro_profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_cpu_types),
		cmocka_unit_test(test_equal_things_are_one),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_frame_is_outermost),
		cmocka_unit_test(test_errors_stick),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_utf8_by_hand),
		cmocka_unit_test(test_utf8_like_python),
		cmocka_unit_test(test_long_strings),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
