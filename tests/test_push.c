// SPDX-License-Identifier: Apache-2.0
/* test_push.c - the push message, against hand-computed bytes and a decoder of
 * its own */
#include "tests/profile_util.h"

#include "encode/push.h"

static void test_golden(void **state)
{
	/* 0A len{ (0A len{0A n name 12 m value})* 12 len{0A len pprof} } */
	static const char want[] = "\x0a\x41"
				   "\x0a\x17\x0a\x08__name__\x12\x0bprocess_cpu"
				   "\x0a\x13\x0a\x0cservice_name\x12\x03"
				   "app"
				   "\x0a\x07\x0a\x01"
				   "a\x12\x02\xc3\xa9"
				   "\x12\x08\x0a\x06\x1f\x8b\x00PPF";
	static const struct pyro_series_label labels[] = {
		{"__name__", "process_cpu"},
		{"service_name", "app"},
		{"a", "\xc3\xa9"}};
	struct pyro_buf out = {0};

	(void)state;
	pyro_buf_puts(&out, "+");
	assert_int_equal(pyro_push_write(labels, 3,
					 (const unsigned char *)"\x1f\x8b\0PPF",
					 6, &out),
			 0);
	assert_int_equal(out.len, sizeof(want));
	assert_memory_equal(out.data + 1, want, sizeof(want) - 1);
	pyro_buf_free(&out);
}

static void test_nothing(void **state)
{
	struct pyro_buf out = {0};

	(void)state;
	assert_int_equal(pyro_push_write(NULL, 0, NULL, 0, &out), 0);
	assert_int_equal(out.len, 6);
	assert_memory_equal(out.data, "\x0a\x04\x12\x02\x0a\x00", 6);
	pyro_buf_free(&out);
}

/* A field of bytes at *at: its content in *data, its length as result. */
static size_t take(const unsigned char **at, unsigned char key,
		   const unsigned char **data)
{
	size_t len = 0;
	unsigned int shift = 0;

	assert_int_equal(*(*at)++, key);
	do
		len |= (size_t)(**at & 127) << shift;
	while (shift += 7, *(*at)++ & 128);
	*data = *at;
	*at += len;
	return len;
}

static void check_labels(const unsigned char **at,
			 const struct pyro_series_label *want, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const unsigned char *label, *text, *end;
		size_t len = take(at, 0x0a, &label);

		end = label + len;
		len = take(&label, 0x0a, &text);
		assert_int_equal(len, strlen(want[i].name));
		assert_memory_equal(text, want[i].name, len);
		len = take(&label, 0x12, &text);
		assert_int_equal(len, strlen(want[i].value));
		assert_memory_equal(text, want[i].value, len);
		assert_ptr_equal(label, end);
	}
}

static void test_sizes(void **state)
{
	static const size_t lens[] = {0,   1,     100,   120,   121,    122,
				      123, 16000, 16380, 70000, 3000000};
	static const struct pyro_series_label labels[] = {
		{"__name__", "process_cpu"}, {"empty", ""}, {"x", "y"}};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(lens); i++) {
		unsigned char *pprof = malloc(lens[i] + 1);
		const unsigned char *at, *series, *sample, *raw, *end;
		struct pyro_buf out = {0};
		size_t len;

		memset(pprof, (int)i, lens[i] + 1);
		assert_int_equal(
			pyro_push_write(labels, 3, pprof, lens[i], &out), 0);
		at = out.data;
		len = take(&at, 0x0a, &series);
		end = series + len;
		assert_ptr_equal(at, out.data + out.len);
		check_labels(&series, labels, 3);
		len = take(&series, 0x12, &sample);
		assert_ptr_equal(series, end);
		end = sample + len;
		assert_int_equal(take(&sample, 0x0a, &raw), lens[i]);
		assert_memory_equal(raw, pprof, lens[i]);
		assert_ptr_equal(sample, end);
		free(pprof);
		pyro_buf_free(&out);
	}
}

/* What the server would refuse the profile for. */
static void test_repaired(void **state)
{
	char name[2000], value[5000], cut_name[1025], cut_value[2049];
	const struct pyro_series_label labels[] = {{"bad\xff", "\xc0\x80ok"},
						   {name, value}};
	const struct pyro_series_label want[] = {
		{"bad\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbdok"},
		{cut_name, cut_value}};
	const unsigned char *at, *series;
	struct pyro_buf out = {0};

	(void)state;
	memset(name, 'n', sizeof(name));
	memset(value, 'v', sizeof(value));
	name[sizeof(name) - 1] = value[sizeof(value) - 1] = '\0';
	memcpy(value + 2046, "\xe2\x82\xac", 3);
	memcpy(cut_name, name, 1024);
	memcpy(cut_value, value, 2046);
	cut_name[1024] = cut_value[2046] = '\0';
	assert_int_equal(pyro_push_write(labels, 2, NULL, 0, &out), 0);
	at = out.data;
	take(&at, 0x0a, &series);
	check_labels(&series, want, 2);
	pyro_buf_free(&out);
}

static void test_out_of_memory(void **state)
{
	static const struct pyro_series_label label = {"a", "b"};
	unsigned char pprof[10000] = {0};
	struct pyro_buf out = {0};
	long n = 0;
	int err;

	(void)state;
	do {
		fail_memory_at(n++);
		err = pyro_push_write(&label, 1, pprof, sizeof(pprof), &out);
		assert_true(err == 0 || err == -ENOMEM);
		pyro_buf_free(&out);
	} while (err);
	fail_memory_at(-1);
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_repaired),
		cmocka_unit_test(test_out_of_memory),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
