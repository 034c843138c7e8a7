// SPDX-License-Identifier: Apache-2.0
/* test_heap_profile.c - a window of the heap as a profile: its types and frames,
 * sums that agree, and what another reader of pprof finds in it */
#include "tests/profile_util.h"
#include "tests/unit.h"

#include "encode/pprof.h"
#include "profile/heap_profile.h"

static struct pyro_modules *modules;

int known_function(int x);

__attribute__((noinline, used)) int known_function(int x)
{
	return x * 3 + 1;
}

static uint64_t frame_of(const void *code)
{
	uintptr_t pc = (uintptr_t)code;
	const struct pyro_map *map =
		pyro_snapshot_find(pyro_modules_current(), pc);

	assert_non_null(map);
	return (uint64_t)map->module << 48 | (pc - map->bias);
}

/* Two stacks, of which one is only in use and the other only allocated, a third
 * with both, and one that has neither any more. */
static void fill(struct pyro_heap_stacks *h, bool ages)
{
	uint64_t known = frame_of((void *)(uintptr_t)known_function);
	uint64_t libc = frame_of((void *)(uintptr_t)getenv);
	uint64_t a[] = {known, libc}, b[] = {libc},
		 c[] = {UINT64_C(0x7000123456), known};
	const struct pyro_heap_sample first[] = {
		{1, 1000, 1}, {2, 24, 1}, {3, 50, 1}};
	/* Weights of 2.54 and 1.58: sums are rounded, not they. */
	const struct pyro_heap_sample second[] = {
		{4, 1, 4}, {5, 3, 4}, {6, 1, 4}, {7, 100, 1}};
	uint64_t s = PYRO_NS_PER_SEC;

	pyro_heap_stacks_add(h, STACK(a, 2, PYRO_STOP_END), &first[0], 0);
	pyro_heap_stacks_add(h, STACK(a, 2, PYRO_STOP_END), &first[1], 90 * s);
	pyro_heap_stacks_add(h, STACK(b, 1, PYRO_STOP_GAP), &first[2], 0);
	pyro_heap_stacks_live_begin(h, 91 * s, ages);
	pyro_heap_stacks_live(h, 1, 1000, 1);
	pyro_heap_stacks_live(h, 2, 24, 1);
	pyro_heap_stacks_live_end(h);
	pyro_heap_stacks_next(h);
	for (size_t i = 0; i < 3; i++)
		pyro_heap_stacks_add(h, STACK(b, 1, PYRO_STOP_END), &second[i],
				     95 * s);
	pyro_heap_stacks_add(h, STACK(c, 2, PYRO_STOP_DEPTH), &second[3],
			     99 * s);
	pyro_heap_stacks_live_begin(h, 100 * s, ages);
	pyro_heap_stacks_live(h, 1, 1000, 1);
	pyro_heap_stacks_live(h, 2, 24, 1);
	pyro_heap_stacks_live(h, 7, 100, 1);
	pyro_heap_stacks_live_end(h);
}

static struct pyro_profile *profile_of(const struct pyro_heap_stacks *h,
				       uint32_t types,
				       struct pyro_heap_values lost)
{
	struct pyro_heap_window window = {
		.stacks = h,
		.types = types,
		.interval = 4096,
		.time_ns = 1700000000123456789,
		.duration_ns = 15000000000,
		.lost = lost,
	};
	struct pyro_profile *p = pyro_heap_profile(&window, modules);

	assert_non_null(p);
	assert_int_equal(p->time_ns, window.time_ns);
	assert_int_equal(p->duration_ns, window.duration_ns);
	assert_int_equal(p->period, 4096);
	assert_string_equal(pyro_profile_text(p, p->period_type.type), "space");
	assert_string_equal(pyro_profile_text(p, p->period_type.unit), "bytes");
	return p;
}

/* All samples as "leaf;root[=age] values", sorted, a line each. */
static void check(struct pyro_profile *p, const char *want)
{
	struct pyro_buf out = {0};
	char *lines[16];
	size_t count = p->samples_count;

	assert_true(count < PYRO_COUNT_OF(lines));
	for (size_t i = 0; i < count; i++) {
		const struct pyro_sample *s = &p->samples[i];
		struct pyro_buf line = {0};

		for (uint32_t k = 0; k < s->location_count; k++)
			pyro_buf_printf(
				&line, "%s%s", k ? ";" : "",
				pyro_profile_frame(
					p, p->location_ids[s->first_location +
							   k]));
		for (uint32_t k = 0; k < s->label_count; k++) {
			const struct pyro_label *l =
				&p->labels[s->first_label + k];

			pyro_buf_printf(
				&line, " %s=%d%s", pyro_profile_text(p, l->key),
				(int)l->num, pyro_profile_text(p, l->num_unit));
		}
		for (size_t k = 0; k < p->type_count; k++)
			pyro_buf_printf(&line, " %d", (int)s->value[k]);
		pyro_buf_put(&line, "", 1);
		lines[i] = strdup((char *)line.data);
		pyro_buf_free(&line);
	}
	qsort(lines, count, sizeof(*lines), by_text);
	for (size_t i = 0; i < count; i++) {
		pyro_buf_printf(&out, "%s\n", lines[i]);
		free(lines[i]);
	}
	pyro_buf_put(&out, "", 1);
	assert_string_equal((char *)out.data, want);
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

static void test_all_types(void **state)
{
	struct pyro_heap_stacks h = {0};
	struct pyro_profile *p;

	(void)state;
	fill(&h, false);
	p = profile_of(&h, PYRO_TYPE_HEAP, (struct pyro_heap_values){2.6, 99});
	assert_int_equal(p->type_count, 4);
	assert_string_equal(pyro_profile_text(p, p->type[0].type),
			    "alloc_objects");
	assert_string_equal(pyro_profile_text(p, p->type[1].type),
			    "alloc_space");
	assert_string_equal(pyro_profile_text(p, p->type[2].type),
			    "inuse_objects");
	assert_string_equal(pyro_profile_text(p, p->type[3].type),
			    "inuse_space");
	assert_string_equal(pyro_profile_text(p, p->default_type),
			    "inuse_space");
	/* 2 / (1 - exp(-2/4)) + 1 / (1 - exp(-1)) objects, of 1 and 3 bytes */
	check(p, "[anon:0x7000123000];known_function;[truncated] 1 100 1 100\n"
		 "[lost] 3 99 0 0\n"
		 "getenv 7 10 0 0\n"
		 "known_function;getenv 0 0 2 1024\n");
	pyro_heap_stacks_free(&h);
}

/* Those that were asked for, in the same order; samples of nothing but zeros are
 * left out. */
static void test_some_types(void **state)
{
	const struct pyro_heap_values lost = {0, 0};
	struct pyro_heap_stacks h = {0};
	struct pyro_profile *p;

	(void)state;
	fill(&h, false);
	check(profile_of(&h, PYRO_TYPE_INUSE_SPACE, lost),
	      "[anon:0x7000123000];known_function;[truncated] 100\n"
	      "known_function;getenv 1024\n");
	p = profile_of(&h, PYRO_TYPE_ALLOC, lost);
	assert_int_equal(p->default_type, 0);
	check(p, "[anon:0x7000123000];known_function;[truncated] 1 100\n"
		 "getenv 7 10\n");
	check(profile_of(&h,
			 PYRO_TYPE_CPU | PYRO_TYPE_INUSE_SPACE |
				 PYRO_TYPE_ALLOC_OBJECTS,
			 (struct pyro_heap_values){0.4, 1}),
	      "[anon:0x7000123000];known_function;[truncated] 1 100\n"
	      "getenv 7 0\n"
	      "known_function;getenv 0 1024\n");
	pyro_heap_stacks_free(&h);
}

static void test_ages(void **state)
{
	struct pyro_heap_stacks h = {0};

	(void)state;
	fill(&h, true);
	check(profile_of(&h, PYRO_TYPE_HEAP, (struct pyro_heap_values){1, 5}),
	      "[anon:0x7000123000];known_function;[truncated] 1 100 0 0\n"
	      "[anon:0x7000123000];known_function;[truncated] age=1seconds "
	      "0 0 1 100\n"
	      "[lost] 1 5 0 0\n"
	      "getenv 7 10 0 0\n"
	      "known_function;getenv age=64seconds 0 0 1 1000\n"
	      "known_function;getenv age=8seconds 0 0 1 24\n");
	pyro_heap_stacks_free(&h);
}

static void test_overflow_and_empty(void **state)
{
	const struct pyro_heap_values lost = {0};
	struct pyro_heap_stacks h = {0};

	(void)state;
	check(profile_of(&h, PYRO_TYPE_HEAP, lost), "");
	for (uint64_t i = 1; i <= PYRO_STACKS_MAX + 10; i++) {
		const struct pyro_heap_sample sample = {i, 20, 1};

		pyro_heap_stacks_add(&h, STACK(&i, 1, PYRO_STOP_END), &sample,
				     0);
	}
	pyro_heap_stacks_live_begin(&h, 0, false);
	for (uint64_t i = PYRO_STACKS_MAX + 1; i <= PYRO_STACKS_MAX + 4; i++)
		pyro_heap_stacks_live(&h, i, 20, 1);
	pyro_heap_stacks_live_end(&h);
	check(profile_of(&h, PYRO_TYPE_INUSE, lost), "[overflow] 4 80\n");

	struct pyro_profile *p = profile_of(&h, PYRO_TYPE_HEAP, lost);

	assert_int_equal(total(p, 0), PYRO_STACKS_MAX + 10);
	assert_int_equal(total(p, 1), 20 * (PYRO_STACKS_MAX + 10));
	assert_int_equal(total(p, 2), 4);
	pyro_profile_free(p);
	pyro_heap_stacks_free(&h);
}

/* More than an int64_t holds is the most that it does. */
static void test_huge(void **state)
{
	struct pyro_heap_stacks h = {0};
	struct pyro_profile *p;

	(void)state;
	p = profile_of(&h, PYRO_TYPE_HEAP,
		       (struct pyro_heap_values){1e300, 9e18});
	assert_int_equal(p->samples_count, 1);
	assert_true(p->samples[0].value[0] == INT64_MAX);
	assert_true(p->samples[0].value[1] == INT64_MAX);
	pyro_profile_free(p);
}

static void test_out_of_memory(void **state)
{
	struct pyro_heap_stacks h = {0};
	struct pyro_heap_window window = {
		.stacks = &h, .types = PYRO_TYPE_HEAP, .interval = 1};
	struct pyro_profile *p;
	long n = 0;

	(void)state;
	fill(&h, true);
	do {
		fail_memory_at(n++);
		p = pyro_heap_profile(&window, modules);
		fail_memory_at(-1);
	} while (!p);
	assert_true(n > 3);
	assert_int_equal(p->samples_count, 5);
	pyro_profile_free(p);
	pyro_heap_stacks_free(&h);
}

/* pprof.py, which shares nothing with us. */
static void test_read_elsewhere(void **state)
{
	struct pyro_heap_stacks h = {0};
	struct pyro_buf pprof = {0}, out = {0};
	struct pyro_profile *p;

	(void)state;
	if (UNDER_EMULATOR)
		skip();
	fill(&h, true);
	p = profile_of(&h, PYRO_TYPE_HEAP, (struct pyro_heap_values){2, 99});
	assert_int_equal(pyro_pprof_write(p, &pprof), 0);
	run_on("python3 -B -c 'import os, sys\n"
	       "sys.path.insert(0, os.environ[\"SOURCE_DIR\"] + \"/tests\")\n"
	       "import pprof\n"
	       "p = pprof.load(os.environ[\"IN\"])\n"
	       "print(p.sample_types, p.default_type, p.period_type, "
	       "p.period)\n"
	       "print([sum(s.values[i] for s in p.samples) "
	       "for i in range(4)])\n"
	       "print(sorted((s.labels[\"age\"], s.values) "
	       "for s in p.samples if s.labels))'",
	       pprof.data, pprof.len, &out);
	pyro_buf_put(&out, "", 1);
	assert_string_equal(
		(char *)out.data,
		"[('alloc_objects', 'count'), ('alloc_space', 'bytes'), "
		"('inuse_objects', 'count'), ('inuse_space', 'bytes')] "
		"inuse_space ('space', 'bytes') 4096\n"
		"[10, 209, 3, 1124]\n"
		"[(1, [0, 0, 1, 100]), (8, [0, 0, 1, 24]), "
		"(64, [0, 0, 1, 1000])]\n");
	pyro_buf_free(&out);
	pyro_buf_free(&pprof);
	pyro_profile_free(p);
	pyro_heap_stacks_free(&h);
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
		cmocka_unit_test(test_all_types),
		cmocka_unit_test(test_some_types),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_overflow_and_empty),
		cmocka_unit_test(test_huge),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_read_elsewhere),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
