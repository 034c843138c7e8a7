// SPDX-License-Identifier: Apache-2.0
/* test_merge.c - merging, taking away and trimming: nothing is lost, nothing is invented */
#include "tests/profile_util.h"

#include "profile/merge.h"
#include "profile/types.h"

static struct pyro_profile *merged(const struct pyro_profile *a,
				   const struct pyro_profile *b)
{
	struct pyro_profile *to = pyro_profile_new();

	assert_non_null(to);
	assert_int_equal(pyro_profile_merge(to, a), 0);
	if (b)
		assert_int_equal(pyro_profile_merge(to, b), 0);
	return to;
}

static void test_into_empty_is_a_copy(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct pyro_profile *p =
			rnd_profile(seed, 1 + seed % 8, seed * 7, true);
		struct pyro_profile *copy = merged(p, NULL);

		assert_int_equal(copy->samples_count, p->samples_count);
		if (p->comments_count == 0)
			assert_same(copy, p, false);
		pyro_profile_free(copy);
		pyro_profile_free(p);
	}
}

static void test_sums(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct pyro_profile *a = rnd_profile(seed, 3, 200, true);
		struct pyro_profile *b = rnd_profile(seed + 100, 3, 50, true);
		struct pyro_profile *ab = merged(a, b), *ba = merged(b, a);

		for (size_t i = 0; i < 3; i++)
			assert_int_equal(total(ab, i),
					 (int64_t)((uint64_t)total(a, i) +
						   (uint64_t)total(b, i)));
		/* Comments stand in the order of the profiles. */
		ab->comments_count = ba->comments_count = 0;
		assert_same(ab, ba, true);
		pyro_profile_free(a);
		pyro_profile_free(b);
		pyro_profile_free(ab);
		pyro_profile_free(ba);
	}
}

static void test_twice_doubles(void **state)
{
	struct pyro_profile *p = rnd_profile(3, 2, 100, false);
	struct pyro_profile *twice = merged(p, p);

	(void)state;
	assert_int_equal(twice->samples_count, p->samples_count);
	for (size_t i = 0; i < p->samples_count; i++)
		assert_int_equal(twice->samples[i].value[1],
				 2 * p->samples[i].value[1]);
	assert_int_equal(twice->time_ns, p->time_ns);
	assert_int_equal(twice->duration_ns, p->duration_ns);
	pyro_profile_free(twice);
	pyro_profile_free(p);
}

static void test_other_types(void **state)
{
	struct pyro_profile *a = rnd_profile(1, 2, 10, true);
	struct pyro_profile *b = rnd_profile(1, 3, 10, true);
	struct pyro_profile *copy = merged(a, NULL);
	struct pyro_profile *out;

	(void)state;
	assert_int_equal(pyro_profile_diff(a, b, &out), -EINVAL);
	assert_null(out);
	a->type[1].unit = a->type[1].type;
	assert_int_equal(pyro_profile_merge(a, copy), -EINVAL);
	assert_int_equal(a->samples_count, copy->samples_count);
	assert_int_equal(pyro_profile_error(a), 0);
	a->error = -ENOMEM;
	assert_int_equal(pyro_profile_merge(b, a), -ENOMEM);
	assert_int_equal(pyro_profile_merge(a, b), -ENOMEM);
	pyro_profile_free(a);
	pyro_profile_free(b);
	pyro_profile_free(copy);
}

/* With so many types of eight, from first on. */
static struct pyro_profile *some_types(uint64_t seed, size_t first,
				       size_t types)
{
	struct pyro_profile *p = rnd_profile(seed, 8, 50, true);

	memmove(p->type, p->type + first, types * sizeof(*p->type));
	p->type_count = types;
	return p;
}

/* What one of two has not, it has nothing of, whichever comes first. */
static void test_some_types(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct pyro_profile *all = some_types(seed, 0, 8);
		struct pyro_profile *some = some_types(seed + 1, 5, 2);
		struct pyro_profile *a = merged(all, some);
		struct pyro_profile *b = merged(some, all);

		assert_int_equal(a->type_count, 8);
		assert_int_equal(b->type_count, 8);
		for (size_t i = 0; i < 8; i++) {
			uint64_t sum = (uint64_t)total(all, i);
			size_t in_b = i < 5 ? i + 2 : i < 7 ? i - 5 : i;

			if (i == 5 || i == 6)
				sum += (uint64_t)total(some, i - 5);
			assert_int_equal(total(a, i), (int64_t)sum);
			assert_int_equal(total(b, in_b), (int64_t)sum);
			assert_string_equal(
				pyro_profile_text(a, a->type[i].type),
				pyro_profile_text(b, b->type[in_b].type));
		}
		pyro_profile_free(all);
		pyro_profile_free(some);
		pyro_profile_free(a);
		pyro_profile_free(b);
	}
}

static void test_scaled(void **state)
{
	static const int64_t factor[] = {1, 0, -1};

	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct pyro_profile *p = rnd_profile(seed, 3, 100, true);
		struct pyro_profile *to = pyro_profile_new();

		assert_int_equal(pyro_profile_merge_scaled(to, p, factor), 0);
		assert_int_equal(total(to, 0), total(p, 0));
		assert_int_equal(total(to, 1), 0);
		assert_int_equal(total(to, 2),
				 (int64_t)(0 - (uint64_t)total(p, 2)));
		pyro_profile_free(to);
		pyro_profile_free(p);
	}
}

static void test_scaled_leaves_out_zeros(void **state)
{
	static const int64_t zero[] = {0, 0, 0};
	struct pyro_profile *p = rnd_profile(4, 3, 100, true);
	struct pyro_profile *to = pyro_profile_new();

	(void)state;
	assert_int_equal(pyro_profile_merge_scaled(to, p, zero), 0);
	assert_int_equal(to->samples_count, 0);
	assert_int_equal(to->type_count, 3);
	pyro_profile_free(to);
	pyro_profile_free(p);
}

static struct pyro_profile *diff(const struct pyro_profile *base,
				 const struct pyro_profile *p)
{
	struct pyro_profile *d;

	assert_int_equal(pyro_profile_diff(base, p, &d), 0);
	assert_non_null(d);
	return d;
}

static void test_diff(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 30; seed++) {
		struct pyro_profile *a = rnd_profile(seed, 4, 100, true);
		struct pyro_profile *b = rnd_profile(seed + 50, 4, 80, true);
		struct pyro_profile *ab = diff(a, b), *aa = diff(a, a);
		struct pyro_profile *sum = merged(a, b);
		/* Taking away what was added gives what there was. */
		struct pyro_profile *back = diff(a, sum);

		assert_int_equal(aa->samples_count, 0);
		assert_int_equal(ab->labels_count, 0);
		for (size_t i = 0; i < 4; i++) {
			assert_int_equal(total(ab, i),
					 (int64_t)((uint64_t)total(b, i) -
						   (uint64_t)total(a, i)));
			assert_int_equal(total(back, i), total(b, i));
		}
		assert_int_equal(ab->time_ns, b->time_ns);
		assert_int_equal(ab->duration_ns, b->duration_ns);
		assert_int_equal(ab->comments_count, 0);
		pyro_profile_free(a);
		pyro_profile_free(b);
		pyro_profile_free(ab);
		pyro_profile_free(aa);
		pyro_profile_free(sum);
		pyro_profile_free(back);
	}
}

static void test_diff_of_other_types(void **state)
{
	struct pyro_profile *a = rnd_profile(1, 2, 10, true);
	struct pyro_profile *b = rnd_profile(1, 3, 10, true), *d = a;

	(void)state;
	assert_int_equal(pyro_profile_diff(a, b, &d), -EINVAL);
	assert_null(d);
	pyro_profile_free(a);
	pyro_profile_free(b);
}

static void test_times(void **state)
{
	static const struct {
		int64_t a_time, a_duration, b_time, b_duration, time, duration;
	} cases[] = {
		{1000, 10, 1010, 10, 1000, 20},
		{1010, 10, 1000, 10, 1000, 20},
		{1000, 100, 1010, 10, 1000, 100},
		{1000, 10, 5000, 10, 1000, 4010},
		{0, 0, 5000, 10, 5000, 10},
		{5000, 10, 0, 0, 5000, 10},
		{5000, 10, 0, 60, 5000, 60},
		{INT64_MAX, 10, 5, INT64_MAX, 5, INT64_MAX - 5},
		{INT64_MIN, 10, 5, INT64_MAX, INT64_MIN, INT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyro_profile *a = rnd_profile(1, 1, 1, true);
		struct pyro_profile *b = rnd_profile(1, 1, 1, true);

		a->time_ns = cases[i].a_time;
		a->duration_ns = cases[i].a_duration;
		b->time_ns = cases[i].b_time;
		b->duration_ns = cases[i].b_duration;
		a->period = 5;
		b->period = 7;
		assert_int_equal(pyro_profile_merge(a, b), 0);
		assert_int_equal(a->time_ns, cases[i].time);
		assert_int_equal(a->duration_ns, cases[i].duration);
		assert_int_equal(a->period, 7);
		pyro_profile_free(a);
		pyro_profile_free(b);
	}
}

/* One sample in a file of this path and build ID. */
static struct pyro_profile *sample_in(const char *path, const char *build_id)
{
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_mapping mapping = {.start = 0x1000, .limit = 0x2000};
	struct pyro_function function = {0};
	struct pyro_line line = {.line = 4};
	const int64_t values[] = {1, 10};
	uint32_t location;

	pyro_profile_set_cpu(p, 10);
	/* Other numbers than in the other profile. */
	pyro_profile_string(p, path);
	mapping.filename = pyro_profile_string(p, path);
	mapping.build_id = pyro_profile_string(p, build_id);
	function.name = pyro_profile_string(p, "f");
	line.function = pyro_profile_function(p, &function);
	location = pyro_profile_location(
		p, 0x1234, pyro_profile_mapping(p, &mapping), &line, 1);
	pyro_profile_sample(p, &location, 1, NULL, 0, values);
	assert_int_equal(pyro_profile_error(p), 0);
	return p;
}

static void test_mapping_identity(void **state)
{
	static const struct {
		const char *path_a, *id_a, *path_b, *id_b;
		size_t count;
	} cases[] = {
		{"/a", "12", "/b", "12", 1}, {"/a", "12", "/a", "13", 2},
		{"/a", "", "/a", "", 1},     {"/a", "", "/b", "", 2},
		{"/a", "12", "/a", "", 2},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyro_profile *a =
			sample_in(cases[i].path_a, cases[i].id_a);
		struct pyro_profile *b =
			sample_in(cases[i].path_b, cases[i].id_b);

		assert_int_equal(pyro_profile_merge(a, b), 0);
		assert_int_equal(a->mappings_count, cases[i].count);
		assert_int_equal(a->samples_count, cases[i].count);
		assert_int_equal(a->functions_count, 1);
		assert_int_equal(total(a, 1), 20);
		pyro_profile_free(a);
		pyro_profile_free(b);
	}
}

static void test_program_stays_first(void **state)
{
	struct pyro_profile *p = pyro_profile_new(), *copy;
	struct pyro_mapping program = {.start = 1}, library = {.start = 2};
	const int64_t values[] = {1, 1};
	uint32_t stack[2];

	(void)state;
	pyro_profile_set_cpu(p, 1);
	stack[1] = pyro_profile_location(
		p, 1, pyro_profile_mapping(p, &program), NULL, 0);
	stack[0] = pyro_profile_location(
		p, 2, pyro_profile_mapping(p, &library), NULL, 0);
	pyro_profile_sample(p, stack, 2, NULL, 0, values);
	copy = merged(p, NULL);
	assert_int_equal(copy->mappings_count, 2);
	assert_int_equal(copy->mappings[0].start, 1);
	assert_same(copy, p, false);
	pyro_profile_free(copy);
	pyro_profile_free(p);
}

static int descending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? 1 : x > y ? -1 : 0;
}

/* All of the same unit, as they are all counts; or that of the last type. */
static uint64_t weight_of(const struct pyro_profile *p, size_t sample)
{
	const char *unit =
		pyro_profile_text(p, p->type[p->type_count - 1].unit);
	uint64_t greatest = 0;

	for (size_t i = 0; i < p->type_count; i++) {
		int64_t signed_value = p->samples[sample].value[i];
		uint64_t value = signed_value < 0 ? -(uint64_t)signed_value
						  : (uint64_t)signed_value;

		if (strcmp(pyro_profile_text(p, p->type[i].unit), unit) == 0 &&
		    value > greatest)
			greatest = value;
	}
	return greatest;
}

/* The weights of the kept samples are the greatest of all. */
static void check_kept(const struct pyro_profile *all,
		       const struct pyro_profile *less, size_t kept)
{
	uint64_t *want = calloc(all->samples_count + 1, sizeof(*want));
	uint64_t *have = calloc(kept + 1, sizeof(*have));

	for (size_t i = 0; i < all->samples_count; i++)
		want[i] = weight_of(all, i);
	for (size_t i = 0; i < kept; i++)
		have[i] = weight_of(less, i);
	qsort(want, all->samples_count, sizeof(*want), descending);
	qsort(have, kept, sizeof(*have), descending);
	assert_memory_equal(want, have, kept * sizeof(*want));
	free(want);
	free(have);
}

static void check_all_used(const struct pyro_profile *p)
{
	char *used = calloc(p->locations_count + 1, 1);

	for (size_t i = 0; i < p->location_ids_count; i++)
		used[p->location_ids[i]] = 1;
	for (size_t i = 1; i <= p->locations_count; i++)
		assert_true(used[i]);
	free(used);
}

static void check_trim(const struct pyro_profile *all, size_t max)
{
	struct pyro_profile *less = pyro_profile_trim(all, max);
	size_t count = all->samples_count;
	size_t want = count <= max ? count : max ? max : 1;

	assert_non_null(less);
	assert_int_equal(less->samples_count, want);
	for (size_t i = 0; i < all->type_count; i++)
		assert_int_equal(total(less, i), total(all, i));
	check_kept(all, less, count <= max ? count : want - 1);
	check_all_used(less);
	if (count > max) {
		const struct pyro_sample *rest = &less->samples[want - 1];

		assert_int_equal(rest->location_count, 1);
		assert_int_equal(rest->label_count, 0);
		assert_string_equal(
			pyro_profile_frame(
				less, less->location_ids[rest->first_location]),
			"[trimmed]");
	}
	pyro_profile_free(less);
}

static void test_trim(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct pyro_profile *p =
			rnd_profile(seed, 1 + seed % 8, 60, seed % 2);

		for (size_t max = 0; max < 65; max++)
			check_trim(p, max);
		pyro_profile_free(p);
	}
}

static void test_trim_ties_and_extremes(void **state)
{
	static const int64_t values[] = {5, 5, INT64_MIN, 5, -1, 0, INT64_MAX,
					 5, 5, INT64_MAX, 0, -1};
	struct pyro_profile *p = pyro_profile_new();

	(void)state;
	pyro_profile_add_type(p, "t", "u");
	for (uint32_t i = 0; i < PYRO_COUNT_OF(values); i++) {
		uint32_t l = pyro_profile_location(p, i, 0, NULL, 0);

		pyro_profile_sample(p, &l, 1, NULL, 0, &values[i]);
	}
	for (size_t max = 0; max <= PYRO_COUNT_OF(values); max++)
		check_trim(p, max);
	pyro_profile_free(p);
}

/* Of a heap's samples those go that are light both in what was allocated and in
 * what is in use, whatever their numbers of objects. */
static void test_trim_heap(void **state)
{
	static const int64_t values[][4] = {
		{1, 1000, 0, 0}, {900, 10, 0, 0}, {0, 0, 1, 1000},
		{0, 0, 900, 10}, {5, 20, 5, 20},  {1, 2000, 0, 0},
	};
	struct pyro_profile *p = pyro_profile_new(), *less;

	(void)state;
	pyro_profile_set_heap(p, PYRO_TYPE_HEAP, 524288);
	for (uint32_t i = 0; i < PYRO_COUNT_OF(values); i++) {
		uint32_t l = pyro_profile_location(p, i, 0, NULL, 0);

		pyro_profile_sample(p, &l, 1, NULL, 0, values[i]);
	}
	for (size_t max = 0; max <= PYRO_COUNT_OF(values); max++)
		check_trim(p, max);
	less = pyro_profile_trim(p, 4);
	assert_int_equal(less->samples[0].value[1], 1000);
	assert_int_equal(less->samples[1].value[3], 1000);
	assert_int_equal(less->samples[2].value[1], 2000);
	assert_string_equal(pyro_profile_text(less, less->default_type),
			    "inuse_space");
	pyro_profile_free(less);
	pyro_profile_free(p);
}

/* Of a difference what shrank most is kept as what grew most is. */
static void test_trim_difference(void **state)
{
	static const int64_t values[] = {3, -1000, 2, 1000, -1, INT64_MIN};
	struct pyro_profile *p = pyro_profile_new(), *less;

	(void)state;
	pyro_profile_add_type(p, "t", "u");
	for (uint32_t i = 0; i < PYRO_COUNT_OF(values); i++) {
		uint32_t l = pyro_profile_location(p, i, 0, NULL, 0);

		pyro_profile_sample(p, &l, 1, NULL, 0, &values[i]);
	}
	less = pyro_profile_trim(p, 4);
	assert_int_equal(less->samples_count, 4);
	assert_int_equal(less->samples[0].value[0], -1000);
	assert_int_equal(less->samples[1].value[0], 1000);
	assert_int_equal(less->samples[2].value[0], INT64_MIN);
	assert_int_equal(less->samples[3].value[0], 4);
	pyro_profile_free(less);
	pyro_profile_free(p);
}

static void test_trim_again(void **state)
{
	struct pyro_profile *p = rnd_profile(9, 2, 100, false);
	struct pyro_profile *less = pyro_profile_trim(p, 50);
	struct pyro_profile *least = pyro_profile_trim(less, 1);

	(void)state;
	assert_int_equal(least->samples_count, 1);
	assert_int_equal(total(least, 0), total(p, 0));
	assert_int_equal(total(least, 1), total(p, 1));
	assert_int_equal(least->mappings_count, 1);
	assert_int_equal(least->functions_count, 1);
	pyro_profile_free(p);
	pyro_profile_free(less);
	pyro_profile_free(least);
}

static void test_out_of_memory(void **state)
{
	struct pyro_profile *a = rnd_profile(1, 2, 400, false);
	struct pyro_profile *b = rnd_profile(2, 2, 400, false);
	long n = 0, mapped = mapped_bytes;
	bool failed;

	(void)state;
	do {
		struct pyro_profile *to = pyro_profile_new(), *less;

		fail_memory_at(n++);
		less = pyro_profile_trim(a, 100);
		failed = !less;
		pyro_profile_free(less);
		fail_memory_at(-1);
		assert_int_equal(pyro_profile_merge(to, a), 0);

		fail_memory_at(n);
		int err = pyro_profile_merge(to, b);
		fail_memory_at(-1);
		assert_true(err == 0 || err == -ENOMEM);
		failed = failed || err;
		pyro_profile_free(to);

		fail_memory_at(n);
		err = pyro_profile_diff(a, b, &less);
		fail_memory_at(-1);
		assert_true(err == 0 ? less != NULL : err == -ENOMEM && !less);
		failed = failed || err;
		pyro_profile_free(less);
		assert_int_equal(mapped_bytes, mapped);
	} while (failed);
	assert_true(n > 15);
	pyro_profile_free(a);
	pyro_profile_free(b);
}

/* Hang guard only: quadratic behaviour takes minutes here. */
static void test_big(void **state)
{
	struct pyro_profile *to = pyro_profile_new();
	int64_t sum = 0;

	(void)state;
	for (uint64_t seed = 0; seed < 8; seed++) {
		struct pyro_profile *p = rnd_profile(seed, 2, 50000, false);

		sum += total(p, 1);
		assert_int_equal(pyro_profile_merge(to, p), 0);
		pyro_profile_free(p);
	}
	assert_true(to->samples_count > 300000);
	assert_int_equal(total(to, 1), sum);
	check_trim(to, 15999);
	pyro_profile_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_into_empty_is_a_copy),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_twice_doubles),
		cmocka_unit_test(test_other_types),
		cmocka_unit_test(test_some_types),
		cmocka_unit_test(test_scaled),
		cmocka_unit_test(test_scaled_leaves_out_zeros),
		cmocka_unit_test(test_diff),
		cmocka_unit_test(test_diff_of_other_types),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_mapping_identity),
		cmocka_unit_test(test_program_stays_first),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_trim_ties_and_extremes),
		cmocka_unit_test(test_trim_heap),
		cmocka_unit_test(test_trim_difference),
		cmocka_unit_test(test_trim_again),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_big),
	};

	alarm(150);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
