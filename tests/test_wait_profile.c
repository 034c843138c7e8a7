// SPDX-License-Identifier: Apache-2.0
/* test_wait_profile.c - a window's waits as a profile: sums by stack and class,
 * and what belongs to no stack */
#include "tests/profile_util.h"
#include "tests/unit.h"

#include "profile/wait_profile.h"

static struct pyro_modules *modules;

int known_function(int x);

__attribute__((noinline, used)) int known_function(int x)
{
	return x * 3 + 1;
}

static uint64_t known_frame(void)
{
	uintptr_t pc = (uintptr_t)known_function;
	const struct pyro_map *map =
		pyro_snapshot_find(pyro_modules_current(), pc);

	assert_non_null(map);
	return (uint64_t)map->module << 48 | (pc - map->bias);
}

static void add(struct pyro_wait_stacks *w, uint64_t frame,
		enum pyro_wait_class wait_class, uint64_t count, uint64_t ns)
{
	assert_true(pyro_wait_stacks_add(w, STACK(&frame, 1, PYRO_STOP_END),
					 wait_class,
					 (struct pyro_weight){count, ns}));
}

static struct pyro_profile *profile_of(const struct pyro_wait_window *window)
{
	struct pyro_profile *p = pyro_wait_profile(window, modules);

	assert_non_null(p);
	assert_string_equal(pyro_profile_text(p, p->period_type.type),
			    "contentions");
	assert_string_equal(pyro_profile_text(p, p->period_type.unit), "count");
	assert_int_equal(p->period, 1);
	assert_int_equal(p->time_ns, window->time_ns);
	assert_int_equal(p->duration_ns, window->duration_ns);
	return p;
}

/* The sample of this leaf and class ("": no label) has these values; 0 0: there
 * is none. */
static void check(const struct pyro_profile *p, const char *leaf,
		  const char *wait_class, int64_t first, int64_t second)
{
	int64_t values[2] = {0, 0};

	for (size_t i = 0; i < p->samples_count; i++) {
		const struct pyro_sample *s = &p->samples[i];
		const struct pyro_label *l = &p->labels[s->first_label];
		const char *name = pyro_profile_frame(
			p, p->location_ids[s->first_location]);

		if (strcmp(name, leaf) != 0 ||
		    s->label_count != (*wait_class != '\0'))
			continue;
		if (*wait_class) {
			assert_string_equal(pyro_profile_text(p, l->key),
					    "wait_class");
			if (strcmp(pyro_profile_text(p, l->str), wait_class) !=
			    0)
				continue;
		}
		for (size_t k = 0; k < p->type_count; k++)
			values[k] += s->value[k];
	}
	assert_int_equal(values[0], first);
	assert_int_equal(values[1], second);
}

static void test_block(void **state)
{
	struct pyro_wait_stacks w = {0};
	struct pyro_wait_window window = {
		.stacks = &w,
		.types = PYRO_TYPE_BLOCK,
		.time_ns = 1700000000123456789,
		.duration_ns = 15000000000,
		.not_captured = {7, 700},
	};
	struct pyro_profile *p;

	(void)state;
	add(&w, known_frame(), PYRO_WAIT_SYNC, 2, 30);
	add(&w, known_frame(), PYRO_WAIT_IO, 1, 500);
	add(&w, known_frame(), PYRO_WAIT_SYNC, 3, 40);
	add(&w, UINT64_C(0x7000123456), PYRO_WAIT_SLEEP, 1, 9);
	w.overflow.sum[PYRO_WAIT_IO] = (struct pyro_weight){4, 44};
	assert_int_equal(w.records, 4);
	p = profile_of(&window);
	assert_int_equal(p->type_count, 2);
	assert_string_equal(pyro_profile_text(p, p->type[0].type),
			    "contentions");
	assert_string_equal(pyro_profile_text(p, p->type[0].unit), "count");
	assert_string_equal(pyro_profile_text(p, p->type[1].type), "delay");
	assert_string_equal(pyro_profile_text(p, p->type[1].unit),
			    "nanoseconds");
	assert_int_equal(p->samples_count, 5);
	check(p, "known_function", "sync", 5, 70);
	check(p, "known_function", "io", 1, 500);
	check(p, "[overflow]", "io", 4, 44);
	check(p, "[stack not captured]", "", 7, 700);
	check(p, "[unlocker not seen]", "", 0, 0);
	pyro_profile_free(p);
	pyro_wait_stacks_clear(&w);
	assert_int_equal(w.records, 0);
	window.not_captured = (struct pyro_weight){0, 0};
	p = profile_of(&window);
	assert_int_equal(p->samples_count, 0);
	pyro_profile_free(p);
	pyro_wait_stacks_free(&w);
}

static void test_mutex(void **state)
{
	struct pyro_wait_stacks w = {0};
	struct pyro_wait_window window = {
		.stacks = &w,
		.types = PYRO_TYPE_MUTEX,
		.not_captured = {1, 100},
		.left_over = {2, 200},
	};
	struct pyro_profile *p;

	(void)state;
	add(&w, known_frame(), 0, 1, UINT64_MAX - 5);
	add(&w, known_frame(), 0, 1, 10); /* stops at the end */
	p = profile_of(&window);
	assert_int_equal(p->samples_count, 3);
	check(p, "known_function", "", 2, INT64_MAX);
	check(p, "[stack not captured]", "", 1, 100);
	check(p, "[unlocker not seen]", "", 2, 200);
	pyro_profile_free(p);
	window.types = PYRO_TYPE_MUTEX_COUNT;
	p = profile_of(&window);
	assert_int_equal(p->type_count, 1);
	check(p, "known_function", "", 2, 0);
	pyro_profile_free(p);
	window.types = PYRO_TYPE_MUTEX_DURATION;
	p = profile_of(&window);
	assert_int_equal(p->type_count, 1);
	check(p, "[unlocker not seen]", "", 200, 0);
	pyro_profile_free(p);
	pyro_wait_stacks_free(&w);
}

/* Stacks beyond the limit are summed up apart. */
static void test_too_many(void **state)
{
	struct pyro_wait_stacks w = {0};
	const struct pyro_weight one = {1, 10};

	(void)state;
	for (uint64_t i = 0; i < PYRO_STACKS_MAX + 5; i++)
		assert_int_equal(
			pyro_wait_stacks_add(&w, STACK(&i, 1, PYRO_STOP_END),
					     PYRO_WAIT_SLEEP, one),
			i < PYRO_STACKS_MAX);
	assert_int_equal(w.overflow.sum[PYRO_WAIT_SLEEP].count, 5);
	assert_int_equal(w.overflow.sum[PYRO_WAIT_SLEEP].value, 50);
	pyro_wait_stacks_free(&w);
}

static int set_up(void **state)
{
	(void)state;
	modules = pyro_modules_new(NULL);
	return modules && pyro_modules_refresh(modules) == 1 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	pyro_modules_free(modules);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
		cmocka_unit_test(test_mutex),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
