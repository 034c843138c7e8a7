// SPDX-License-Identifier: Apache-2.0
/* test_stacks.c - records summed by stack, against a plain list */
#include "tests/unit.h"

#include <string.h>

#include "profile/stacks.h"

static const struct pyro_stack_values *find(const struct pyro_stacks *stacks,
					    const uint64_t *frames,
					    size_t depth, enum pyro_stop stop)
{
	const struct pyro_stack_values *found = NULL;

	for (size_t i = 0; i < stacks->set.count; i++) {
		const struct pyro_stack_frames *e = &stacks->set.stacks[i];

		if (e->depth == depth && e->stop == (uint16_t)stop &&
		    memcmp(e->frames, frames, depth * sizeof(*frames)) == 0) {
			assert_null(found); /* once */
			found = &stacks->values[i];
		}
	}
	return found;
}

static void test_sums(void **state)
{
	struct pyro_stacks stacks = {0};
	uint64_t a[] = {1, 2, 3}, b[] = {1, 2}, c[] = {3, 2, 1};

	(void)state;
	for (int i = 0; i < 10; i++) {
		pyro_stacks_add(&stacks, STACK(a, 3, PYRO_STOP_END), 100, 1);
		pyro_stacks_add(&stacks, STACK(b, 2, PYRO_STOP_END), 10, 2);
		pyro_stacks_add(&stacks, STACK(c, 3, PYRO_STOP_END), 1, 3);
		pyro_stacks_add(&stacks, STACK(a, 3, PYRO_STOP_GAP), 7, 4);
	}
	pyro_stacks_add(&stacks, STACK(a, 0, PYRO_STOP_BOUNDS), 5, 1);
	a[0] = 99; /* frames were copied */
	assert_int_equal(stacks.set.count, 5);
	a[0] = 1;
	assert_int_equal(find(&stacks, a, 3, PYRO_STOP_END)->ns, 1000);
	assert_int_equal(find(&stacks, a, 3, PYRO_STOP_END)->ticks, 10);
	assert_int_equal(find(&stacks, b, 2, PYRO_STOP_END)->ns, 100);
	assert_int_equal(find(&stacks, c, 3, PYRO_STOP_END)->ticks, 30);
	assert_int_equal(find(&stacks, a, 3, PYRO_STOP_GAP)->ns, 70);
	assert_int_equal(find(&stacks, a, 0, PYRO_STOP_BOUNDS)->ns, 5);
	assert_int_equal(stacks.total_ns, 1000 + 100 + 10 + 70 + 5);
	assert_int_equal(stacks.total_ticks, 10 + 20 + 30 + 40 + 1);
	assert_int_equal(stacks.records, 41);
	assert_int_equal(stacks.stops[PYRO_STOP_END], 30);
	assert_int_equal(stacks.stops[PYRO_STOP_GAP], 10);
	assert_int_equal(stacks.overflow.ns, 0);

	pyro_stacks_clear(&stacks);
	assert_int_equal(stacks.set.count + stacks.total_ns +
				 stacks.total_ticks + stacks.records +
				 stacks.stops[PYRO_STOP_END],
			 0);
	pyro_stacks_add(&stacks, STACK(b, 2, PYRO_STOP_END), 3, 1);
	assert_int_equal(stacks.set.count, 1);
	assert_int_equal(find(&stacks, b, 2, PYRO_STOP_END)->ns, 3);
	pyro_stacks_free(&stacks);
	pyro_stacks_free(&stacks);
}

/* Only what one signal weighs above the limit and one period is delayed. */
static void test_delayed(void **state)
{
	const uint64_t max = PYRO_WEIGHT_MAX_NS;
	struct pyro_stacks stacks = {0};
	uint64_t f[] = {1}, g[] = {2};

	(void)state;
	/* A tenth of the limit a tick. */
	pyro_stacks_add(&stacks, STACK(f, 1, PYRO_STOP_END), max, 10);
	pyro_stacks_add(&stacks, STACK(f, 1, PYRO_STOP_END), max + max / 10,
			11);
	assert_int_equal(stacks.values[0].delayed_ns, 0);
	pyro_stacks_add(&stacks, STACK(f, 1, PYRO_STOP_END), max + max / 5, 12);
	pyro_stacks_add(&stacks, STACK(f, 1, PYRO_STOP_END), 3 * max, 30);
	assert_int_equal(stacks.values[0].delayed_ns,
			 max / 10 + (3 * max - max - max / 10));
	assert_int_equal(stacks.values[0].ns, 6 * max + max / 10 + max / 5);
	/* At 1 Hz one period is more than the limit, and not delayed. */
	pyro_stacks_add(&stacks, STACK(g, 1, PYRO_STOP_END), PYRO_NS_PER_SEC,
			1);
	assert_int_equal(stacks.values[1].delayed_ns, 0);
	pyro_stacks_add(&stacks, STACK(g, 1, PYRO_STOP_END),
			3 * PYRO_NS_PER_SEC, 3);
	assert_int_equal(stacks.values[1].delayed_ns,
			 2 * PYRO_NS_PER_SEC - max);
	/* A weight without ticks divides nothing by zero. */
	pyro_stacks_add(&stacks, STACK(g, 1, PYRO_STOP_END), 5, 0);
	pyro_stacks_free(&stacks);
}

/* More stacks than are kept: the sums stay exact, and those that are known
 * still get theirs. */
static void test_overflow(void **state)
{
	struct pyro_stacks stacks = {0};
	uint64_t f[PYRO_DEPTH_MAX] = {0};
	uint64_t total = 0;

	(void)state;
	for (uint64_t i = 0; i < PYRO_STACKS_MAX + 1000; i++) {
		f[0] = i;
		pyro_stacks_add(&stacks,
				STACK(f, 1 + i % PYRO_DEPTH_MAX, PYRO_STOP_END),
				i, 1);
		total += i;
	}
	f[0] = 7;
	pyro_stacks_add(&stacks, STACK(f, 8, PYRO_STOP_END), 1, 1);
	assert_int_equal(stacks.set.count, PYRO_STACKS_MAX);
	assert_int_equal(stacks.overflow.ticks, 1000);
	assert_int_equal(stacks.total_ns, total + 1);

	uint64_t kept = 0;

	for (size_t i = 0; i < stacks.set.count; i++)
		kept += stacks.values[i].ns;
	assert_int_equal(kept + stacks.overflow.ns, total + 1);
	assert_int_equal(find(&stacks, f, 8, PYRO_STOP_END)->ns, 8);
	pyro_stacks_free(&stacks);
}

/* Random stacks against a list that is searched from end to end. */
static void test_random(void **state)
{
	enum {
		LIST = 300
	};
	struct pyro_stacks stacks = {0};
	uint64_t random = 42;
	struct {
		uint64_t frames[6];
		size_t depth;
		enum pyro_stop stop;
		uint64_t ns, ticks;
	} list[LIST] = {0};

	(void)state;
	for (int i = 0; i < LIST; i++) {
		list[i].depth = next_random(&random) % 7;
		list[i].stop = i % PYRO_STOP_COUNT;
		for (size_t k = 0; k < list[i].depth; k++)
			list[i].frames[k] = next_random(&random);
		/* distinct: their first frame, and no depth of zero */
		list[i].depth += list[i].depth == 0;
		list[i].frames[0] = (uint64_t)i;
	}
	for (int i = 0; i < 20000; i++) {
		size_t at = next_random(&random) % LIST;
		uint64_t ns = next_random(&random) % 1000;

		pyro_stacks_add(
			&stacks,
			STACK(list[at].frames, list[at].depth, list[at].stop),
			ns, 1);
		list[at].ns += ns;
		list[at].ticks++;
	}
	for (int i = 0; i < LIST; i++) {
		const struct pyro_stack_values *e = find(
			&stacks, list[i].frames, list[i].depth, list[i].stop);

		assert_non_null(e);
		assert_int_equal(e->ns, list[i].ns);
		assert_int_equal(e->ticks, list[i].ticks);
	}
	pyro_stacks_free(&stacks);
}

static void test_spans(void **state)
{
	struct pyro_span none = {.id = {0}}, a = {.id = {1, 2}},
			 b = {.id = {2, 2}};
	struct pyro_stacks stacks = {0};
	uint64_t frame = 7;
	struct pyro_stack_frames stack = {.frames = &frame, .depth = 1};

	(void)state;
	assert_int_equal(pyro_stacks_span(&stacks, &none), 0);
	assert_int_equal(pyro_stacks_span(&stacks, &a), 1);
	assert_int_equal(pyro_stacks_span(&stacks, &b), 2);
	assert_int_equal(pyro_stacks_span(&stacks, &a), 1);
	for (uint32_t span = 0; span < 3; span++) {
		stack.span = span;
		for (uint32_t i = 0; i <= span; i++)
			pyro_stacks_add(&stacks, &stack, 1, 1);
	}
	assert_int_equal(stacks.set.count, 3);
	assert_int_equal(stacks.values[2].ns, 3);
	pyro_stacks_clear(&stacks);
	assert_int_equal(pyro_stacks_span(&stacks, &b), 1);
	pyro_stacks_free(&stacks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spans),   cmocka_unit_test(test_sums),
		cmocka_unit_test(test_delayed), cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
