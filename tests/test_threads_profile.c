// SPDX-License-Identifier: Apache-2.0
/* test_threads_profile.c - threads by stack: values, labels, what has no stack */
#include "tests/unit.h"

#include <string.h>

#include "profile/threads_profile.h"

static struct pyro_modules *modules;
static struct pyro_stacks stacks;

static int begin(void **state)
{
	(void)state;
	modules = pyro_modules_new("");
	return modules && pyro_modules_refresh(modules) == 1 ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	pyro_stacks_free(&stacks);
	pyro_modules_free(modules);
	return 0;
}

/* The one sample of this root and state. */
static int64_t threads_at(const struct pyro_profile *p, const char *root,
			  const char *thread_state)
{
	for (size_t i = 0; i < p->samples_count; i++) {
		const struct pyro_sample *s = &p->samples[i];
		uint32_t last = p->location_ids[s->first_location +
						s->location_count - 1];
		const char *found = "";

		for (size_t l = 0; l < s->label_count; l++) {
			const struct pyro_label *label =
				&p->labels[s->first_label + l];

			if (strcmp(pyro_profile_text(p, label->key), "state") ==
			    0)
				found = pyro_profile_text(p, label->str);
		}
		if (strcmp(pyro_profile_frame(p, last), root) == 0 &&
		    strcmp(found, thread_state) == 0)
			return s->value[0];
	}
	return 0;
}

static void test_profile(void **state)
{
	uint64_t frames[] = {0x1234, 0x5678000};
	struct pyro_threads_moment moment = {.stacks = &stacks,
					     .type = "goroutine",
					     .time_ns = 7,
					     .duration_ns = 8,
					     .not_seen = 6};
	struct pyro_stack_frames stack = *STACK(frames, 2, PYRO_STOP_END);
	struct pyro_stack_frames none = *STACK(frames, 0, PYRO_STOP_UNREACHED);
	struct pyro_profile *p;

	(void)state;
	stack.labels = pyro_labels_with(0, "state", "sleeping");
	for (int i = 0; i < 3; i++)
		pyro_stacks_add(&stacks, &stack, 0, 1);
	stack.labels = none.labels = pyro_labels_with(0, "state", "running");
	pyro_stacks_add(&stacks, &stack, 0, 1);
	pyro_stacks_add(&stacks, &none, 0, 1);
	pyro_stacks_add(&stacks, &none, 0, 1);
	stacks.overflow.ticks = 5;
	p = pyro_threads_profile(&moment, modules);
	assert_non_null(p);
	assert_int_equal(p->type_count, 1);
	assert_string_equal(pyro_profile_text(p, p->type[0].type), "goroutine");
	assert_string_equal(pyro_profile_text(p, p->period_type.type),
			    "goroutine");
	assert_int_equal(p->period, 1);
	assert_int_equal(p->time_ns, 7);
	assert_int_equal(p->duration_ns, 8);
	assert_int_equal(p->samples_count, 5);
	assert_int_equal(threads_at(p, "[anon:0x5678000]", "sleeping"), 3);
	assert_int_equal(threads_at(p, "[anon:0x5678000]", "running"), 1);
	assert_int_equal(threads_at(p, "[thread not reached]", "running"), 2);
	assert_int_equal(threads_at(p, "[overflow]", ""), 5);
	assert_int_equal(threads_at(p, "[creator not seen]", ""), 6);
	pyro_profile_free(p);
}

/* How long they are where they are, if it is of many moments. */
static void test_wall(void **state)
{
	uint64_t frames[] = {0x1234, 0x5678000};
	const struct pyro_threads_moment all = {.stacks = &stacks,
						.interval_ns = 9};
	struct pyro_profile *p;

	(void)state;
	pyro_stacks_clear(&stacks);
	pyro_stacks_add(&stacks, STACK(frames, 2, PYRO_STOP_END), 30, 3);
	pyro_stacks_add(&stacks, STACK(frames, 2, PYRO_STOP_END), 12, 1);
	stacks.overflow.ticks = 5;
	stacks.overflow.ns = 50;
	p = pyro_threads_profile(&all, modules);
	assert_non_null(p);
	assert_int_equal(p->type_count, 2);
	assert_string_equal(pyro_profile_text(p, p->type[0].type), "samples");
	assert_string_equal(pyro_profile_text(p, p->type[1].type), "time");
	assert_string_equal(pyro_profile_text(p, p->type[1].unit),
			    "nanoseconds");
	assert_string_equal(pyro_profile_text(p, p->period_type.type),
			    "wallclock");
	assert_int_equal(p->period, 9);
	assert_int_equal(p->samples_count, 2);
	assert_int_equal(p->samples[0].value[0], 4);
	assert_int_equal(p->samples[0].value[1], 42);
	assert_int_equal(p->samples[1].value[0], 5);
	assert_int_equal(p->samples[1].value[1], 50);
	pyro_profile_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profile),
		cmocka_unit_test(test_wall),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
