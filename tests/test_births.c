// SPDX-License-Identifier: Apache-2.0
/* test_births.c - whose stack is a thread's creator, whatever the order */
#include "tests/unit.h"

#include "api/session.h"
#include "capture/registry.h"

#define TID 4711

struct pyro_process pyro_process; /* lifecycle.c's */
static struct pyro_session session;
static struct pyro_asked asked = {.tid = TID, .labels = 3};

/* The how manieth thread in one place has which creator. */
static void add(uint32_t place, uint32_t serial, uint64_t creator)
{
	struct pyro_birth birth = {.place = place, .serial = serial};
	struct pyro_stack_frames stack = *STACK(&creator, 1, PYRO_STOP_END);

	pyro_births_add(&session, &stack, &birth);
}

/* A thread that lives, after as many others in its place. */
static struct pyro_thread *live(int others)
{
	struct pyro_thread *t;

	pyro_mutex_lock(&pyro_registry_lock);
	for (t = pyro_registry_claim(PYRO_THREAD_LIVE); others-- > 0;
	     t = pyro_registry_claim(PYRO_THREAD_LIVE))
		pyro_registry_release(t);
	atomic_store(&t->tid, TID);
	pyro_mutex_unlock(&pyro_registry_lock);
	return t;
}

static void died(struct pyro_thread *t)
{
	pyro_mutex_lock(&pyro_registry_lock);
	pyro_registry_release(t);
	pyro_mutex_unlock(&pyro_registry_lock);
	pyro_births_free(&session);
}

/* 0: not seen. */
static uint64_t creator(void)
{
	const struct pyro_stacks *now = &session.births.now;

	session.threads.asked = &asked;
	session.threads.count = 1;
	pyro_births_take(&session);
	assert_int_equal(now->set.count + session.births.not_seen, 1);
	if (!now->set.count)
		return 0;
	assert_int_equal(now->set.stacks[0].labels, asked.labels);
	return now->set.stacks[0].frames[0];
}

/* A sweep has records by slot: those of a place's threads in any order. */
static void test_any_order(void **state)
{
	struct pyro_thread *t = live(2);
	uint32_t place = (uint32_t)(t - pyro_registry_at(0));

	(void)state;
	add(place, t->serial, 0x30);
	add(place, t->serial - 2, 0x10);
	add(place, t->serial - 1, 0x20);
	assert_int_equal(creator(), 0x30);
	died(t);
}

static void test_not_seen(void **state)
{
	struct pyro_thread *t = live(1);
	uint32_t place = (uint32_t)(t - pyro_registry_at(0));

	(void)state;
	assert_int_equal(creator(), 0);
	add(place, t->serial - 1, 0x10); /* who was here before */
	assert_int_equal(creator(), 0);
	add(place + 1, t->serial, 0x20);
	assert_int_equal(creator(), 0);
	add(PYRO_THREADS_MAX, t->serial, 0x20);
	assert_int_equal(creator(), 0);
	died(t);
}

/* The count of threads begins again. */
static void test_wraps(void **state)
{
	struct pyro_thread *t = live(0);
	uint32_t place = (uint32_t)(t - pyro_registry_at(0));

	(void)state;
	t->serial = 0;
	add(place, UINT32_MAX, 0x10);
	add(place, 0, 0x20);
	add(place, UINT32_MAX, 0x10);
	assert_int_equal(creator(), 0x20);
	died(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_not_seen),
		cmocka_unit_test(test_wraps),
	};

	pyro_registry_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
