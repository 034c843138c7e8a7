// SPDX-License-Identifier: Apache-2.0
/* test_cpu_profile.c - a window's stacks as a profile: names of real code of
 * this process, frames that stand for what is no code, and sums that agree */
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "profile/cpu_profile.h"

#define PERIOD UINT64_C(10000000)

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

/* "leaf;..;root" of a sample. */
static const char *text_of(const struct pyro_profile *p,
			   const struct pyro_sample *sample)
{
	static char text[4096];
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < sample->location_count; i++)
		len += (size_t)snprintf(
			text + len, sizeof(text) - len, "%s%s", i ? ";" : "",
			pyro_profile_frame(
				p,
				p->location_ids[sample->first_location + i]));
	return text;
}

static const struct pyro_sample *find(const struct pyro_profile *p,
				      const char *text)
{
	for (size_t i = 0; i < p->samples_count; i++)
		if (strcmp(text_of(p, &p->samples[i]), text) == 0)
			return &p->samples[i];
	for (size_t i = 0; i < p->samples_count; i++)
		print_error("  %s\n", text_of(p, &p->samples[i]));
	fail_msg("no stack %s", text);
	return NULL;
}

static void check(const struct pyro_profile *p, const char *text,
		  uint64_t ticks, uint64_t ns)
{
	const struct pyro_sample *sample = find(p, text);

	assert_int_equal(sample->value[0], ticks);
	assert_int_equal(sample->value[1], ns);
}

static void sum(const struct pyro_profile *p, uint64_t *ticks, uint64_t *ns)
{
	*ticks = *ns = 0;
	for (size_t i = 0; i < p->samples_count; i++) {
		*ticks += (uint64_t)p->samples[i].value[0];
		*ns += (uint64_t)p->samples[i].value[1];
	}
}

static void test_names_and_marks(void **state)
{
	struct pyro_stacks stacks = {0};
	uint64_t known = frame_of((void *)(uintptr_t)known_function);
	uint64_t libc = frame_of((void *)(uintptr_t)getenv);
	uint64_t anon = UINT64_C(0x7000123456);
	uint64_t a[] = {known, libc}, b[] = {libc}, c[] = {anon, known};

	(void)state;
	pyro_stacks_add(&stacks, STACK(a, 2, PYRO_STOP_END), 3 * PERIOD, 3);
	pyro_stacks_add(&stacks, STACK(b, 1, PYRO_STOP_GAP), PERIOD, 1);
	pyro_stacks_add(&stacks, STACK(c, 2, PYRO_STOP_END), PERIOD, 1);
	pyro_stacks_add(&stacks, STACK(c, 2, PYRO_STOP_UNMAPPED), PERIOD, 1);
	pyro_stacks_add(&stacks, STACK(a, 0, PYRO_STOP_BOUNDS), PERIOD, 1);
	/* A signal that waited: 250 ms at 10 ms a tick. */
	pyro_stacks_add(&stacks, STACK(a, 2, PYRO_STOP_END), 25 * PERIOD, 25);
	pyro_stacks_add(&stacks, STACK(b, 1, PYRO_STOP_GAP), 30 * PERIOD, 30);

	struct pyro_cpu_window window = {
		.stacks = &stacks,
		.period_ns = PERIOD,
		.time_ns = 1700000000123456789,
		.duration_ns = 15000000000,
		.lost_ns = 7 * PERIOD,
		.lost_ticks = 7,
		.unsampled_ns = 25000000,
		.library_ns = 12345678,
	};
	struct pyro_profile *p = pyro_cpu_profile(&window, modules);
	uint64_t ticks, ns;

	assert_non_null(p);
	check(p, "known_function;getenv", 28, 14 * PERIOD);
	check(p, "[signal delayed];known_function;getenv", 0, 14 * PERIOD);
	check(p, "getenv;[truncated: no unwind information]", 31, 12 * PERIOD);
	check(p, "[signal delayed];getenv;[truncated: no unwind information]",
	      0, 19 * PERIOD);
	check(p, "[anon:0x7000123000];known_function", 1, PERIOD);
	check(p,
	      "[anon:0x7000123000];known_function;"
	      "[truncated: code of no object]",
	      1, PERIOD);
	check(p, "[truncated: stack not readable]", 1, PERIOD);
	check(p, "[lost]", 7, 7 * PERIOD);
	check(p, "[unsampled]", 2, 25000000);
	check(p, "[pyroscope]", 1, 12345678);
	assert_int_equal(p->samples_count, 10);

	sum(p, &ticks, &ns);
	assert_int_equal(ns, stacks.total_ns + window.lost_ns +
				     window.unsampled_ns + window.library_ns);
	assert_int_equal(ticks, stacks.total_ticks + 7 + 2 + 1);

	assert_int_equal(p->time_ns, window.time_ns);
	assert_int_equal(p->duration_ns, window.duration_ns);
	assert_int_equal(p->period, PERIOD);
	assert_int_equal(p->type_count, 2);
	assert_string_equal(pyro_profile_text(p, p->type[0].type), "samples");
	assert_string_equal(pyro_profile_text(p, p->type[0].unit), "count");
	assert_string_equal(pyro_profile_text(p, p->type[1].type), "cpu");
	assert_string_equal(pyro_profile_text(p, p->type[1].unit),
			    "nanoseconds");
	assert_string_equal(pyro_profile_text(p, p->period_type.type), "cpu");
	pyro_profile_free(p);
	pyro_stacks_free(&stacks);
}

int mangled_function(int x) __asm__("_ZN5shape4areaEi");

__attribute__((noinline, used)) int mangled_function(int x)
{
	return x * 5 + 2;
}

/* The readable name is shown, the other one is kept. */
static void test_readable_names(void **state)
{
	static const char *const want[PYRO_DEMANGLE_COUNT] = {
		"shape::area", "shape::area(int)", "_ZN5shape4areaEi"};

	(void)state;
	for (int how = 0; how <= PYRO_DEMANGLE_COUNT; how++) {
		struct pyro_stacks stacks = {0};
		uint64_t frame = frame_of((void *)(uintptr_t)mangled_function);
		bool none = how == PYRO_DEMANGLE_COUNT;
		struct pyro_cpu_window window = {
			.stacks = &stacks,
			.period_ns = PERIOD,
			.names = none ? NULL
				      : pyro_names_new((enum pyro_demangle)how),
		};

		pyro_stacks_add(&stacks, STACK(&frame, 1, PYRO_STOP_END),
				PERIOD, 1);

		struct pyro_profile *p = pyro_cpu_profile(&window, modules);

		assert_non_null(p);
		assert_int_equal(p->functions_count, 1);
		assert_string_equal(pyro_profile_text(p, p->functions[0].name),
				    none ? "_ZN5shape4areaEi" : want[how]);
		assert_string_equal(
			pyro_profile_text(p, p->functions[0].system_name),
			"_ZN5shape4areaEi");
		pyro_profile_free(p);
		pyro_names_free(window.names);
		pyro_stacks_free(&stacks);
	}
}

/* Real code has a mapping whose bounds hold the address; pseudo frames have
 * none. */
static void test_mappings(void **state)
{
	struct pyro_stacks stacks = {0};
	uint64_t f[] = {frame_of((void *)(uintptr_t)known_function),
			frame_of((void *)(uintptr_t)getenv)};
	struct pyro_cpu_window window = {
		.stacks = &stacks, .period_ns = PERIOD, .lost_ns = 1};

	(void)state;
	pyro_stacks_add(&stacks, STACK(f, 2, PYRO_STOP_END), PERIOD, 1);

	struct pyro_profile *p = pyro_cpu_profile(&window, modules);

	assert_non_null(p);
	assert_int_equal(p->mappings_count, 2);
	assert_int_equal(p->locations_count, 3);
	for (size_t i = 0; i < p->locations_count; i++) {
		const struct pyro_location *l = &p->locations[i];

		assert_int_equal(l->line_count, 1);
		if (l->mapping == 0) {
			assert_string_equal(
				pyro_profile_frame(p, (uint32_t)i + 1),
				"[lost]");
			continue;
		}

		const struct pyro_mapping *m = &p->mappings[l->mapping - 1];

		assert_true(l->address >= m->start && l->address < m->limit);
		assert_true(m->has_functions);
		assert_true(*pyro_profile_text(p, m->filename) == '/');
	}
	pyro_profile_free(p);
	pyro_stacks_free(&stacks);
}

/* Code without a symbol: the module's name and the ELF address. */
static void test_unresolved(void **state)
{
	struct pyro_stacks stacks = {0};
	uint64_t known = frame_of((void *)(uintptr_t)known_function);
	const struct pyro_module *m =
		pyro_modules_get(modules, PYRO_FRAME_MODULE(known));
	uint64_t hole = (known >> 48 << 48) | (m->text_hi + 0x123456);
	struct pyro_cpu_window window = {.stacks = &stacks,
					 .period_ns = PERIOD};
	char want[300];

	(void)state;
	pyro_stacks_add(&stacks, STACK(&hole, 1, PYRO_STOP_END), PERIOD, 1);

	struct pyro_profile *p = pyro_cpu_profile(&window, modules);

	snprintf(want, sizeof(want), "%s+0x%llx", m->name,
		 (unsigned long long)PYRO_FRAME_ADDRESS(hole));
	check(p, want, 1, PERIOD);
	pyro_profile_free(p);
	pyro_stacks_free(&stacks);
}

static void test_empty_and_overflow(void **state)
{
	struct pyro_stacks stacks = {0};
	struct pyro_cpu_window window = {.stacks = &stacks,
					 .period_ns = PERIOD};
	struct pyro_profile *p = pyro_cpu_profile(&window, modules);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->samples_count, 0);
	pyro_profile_free(p);

	stacks.overflow = (struct pyro_stack_values){5, 5 * PERIOD, 0};
	p = pyro_cpu_profile(&window, modules);
	check(p, "[overflow]", 5, 5 * PERIOD);
	assert_int_equal(p->samples_count, 1);
	pyro_profile_free(p);
	pyro_stacks_free(&stacks);
}

/* Random windows: the profile's total is the sum of its parts. */
static void test_totals(void **state)
{
	uint64_t random = 99, ticks, ns;
	uint64_t base = frame_of((void *)(uintptr_t)known_function);

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct pyro_stacks stacks = {0};
		struct pyro_cpu_window window = {
			.stacks = &stacks,
			.period_ns = PERIOD,
			.lost_ns = next_random(&random) % 3 * PERIOD,
			.unsampled_ns = next_random(&random) % 99999999,
			.library_ns = next_random(&random) % 99999999,
		};

		for (int i = 0; i < 200; i++) {
			uint64_t f[PYRO_DEPTH_MAX];
			size_t depth =
				next_random(&random) % (PYRO_DEPTH_MAX + 1);
			uint64_t weight = next_random(&random) % 30 + 1;

			for (size_t k = 0; k < depth; k++)
				f[k] = base + next_random(&random) % 64;
			pyro_stacks_add(&stacks,
					STACK(f, depth, i % PYRO_STOP_COUNT),
					weight * PERIOD, weight);
		}

		struct pyro_profile *p = pyro_cpu_profile(&window, modules);

		assert_non_null(p);
		sum(p, &ticks, &ns);
		assert_int_equal(ns, stacks.total_ns + window.lost_ns +
					     window.unsampled_ns +
					     window.library_ns);
		assert_int_equal(ticks, stacks.total_ticks +
						window.unsampled_ns / PERIOD +
						window.library_ns / PERIOD);
		pyro_profile_free(p);
		pyro_stacks_free(&stacks);
	}
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

/* One stack under two sets of labels is two samples, also what came late. */
static void test_labels(void **state)
{
	uint32_t route = pyro_labels_with(0, "route", "/caf\xe9");
	uint32_t both = pyro_labels_with(route, "a", "b");
	uint64_t frame = frame_of((void *)(uintptr_t)known_function);
	struct pyro_stack_frames stack = {
		.frames = &frame,
		.depth = 1,
		.stop = PYRO_STOP_END,
	};
	struct pyro_stacks stacks = {0};
	struct pyro_cpu_window window = {.stacks = &stacks,
					 .period_ns = PERIOD};
	const struct pyro_label *label;
	struct pyro_profile *p;

	(void)state;
	pyro_stacks_add(&stacks, &stack, PERIOD, 1);
	stack.labels = both;
	pyro_stacks_add(&stacks, &stack, 30 * PERIOD, 30);
	stack.labels = route;
	pyro_stacks_add(&stacks, &stack, 2 * PERIOD, 2);
	pyro_stacks_add(&stacks, &stack, 3 * PERIOD, 3);
	p = pyro_cpu_profile(&window, modules);
	assert_non_null(p);
	assert_int_equal(p->samples_count, 4);
	assert_int_equal(p->samples[0].label_count, 0);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(p->samples[i].label_count, 2);
		label = &p->labels[p->samples[i].first_label];
		assert_string_equal(pyro_profile_text(p, label[0].key), "a");
		assert_string_equal(pyro_profile_text(p, label[0].str), "b");
		assert_string_equal(pyro_profile_text(p, label[1].key),
				    "route");
	}
	assert_int_equal(p->samples[1].value[1] + p->samples[2].value[1],
			 30 * PERIOD);
	assert_int_equal(p->samples[3].value[1], 5 * PERIOD);
	assert_int_equal(p->samples[3].label_count, 1);
	label = &p->labels[p->samples[3].first_label];
	/* Made valid UTF-8. */
	assert_string_equal(pyro_profile_text(p, label->str),
			    "/caf\xef\xbf\xbd");
	pyro_profile_free(p);
	pyro_stacks_free(&stacks);
}

/* The trace's id only where it is asked for, and where there is one. */
static void test_spans(void **state)
{
	const struct pyro_span with = {.id = {1, 0xab}, .trace = {2, [15] = 3}};
	const struct pyro_span without = {.id = {4}};
	uint64_t frame = frame_of((void *)(uintptr_t)known_function);
	struct pyro_stack_frames stack = {
		.frames = &frame,
		.depth = 1,
		.stop = PYRO_STOP_END,
	};
	struct pyro_stacks stacks = {0};
	struct pyro_cpu_window window = {.stacks = &stacks,
					 .period_ns = PERIOD};

	(void)state;
	stack.span = pyro_stacks_span(&stacks, &with);
	pyro_stacks_add(&stacks, &stack, PERIOD, 1);
	stack.span = pyro_stacks_span(&stacks, &without);
	pyro_stacks_add(&stacks, &stack, PERIOD, 1);
	for (int asked = 0; asked < 2; asked++) {
		struct pyro_profile *p;
		const struct pyro_label *label;

		window.traces = asked;
		p = pyro_cpu_profile(&window, modules);
		assert_non_null(p);
		assert_int_equal(p->samples_count, 2);
		assert_int_equal(p->samples[0].label_count, 1 + asked);
		assert_int_equal(p->samples[1].label_count, 1);
		label = &p->labels[p->samples[0].first_label];
		assert_string_equal(pyro_profile_text(p, label[0].key),
				    "span_id");
		assert_string_equal(pyro_profile_text(p, label[0].str),
				    "01ab000000000000");
		if (asked) {
			assert_string_equal(pyro_profile_text(p, label[1].key),
					    "trace_id");
			assert_string_equal(pyro_profile_text(p, label[1].str),
					    "02000000000000000000000000000003");
		}
		pyro_profile_free(p);
	}
	pyro_stacks_free(&stacks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_names_and_marks),
		cmocka_unit_test(test_readable_names),
		cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_unresolved),
		cmocka_unit_test(test_empty_and_overflow),
		cmocka_unit_test(test_totals),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
