// SPDX-License-Identifier: Apache-2.0
/* test_lock_model.c - the table of waiters under all interleavings of a few threads
 *
 * The table's own source is compiled here, with a step of a scheduler before each
 * look at shared memory. Threads are coroutines; what they do is done again for
 * each order of steps in which a running thread is interrupted at most so
 * often. The clock is a count, so that sums are exact. */
#include "tests/unit.h"

#include <stdatomic.h>
#include <string.h>
#include <ucontext.h>

#include "base/os.h"
#include "source/lock_waiters.h"

#define THREADS 4
#define STEPS_MAX 1000

static void step(void);
static void step_at(const volatile void *shared);
static unsigned running; /* the thread's number; THREADS: the scheduler */

static uint64_t exchange(_Atomic uint64_t *p, uint64_t value)
{
	return atomic_exchange(p, value);
}

static bool swap_if(_Atomic uint64_t *p, uint64_t *expected, uint64_t value)
{
	return atomic_compare_exchange_strong(p, expected, value);
}

#undef PYRO_LOCK_WINDOW
#define PYRO_LOCK_WINDOW 2
#undef atomic_load
#undef atomic_load_explicit
#undef atomic_store
#undef atomic_store_explicit
#undef atomic_exchange
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_compare_exchange_strong
#define atomic_load(p) (step_at(p), *(p))
#define atomic_load_explicit(p, order) atomic_load(p)
#define atomic_store(p, value) (step_at(p), (void)(*(p) = (value)))
#define atomic_store_explicit(p, value, order) atomic_store(p, value)
#define atomic_exchange(p, value) (step_at(p), exchange(p, value))
#define atomic_fetch_add(p, value) (step_at(p), (void)(*(p) += (value)))
#define atomic_fetch_sub(p, value) (step_at(p), (void)(*(p) -= (value)))
#define atomic_compare_exchange_strong(p, expected, value) \
	(step_at(p), swap_if(p, expected, value))
#define pyro_gettid() ((pid_t)running + 1)

#include "source/lock_waiters.c"

/* Two locks of one home. */
static uint64_t memory[1 << 16];
static const void *key[2];

/* ---- The scheduler ---- */

static ucontext_t scheduler;
static struct thread {
	ucontext_t context;
	char stack[65536];
	void (*run)(void);
	bool done, blocked;
	struct pyro_lock_waiter *current;
} threads[THREADS];

/* What was chosen at each step, and among how many. */
static struct choice {
	uint8_t taken, of;
} path[STEPS_MAX];
static size_t path_len;
static unsigned bound; /* on interruptions */

static void step(void)
{
	if (running == THREADS)
		return;
	threads[running].current = current;
	swapcontext(&threads[running].context, &scheduler);
	current = threads[running].current;
}

/* No other slots are used. */
static void step_at(const volatile void *shared)
{
	const struct pyro_lock_waiter *w = (const void *)shared;
	uint32_t home = pyro_lock_home((uintptr_t)key[0]);

	if (w < waiters || w >= waiters + PYRO_LOCK_SLOTS ||
	    (w >= waiter_at(home, 0) && w <= waiter_at(home, 1)))
		step();
}

static void run_thread(void)
{
	threads[running].run();
	threads[running].done = true;
	threads[running].current = current;
}

static bool can_run(unsigned i)
{
	return threads[i].run && !threads[i].done && !threads[i].blocked;
}

/* Those that may run now, the one that did first. */
static uint8_t runnable(unsigned last, uint8_t can[THREADS])
{
	uint8_t count = 0;

	if (can_run(last))
		can[count++] = (uint8_t)last;
	for (unsigned i = 0; i < THREADS; i++)
		if (i != last && can_run(i))
			can[count++] = (uint8_t)i;
	return count;
}

static void begin_threads(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		struct thread *t = &threads[i];

		t->done = t->blocked = false;
		t->current = NULL;
		getcontext(&t->context);
		t->context.uc_stack.ss_sp = t->stack;
		t->context.uc_stack.ss_size = sizeof(t->stack);
		t->context.uc_link = &scheduler;
		makecontext(&t->context, run_thread, 0);
	}
}

/* Once, as path says and then without an interruption. */
static void run_once(void)
{
	unsigned interruptions = 0, last = 0;
	size_t at = 0;
	uint8_t can[THREADS], count;

	begin_threads();
	for (; (count = runnable(last, can)) > 0; at++) {
		bool goes_on = can[0] == last && at > 0;

		if (goes_on && interruptions == bound)
			count = 1;
		assert_true(at < STEPS_MAX);
		if (at == path_len)
			path[path_len++].taken = 0;
		path[at].of = count;
		interruptions += goes_on && path[at].taken > 0;
		running = last = can[path[at].taken];
		current = threads[running].current;
		swapcontext(&scheduler, &threads[running].context);
		running = THREADS;
	}
	for (unsigned i = 0; i < THREADS; i++)
		assert_true(!threads[i].run || threads[i].done);
}

static bool next_path(void)
{
	while (path_len > 0 &&
	       path[path_len - 1].taken + 1 == path[path_len - 1].of)
		path_len--;
	if (path_len == 0)
		return false;
	path[path_len - 1].taken++;
	return true;
}

/* ---- What the threads do ---- */

static uint64_t ticks;
static struct {
	bool taken;
	unsigned readers;
} lock[2];

/* By lock. */
static struct pyro_weight waited[2], handed[2];
static struct {
	uint64_t began, ended;
} every[2 * THREADS];
static size_t every_count;
static uint64_t cut_at; /* 0: it was not */

static uint64_t now(void)
{
	step();
	return ++ticks;
}

static void add(struct pyro_weight *to, uint64_t count, uint64_t value)
{
	to->count += count;
	to->value += value;
}

static void hand(unsigned i, struct pyro_weight w)
{
	add(&handed[i], w.count, w.value);
}

static bool is_held(unsigned i)
{
	return lock[i].taken || lock[i].readers > 0;
}

static void wait_until_free(unsigned i)
{
	while (is_held(i)) {
		threads[running].blocked = true;
		step();
	}
	lock[i].taken = true;
}

static void wake_all(void)
{
	for (unsigned i = 0; i < THREADS; i++)
		threads[i].blocked = false;
}

static struct pyro_lock_waiter *begin(unsigned i, uint64_t began)
{
	struct pyro_weight left;
	struct pyro_lock_waiter *w = pyro_lock_wait_begin(key[i], began, &left);

	hand(1 - i, left); /* who waits twice, for the other */
	return w;
}

/* As source/lock.c does. */
static void take(unsigned i)
{
	struct pyro_lock_waiter *w;
	uint64_t began, ended;

	step();
	if (!is_held(i)) {
		lock[i].taken = true;
		return;
	}
	began = now();
	w = begin(i, began);
	step();
	wait_until_free(i);
	ended = now();
	every[every_count].began = began;
	every[every_count++].ended = ended;
	hand(i, w ? pyro_lock_wait_end(w, ended)
		  : (struct pyro_weight){1, ended - began});
	add(&waited[i], 1, ended - began);
}

static void drop(unsigned i)
{
	hand(i, pyro_lock_charge(key[i], now()));
	step();
	if (lock[i].readers > 0)
		lock[i].readers--;
	else
		lock[i].taken = false;
	wake_all();
}

static void use_first(void)
{
	take(0);
	drop(0);
}

static void use_second(void)
{
	take(1);
	drop(1);
}

static void use_twice(void)
{
	use_first();
	use_first();
}

/* A wait that did not end with its lock may be charged for after its end; one of a
 * thread that died may not be at all. */
static uint64_t open_since;
static unsigned lost;

/* By longjmp() out of a signal handler, say: its wait ends where the next begins. */
static void give_up_first(void)
{
	uint64_t began = now(), ended;

	begin(0, began);
	step();
	ended = now();
	open_since = ended;
	hand(1, pyro_lock_wait_end(begin(1, ended), ended));
	add(&waited[0], 1, ended - began);
	add(&waited[1], 1, 0);
}

static void die_waiting(void)
{
	open_since = now();
	lost = 1;
	begin(0, open_since);
}

/* Who waits then, waits for nothing from then on. Who has ended its wait and not
 * said so yet, is taken for one who waits. */
static void cut_all(void)
{
	cut_at = now();
	hand(0, pyro_lock_cut(cut_at));
}

static bool is_alive(void *arg, pid_t tid)
{
	(void)arg;
	step();
	return !threads[tid - 1].done;
}

static void reclaim_twice(void)
{
	for (int i = 0; i < 2; i++) {
		step();
		pyro_lock_reclaim(is_alive, NULL);
	}
}

static void drop_first(void)
{
	drop(0);
}

static void drop_second(void)
{
	drop(1);
}

static void drop_both(void)
{
	drop(0);
	drop(1);
}

static void assert_is_empty(void)
{
	uint32_t home = pyro_lock_home((uintptr_t)key[0]);

	for (uint32_t i = 0; i < PYRO_LOCK_WINDOW; i++) {
		assert_int_equal(waiter_at(home, i)->lock, FREE);
		assert_int_equal(waiter_at(home, i)->since, 0);
	}
	assert_int_equal(pyro_lock_waiting[home], 0);
}

/* How long before it was cut waits have ended, and how long they went on after. */
static void sides_of_cut(uint64_t *before, uint64_t *after)
{
	*before = *after = 0;
	for (size_t i = 0; i < every_count && cut_at; i++)
		if (every[i].ended < cut_at)
			*before += cut_at - every[i].ended;
		else
			*after += every[i].ended -
				  pyro_max(every[i].began, cut_at);
}

/* Interleavings of what these do. The locks of held, of a bit each, are taken
 * before; the first is a readers' one. */
static void explore(void (*const run[THREADS])(void), unsigned held,
		    unsigned readers, unsigned interruptions)
{
	unsigned count = 0;
	uint64_t beyond, early, late;

	for (unsigned i = 0; i < THREADS; i++)
		threads[i].run = run[i];
	path_len = 0;
	bound = interruptions;
	do {
		ticks = open_since = lost = cut_at = every_count = 0;
		memset(waited, 0, sizeof(waited));
		memset(handed, 0, sizeof(handed));
		lock[0].taken = held & 1;
		lock[1].taken = held & 2;
		lock[0].readers = readers;
		run_once();
		beyond = open_since ? ticks - open_since : 0;
		sides_of_cut(&early, &late);
		for (unsigned i = 0; i < 2; i++) {
			assert_in_range(handed[i].count, waited[i].count,
					waited[i].count + lost);
			assert_in_range(handed[i].value + late, waited[i].value,
					waited[i].value + beyond + early +
						late);
		}
		pyro_lock_reclaim(is_alive, NULL);
		assert_is_empty();
		count++;
	} while (next_path());
	print_message("%u interleavings\n", count);
	assert_true(count > 1000);
}

#define TEST(name, held, readers, interruptions, ...)                    \
	static void name(void **state)                                   \
	{                                                                \
		static void (*const run[THREADS])(void) = {__VA_ARGS__}; \
                                                                         \
		(void)state;                                             \
		explore(run, held, readers, interruptions);              \
	}
TEST(test_two_wait, 1, 0, 2, drop_first, use_first, use_first)
TEST(test_again_and_again, 0, 0, 2, use_twice, use_twice, use_first)
TEST(test_no_room, 1, 0, 1, drop_first, use_first, use_first, use_first)
TEST(test_same_slots, 3, 0, 2, drop_first, drop_second, use_first, use_second)
TEST(test_readers, 0, 2, 3, drop_first, drop_first, use_first)
TEST(test_cut, 1, 0, 3, drop_first, use_first, cut_all)
TEST(test_give_up, 3, 0, 2, drop_first, drop_second, give_up_first, use_second)
TEST(test_die, 1, 0, 2, drop_first, die_waiting, reclaim_twice, use_first)
TEST(test_other_wait, 1, 0, 4, drop_first, give_up_first)
TEST(test_reclaim, 3, 0, 2, drop_both, use_first, use_second, reclaim_twice)

static int find_keys(void **state)
{
	(void)state;
	key[0] = memory;
	for (size_t i = 1; i < PYRO_COUNT_OF(memory) && !key[1]; i++)
		if (pyro_lock_home((uintptr_t)&memory[i]) ==
		    pyro_lock_home((uintptr_t)memory))
			key[1] = &memory[i];
	return key[1] ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_wait),
		cmocka_unit_test(test_again_and_again),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_same_slots),
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_die),
		cmocka_unit_test(test_other_wait),
		cmocka_unit_test(test_reclaim),
	};

	return cmocka_run_group_tests(tests, find_keys, NULL);
}
