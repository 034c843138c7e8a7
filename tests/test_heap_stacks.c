// SPDX-License-Identifier: Apache-2.0
/* test_heap_stacks.c - samples of the heap by stack: sums against plain lists,
 * and estimates against the truth of a simulated program */
#include "tests/profile_util.h"
#include "tests/unit.h"

#include <math.h>

#include "base/poisson.h"
#include "profile/heap_stacks.h"

static void add(struct pyro_heap_stacks *h, uint64_t stack, uint64_t id,
		uint64_t size, uint64_t now_s)
{
	const uint64_t frames[] = {stack, 7};
	const struct pyro_heap_sample sample = {id, size, 1};

	pyro_heap_stacks_add(h, STACK(frames, 2, PYRO_STOP_END), &sample,
			     now_s * PYRO_NS_PER_SEC);
}

static const struct pyro_heap_stack *find(const struct pyro_heap_stacks *h,
					  uint64_t stack)
{
	const struct pyro_heap_stack *found = NULL;

	for (size_t i = 0; i < h->set.count; i++)
		if (h->set.stacks[i].frames[0] == stack) {
			assert_null(found); /* once */
			assert_int_equal(h->set.stacks[i].depth, 2);
			assert_int_equal(h->set.stacks[i].frames[1], 7);
			found = &h->values[i];
		}
	return found;
}

/* In use of a stack, all ages. */
static struct pyro_heap_values inuse_of(const struct pyro_heap_stacks *h,
					const struct pyro_heap_stack *s)
{
	struct pyro_heap_values sum = {0};

	for (uint32_t i = s ? s->inuse : 0; i; i = h->inuse[i - 1].next) {
		sum.objects += h->inuse[i - 1].values.objects;
		sum.bytes += h->inuse[i - 1].values.bytes;
	}
	return sum;
}

static void check(const struct pyro_heap_stacks *h, uint64_t stack,
		  double alloc_objects, double alloc_bytes,
		  double inuse_objects, double inuse_bytes)
{
	const struct pyro_heap_stack *s = find(h, stack);
	struct pyro_heap_values inuse = inuse_of(h, s);

	assert_non_null(s);
	assert_true(s->alloc.objects == alloc_objects);
	assert_true(s->alloc.bytes == alloc_bytes);
	assert_true(inuse.objects == inuse_objects);
	assert_true(inuse.bytes == inuse_bytes);
}

/* Look at the live samples of a list that ends with 0; each has 10 bytes. */
static void look(struct pyro_heap_stacks *h, const uint64_t *id)
{
	pyro_heap_stacks_live_begin(h, 0, false);
	for (; *id; id++)
		pyro_heap_stacks_live(h, *id, 10, 1);
	pyro_heap_stacks_live_end(h);
}
#define LOOK(h, ...) look(h, (const uint64_t[]){__VA_ARGS__, 0})

static void test_windows(void **state)
{
	struct pyro_heap_stacks h = {0};

	(void)state;
	LOOK(&h, 0);
	assert_int_equal(h.unknown, 0);
	add(&h, 100, 1, 10, 0);
	add(&h, 100, 2, 10, 0);
	add(&h, 200, 3, 10, 0);
	add(&h, 200, 4, 0, 0);
	add(&h, 200, 0, 5, 0);
	assert_int_equal(h.ids_count, 4);
	LOOK(&h, 3, 1);
	check(&h, 100, 2, 20, 1, 10);
	check(&h, 200, 3, 15, 1, 10);
	assert_int_equal(h.records, 5);
	assert_int_equal(h.stops[PYRO_STOP_END], 5);
	assert_int_equal(h.ids_count, 2); /* 2 and 4 are gone */

	/* Nothing new: still in use. */
	pyro_heap_stacks_next(&h);
	assert_int_equal(h.records + h.stops[PYRO_STOP_END], 0);
	LOOK(&h, 1, 3);
	check(&h, 100, 0, 0, 1, 10);
	check(&h, 200, 0, 0, 1, 10);

	/* A sample comes, another goes. */
	pyro_heap_stacks_next(&h);
	add(&h, 200, 5, 10, 0);
	LOOK(&h, 5, 3);
	check(&h, 100, 0, 0, 0, 0);
	check(&h, 200, 1, 10, 2, 20);
	pyro_heap_stacks_free(&h);
	pyro_heap_stacks_free(&h);
}

static void test_missed_once(void **state)
{
	struct pyro_heap_stacks h = {0};

	(void)state;
	add(&h, 100, 1, 10, 0);
	LOOK(&h, 1);
	LOOK(&h, 0);
	check(&h, 100, 1, 10, 0, 0);
	LOOK(&h, 1); /* back again */
	check(&h, 100, 1, 10, 1, 10);
	LOOK(&h, 0);
	assert_int_equal(h.ids_count, 1);
	LOOK(&h, 0);
	assert_int_equal(h.ids_count, 0);
	LOOK(&h, 1);
	check(&h, 100, 1, 10, 0, 0);
	assert_int_equal(h.unknown, 1);
	pyro_heap_stacks_free(&h);
}

/* The record is on its way, or an entry of the table was met twice. */
static void test_unknown_and_twice(void **state)
{
	struct pyro_heap_stacks h = {0};

	(void)state;
	add(&h, 100, 1, 10, 0);
	LOOK(&h, 1, 2, 1, 3, 1);
	check(&h, 100, 1, 10, 1, 10);
	assert_int_equal(h.unknown, 2);
	assert_int_equal(h.set.count, 1);
	add(&h, 100, 2, 10, 0);
	add(&h, 300, 3, 10, 0);
	LOOK(&h, 3, 2, 1);
	check(&h, 100, 2, 20, 2, 20);
	check(&h, 300, 1, 10, 1, 10);
	assert_int_equal(h.unknown, 0);
	/* An id that comes again belongs to the first stack. */
	add(&h, 300, 1, 10, 0);
	LOOK(&h, 1);
	check(&h, 100, 2, 20, 1, 10);
	check(&h, 300, 2, 20, 0, 0);
	pyro_heap_stacks_free(&h);
}

/* The interval may have been raised since: the live table's counts. */
static void test_weights(void **state)
{
	struct pyro_heap_stacks h = {0};
	const uint64_t frames[] = {100, 7};
	const struct pyro_heap_sample sample = {1, 1000, 4096};
	double then = 1 / (1 - exp(-1001 / 4096.0));
	double now = 1 / (1 - exp(-1001 / 8192.0));

	(void)state;
	pyro_heap_stacks_add(&h, STACK(frames, 2, PYRO_STOP_END), &sample, 0);
	pyro_heap_stacks_live_begin(&h, 0, false);
	pyro_heap_stacks_live(&h, 1, 1000, 8192);
	pyro_heap_stacks_live_end(&h);

	const struct pyro_heap_stack *s = find(&h, 100);
	struct pyro_heap_values inuse = inuse_of(&h, s);

	assert_true(fabs(s->alloc.objects / then - 1) < 1e-9);
	assert_true(fabs(s->alloc.bytes / then / 1000 - 1) < 1e-9);
	assert_true(fabs(inuse.objects / now - 1) < 1e-9);
	assert_true(fabs(inuse.bytes / now / 1000 - 1) < 1e-9);
	pyro_heap_stacks_free(&h);
}

static void test_ages(void **state)
{
	static const struct {
		uint64_t since_ns;
		uint32_t age_s;
	} cases[] = {
		{0, 0},
		{999999999, 0},
		{1000000000, 1},
		{1999999999, 1},
		{2000000000, 2},
		{3999999999, 2},
		{4000000000, 4},
		{1023999999999, 512},
		{1024000000000, 1024},
		{UINT64_C(4294967295) * 1000000000, UINT32_C(1) << 31},
		{UINT64_C(18446744073) * 1000000000, UINT32_C(1) << 31},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyro_heap_stacks h = {0};

		add(&h, 100, 1, 10, 0);
		add(&h, 100, 2, 20, 0);
		add(&h, 100, 3, 40, UINT64_MAX / PYRO_NS_PER_SEC); /* later */
		pyro_heap_stacks_live_begin(&h, cases[i].since_ns, true);
		for (uint64_t id = 1; id <= 3; id++)
			pyro_heap_stacks_live(&h, id, 10, 1);
		pyro_heap_stacks_live_end(&h);
		assert_int_equal(h.inuse_count, cases[i].age_s ? 2 : 1);
		assert_int_equal(h.inuse[0].age_s, cases[i].age_s);
		assert_true(h.inuse[0].values.objects ==
			    (cases[i].age_s ? 2 : 3));
		/* Not asked for: all the same. */
		pyro_heap_stacks_live_begin(&h, cases[i].since_ns, false);
		for (uint64_t id = 1; id <= 3; id++)
			pyro_heap_stacks_live(&h, id, 10, 1);
		pyro_heap_stacks_live_end(&h);
		assert_int_equal(h.inuse_count, 1);
		assert_int_equal(h.inuse[0].age_s, 0);
		pyro_heap_stacks_free(&h);
	}
}

/* What has no place is summed, and has one as soon as others have gone. */
static void test_overflow(void **state)
{
	struct pyro_heap_stacks h = {0};

	(void)state;
	for (uint64_t i = 1; i <= PYRO_STACKS_MAX + 1000; i++)
		add(&h, i, i, 10, 0);
	assert_int_equal(h.set.count, PYRO_STACKS_MAX);
	assert_true(h.overflow.alloc.objects == 1000);
	assert_true(h.overflow.alloc.bytes == 10000);
	pyro_heap_stacks_live_begin(&h, 0, false);
	for (uint64_t i = PYRO_STACKS_MAX - 99; i <= PYRO_STACKS_MAX + 500; i++)
		pyro_heap_stacks_live(&h, i, 10, 1);
	pyro_heap_stacks_live_end(&h);
	assert_true(inuse_of(&h, &h.overflow).objects == 500);
	assert_int_equal(h.ids_count, 600);

	pyro_heap_stacks_next(&h);
	assert_int_equal(h.set.count, 100);
	assert_true(h.overflow.alloc.objects == 0);
	assert_int_equal(h.overflow.ids, 500);
	add(&h, 1, UINT64_C(1) << 40, 10, 0);
	LOOK(&h, UINT64_C(1) << 40, PYRO_STACKS_MAX, PYRO_STACKS_MAX + 1);
	check(&h, 1, 1, 10, 1, 10);
	check(&h, PYRO_STACKS_MAX, 0, 0, 1, 10);
	assert_true(inuse_of(&h, &h.overflow).objects == 1);
	pyro_heap_stacks_free(&h);
}

static void test_too_many_ids(void **state)
{
	struct pyro_heap_stacks h = {0};
	uint64_t id = 1;

	(void)state;
	assert_false(pyro_heap_stacks_is_full(&h));
	for (; id <= PYRO_HEAP_IDS_MAX; id++)
		add(&h, 100, id, 10, 0);
	assert_true(pyro_heap_stacks_is_full(&h));
	add(&h, 100, id, 10, 0);
	assert_int_equal(h.ids_count, PYRO_HEAP_IDS_MAX);
	check(&h, 100, PYRO_HEAP_IDS_MAX + 1.0, 10 * (PYRO_HEAP_IDS_MAX + 1.0),
	      0, 0);
	LOOK(&h, id, 1);
	assert_int_equal(h.unknown, 1);
	assert_int_equal(h.ids_count, 1);
	assert_false(pyro_heap_stacks_is_full(&h));
	pyro_heap_stacks_free(&h);
}

/* A program of some thousand stacks that come and go, against lists. */
struct model {
	uint64_t stack[20000]; /* by id - 1; 0: freed */
	double alloc[4000], inuse[4000];
	uint64_t ids;
};

static void model_window(struct model *m, struct pyro_heap_stacks *h,
			 uint64_t *random, uint64_t first, uint64_t stacks)
{
	memset(m->alloc, 0, sizeof(m->alloc));
	memset(m->inuse, 0, sizeof(m->inuse));
	for (int i = 0; i < 1000; i++) {
		uint64_t stack = first + next_random(random) % stacks;

		m->stack[m->ids++] = stack;
		m->alloc[stack]++;
		add(h, stack, m->ids, 10, 0);
	}
	for (uint64_t i = 0; i < m->ids; i++) /* free some */
		if (next_random(random) % 3 == 0)
			m->stack[i] = 0;
	pyro_heap_stacks_live_begin(h, 0, false);
	for (uint64_t i = 0; i < m->ids; i++) {
		if (!m->stack[i])
			continue;
		m->inuse[m->stack[i]]++;
		pyro_heap_stacks_live(h, i + 1, 10, 1);
	}
	pyro_heap_stacks_live_end(h);
}

static void test_random(void **state)
{
	static struct model m;
	struct pyro_heap_stacks h = {0};
	uint64_t random = 4711;
	size_t most = 0;

	(void)state;
	for (uint64_t w = 0; w < 20; w++) {
		size_t live = 0;

		model_window(&m, &h, &random, 1 + w * 150, 1000);
		for (uint64_t s = 1; s < PYRO_COUNT_OF(m.alloc); s++) {
			live += m.inuse[s] > 0;
			if (m.alloc[s] > 0 || m.inuse[s] > 0)
				check(&h, s, m.alloc[s], 10 * m.alloc[s],
				      m.inuse[s], 10 * m.inuse[s]);
			else if (find(&h, s))
				check(&h, s, 0, 0, 0, 0);
		}
		assert_int_equal(h.unknown, 0);
		most = pyro_max(most, h.set.count);
		pyro_heap_stacks_next(&h);
		assert_true(h.set.count >= live);
	}
	assert_true(most < 2500); /* of the 3850 that there have been */
	LOOK(&h, 0);
	LOOK(&h, 0);
	assert_int_equal(h.ids_count, 0);
	pyro_heap_stacks_next(&h);
	assert_int_equal(h.set.count, 0);
	pyro_heap_stacks_free(&h);
}

/* Without memory sums are in overflow, and live samples unknown; no sum of what
 * was allocated is lost, and nothing is kept for ever. */
static void test_out_of_memory(void **state)
{
	long n = 0, mapped = mapped_bytes;
	double objects;

	(void)state;
	do {
		struct pyro_heap_stacks h = {0};

		fail_memory_at(n++);
		for (uint64_t i = 1; i <= 3000; i++)
			add(&h, i % 1500, i, 10, 0);
		objects = h.overflow.alloc.objects;
		for (size_t i = 0; i < h.set.count; i++)
			objects += h.values[i].alloc.objects;
		assert_true(objects == 3000);
		pyro_heap_stacks_live_begin(&h, 0, false);
		for (uint64_t i = 1; i <= 3000; i += 5)
			pyro_heap_stacks_live(&h, i, 10, 1);
		pyro_heap_stacks_live_end(&h);
		objects = (double)h.unknown + inuse_of(&h, &h.overflow).objects;
		for (size_t i = 0; i < h.set.count; i++)
			objects += inuse_of(&h, &h.values[i]).objects;
		assert_true(objects == 600);
		pyro_heap_stacks_next(&h);
		pyro_heap_stacks_next(&h);
		objects = (double)(mmap_calls >= n);
		fail_memory_at(-1);
		pyro_heap_stacks_free(&h);
		assert_int_equal(mapped_bytes, mapped);
	} while (objects > 0);
	assert_true(n > 5);
}

/* --- a simulated program --- */

#define STACKS 3

static double uniform(uint64_t *random)
{
	return ((double)(next_random(random) >> 11) + 0.5) / 9007199254740992.0;
}

/* Sizes of a mix, up to each share; and an interval with which there are some
 * hundred samples of all of them, so that 4 standard deviations are rare. */
static const struct mix {
	double interval;
	struct {
		double share;
		uint64_t low, high;
	} part[3];
} mixes[] = {
	{1024, {{1, 16, 16}}},
	{1024, {{1, 0, 64}}},
	{131072, {{1, 250, 1250}}},
	{131072, {{1, 16384, 16384}}},
	{131072, {{1, 131071, 131071}}},
	{131072, {{1, 65536, 262144}}},
	{131072, {{1, 1 << 20, 4 << 20}}},
	{4096, {{0.9999, 64, 64}, {1, 1 << 20, 1 << 20}}}, /* few are huge */
	{131072, {{0.94, 1024, 1024}, {1, 16384, 16384}}},
	{4096, {{0.8, 8, 256}, {0.99, 256, 32768}, {1, 32768, 2 << 20}}},
};

static uint64_t size_of(const struct mix *mix, uint64_t *random)
{
	double u = uniform(random);
	size_t i = 0;

	while (u > mix->part[i].share)
		i++;
	return mix->part[i].low +
	       next_random(random) % (mix->part[i].high - mix->part[i].low + 1);
}

/* Objects and bytes: true, estimated, and the variance of the estimate. */
struct outcome {
	double truth[2], estimate[2], variance[2];
};

static void count(struct outcome *o, double size, double interval)
{
	double p = -expm1(-(size + 1) / interval);

	o->truth[0]++;
	o->truth[1] += size;
	o->variance[0] += (1 - p) / p;
	o->variance[1] += size * size * (1 - p) / p;
}

struct program {
	const struct mix *mix;
	uint64_t random;
	double left; /* bytes to the next sample */
	struct outcome alloc[STACKS], inuse[STACKS];
	struct {
		uint64_t id, size;
	} live[300000];
	size_t live_count;
	uint64_t ids;
	double interval; /* of live samples */
	struct pyro_heap_stacks h;
};

/* One of four blocks is never freed. */
static void allocate(struct program *p, uint64_t number)
{
	uint64_t size = size_of(p->mix, &p->random);
	double interval = p->mix->interval;
	uint64_t stack = number % STACKS;
	bool stays = next_random(&p->random) % 4 == 0;

	count(&p->alloc[stack], (double)size, interval);
	if (stays)
		count(&p->inuse[stack], (double)size, p->interval);
	p->left -= (double)size + 1;
	if (p->left > 0)
		return;
	p->left = -log(uniform(&p->random)) * interval;

	const uint64_t frames[] = {stack, 7};
	const struct pyro_heap_sample sample = {++p->ids, size,
						(uint64_t)interval};

	pyro_heap_stacks_add(&p->h, STACK(frames, 2, PYRO_STOP_END), &sample,
			     0);
	if (!stays)
		return;
	/* Thinned later, which is decided now. */
	double kept = expm1(-((double)size + 1) / p->interval) /
		      expm1(-((double)size + 1) / interval);

	if (uniform(&p->random) < kept) {
		assert_true(p->live_count < PYRO_COUNT_OF(p->live));
		p->live[p->live_count].id = p->ids;
		p->live[p->live_count++].size = size;
	}
}

static void window_end(struct program *p)
{
	pyro_heap_stacks_live_begin(&p->h, 0, false);
	for (size_t i = 0; i < p->live_count; i++)
		pyro_heap_stacks_live(&p->h, p->live[i].id, p->live[i].size,
				      (uint64_t)p->interval);
	pyro_heap_stacks_live_end(&p->h);
	for (uint64_t s = 0; s < STACKS; s++) {
		const struct pyro_heap_stack *stack = find(&p->h, s);
		struct pyro_heap_values inuse = inuse_of(&p->h, stack);

		if (!stack)
			continue;
		p->alloc[s].estimate[0] += stack->alloc.objects;
		p->alloc[s].estimate[1] += stack->alloc.bytes;
		p->inuse[s].estimate[0] = inuse.objects;
		p->inuse[s].estimate[1] = inuse.bytes;
	}
	assert_int_equal(p->h.unknown, 0);
	pyro_heap_stacks_next(&p->h);
}

static double checked(const struct outcome *o, int value, const char *what,
		      size_t mix)
{
	double off = o->estimate[value] - o->truth[value];
	double sd = sqrt(o->variance[value]);

	if (fabs(off) > 4 * sd + 1e-6 * o->truth[value])
		fail_msg("mix %zu, %s: %g, not %g, sd %g", mix, what,
			 o->estimate[value], o->truth[value], sd);
	return sd > 0 ? off / sd : 0;
}

/* Ten mixes of sizes: each estimate within 4 standard deviations, and their mean
 * over seeds not off by 4 of its own. The interval of live samples is raised
 * four times in every second run. */
static void test_estimates(void **state)
{
	static const char *const what[] = {"alloc_objects", "alloc_space",
					   "inuse_objects", "inuse_space"};
	uint64_t seeds = setting("HEAP_SEEDS", UNDER_EMULATOR ? 2 : 10);
	uint64_t blocks = setting("HEAP_BLOCKS", 250000);
	static struct program p;

	(void)state;
	for (size_t m = 0; m < PYRO_COUNT_OF(mixes); m++) {
		double bias[4] = {0};

		for (uint64_t seed = 1; seed <= seeds; seed++) {
			p = (struct program){.mix = &mixes[m]};
			p.random = seed * UINT64_C(0x9e3779b97f4a7c15);
			p.left = -log(uniform(&p.random)) * p.mix->interval;
			p.interval = p.mix->interval * (seed % 2 ? 1 : 4);
			for (uint64_t i = 0; i < blocks; i++) {
				allocate(&p, i);
				if ((i + 1) % (blocks / 4) == 0)
					window_end(&p);
			}
			for (int v = 0; v < 4; v++)
				for (int s = 0; s < STACKS; s++)
					bias[v] += checked(v < 2 ? &p.alloc[s]
								 : &p.inuse[s],
							   v % 2, what[v], m);
			pyro_heap_stacks_free(&p.h);
		}
		for (int v = 0; v < 4; v++) {
			double n = sqrt((double)(seeds * STACKS));

			print_message("mix %zu %s: mean %+.2f sd\n", m, what[v],
				      bias[v] / n);
			assert_true(fabs(bias[v] / n) < 4);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_missed_once),
		cmocka_unit_test(test_unknown_and_twice),
		cmocka_unit_test(test_weights),
		cmocka_unit_test(test_ages),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_too_many_ids),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_estimates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
