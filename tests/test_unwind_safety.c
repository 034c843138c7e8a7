// SPDX-License-Identifier: Apache-2.0
/* test_unwind_safety.c - the walk on registers and stacks that make no sense,
 * which must neither fault nor loop, and the stack that the handler needs */
#include "tests/context.h"
#include "tests/shapes.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "capture/registry.h"
#include "image/modules.h"
#include "source/cpu.h"
#include "source/cpu_handler.h"

#define DEPTH 128

static struct pyro_modules *modules;

static void install(int sig, void (*handler)(int, siginfo_t *, void *),
		    int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | flags;
	assert_int_equal(sigaction(sig, &action, NULL), 0);
}

/* --- registers that make no sense --- */

#define WORDS 8192

static uint64_t random_code(uint64_t *random)
{
	const struct pyro_snapshot *s = pyro_modules_current();
	const struct pyro_map *map = &s->map[next_random(random) % s->count];

	return map->lo + next_random(random) % (map->hi - map->lo + 2);
}

static uint64_t random_value(uint64_t *random, const uint64_t *words)
{
	uint64_t base = (uint64_t)(uintptr_t)words;
	uint64_t x = next_random(random);

	switch (x >> 60) {
	case 0:
	case 1:
	case 2:
	case 3:
		return random_code(random);
	case 4:
	case 5:
	case 6:
	case 7:
	case 8: /* in the stack, mostly aligned */
		return base + x % (WORDS * 8) / 8 * 8;
	case 9: /* around its ends */
		return base + (x & 1 ? WORDS * 8 : 0) + (x >> 1) % 64 - 32;
	case 10:
		return base + x % (WORDS * 8);
	case 11:
		return (x >> 8) % 4096;
	case 12:
		return UINT64_MAX - (x >> 8) % 4096;
	case 13: /* not canonical */
		return (x << 8) | UINT64_C(0x7000000000000000);
	case 14:
		return x >> 17; /* user space, mostly unmapped */
	default:
		return x;
	}
}

static void random_context(ucontext_t *context, uint64_t *random,
			   const uint64_t *words)
{
	for (unsigned i = 0; i < CONTEXT_REGISTERS; i++)
		*context_register(context, i) =
			(context_word)random_value(random, words);
	if (next_random(random) % 4)
		*context_register(context, CONTEXT_PC) =
			(context_word)random_code(random);
	if (next_random(random) % 4)
		*context_register(context, CONTEXT_SP) =
			(context_word)(uintptr_t)&words[next_random(random) %
							WORDS];
}

/* The published snapshot as handlers see it without a memo. */
static struct pyro_snapshot *without_memo(void)
{
	const struct pyro_snapshot *s = pyro_modules_current();
	struct pyro_snapshot *copy = malloc(s->bytes);

	assert_non_null(copy);
	memcpy(copy, s, sizeof(*s) + s->count * sizeof(*s->map));
	copy->memo = NULL;
	return copy;
}

/* In turns: with the stack's bounds and without, with memos and without. */
static void test_random_registers(void **state)
{
	uint64_t rounds = setting("UNWIND_CONTEXTS", 10000000);
	struct pyro_snapshot *plain = without_memo();
	uint64_t random = 31337, ends = 0;
	/* Nothing is mapped around it. */
	char *guarded = mmap(NULL, WORDS * 8 + 8192, PROT_NONE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *words = (uint64_t *)(void *)(guarded + 4096);
	struct pyro_stack known = {(uintptr_t)words,
				   (uintptr_t)(words + WORDS)};
	uint64_t pc[DEPTH + 1];
	ucontext_t context;

	(void)state;
	assert_int_equal(mprotect(words, WORDS * 8, PROT_READ | PROT_WRITE), 0);
	memset(&context, 0, sizeof(context));
	for (uint64_t i = 0; i < rounds; i++) {
		struct pyro_walk walk;
		size_t max = i % 9 ? DEPTH : next_random(&random) % DEPTH;

		if (i % 20000 == 0)
			for (size_t k = 0; k < WORDS; k++)
				words[k] = random_value(&random, words);
		random_context(&context, &random, words);
		pc[max] = 0x5a5a5a5a;

		size_t depth = pyro_unwind_signal(
			i & 2 ? plain : pyro_modules_current(), &context,
			i & 1 ? known : (struct pyro_stack){0, 0}, pc, max,
			&walk);

		assert_true(depth <= max);
		assert_true(walk.stop < PYRO_STOP_COUNT);
		assert_int_equal(pc[max], 0x5a5a5a5a);
		ends += walk.stop == PYRO_STOP_END;
	}
	print_message("random registers: %llu contexts, %llu said complete\n",
		      (unsigned long long)rounds, (unsigned long long)ends);
	munmap(guarded, WORDS * 8 + 8192);
	free(plain);
}

/* --- what the handler needs of a stack --- */

static _Atomic uintptr_t entry_sp;

static void on_probe(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	/* above the saved rbp and the return address */
	atomic_store(&entry_sp, (uintptr_t)__builtin_frame_address(0) + 16);
}

static size_t count_records;

static void count_record(void *arg, const struct pyro_record *record)
{
	(void)arg;
	count_records++;
	assert_true(record->depth > 3);
}

static void test_stack_of_the_handler(void **state)
{
	size_t size = 64 << 10;
	unsigned char *paint = pyro_pages_alloc(size);
	stack_t ss = {.ss_sp = paint, .ss_size = size};
	size_t lowest = 0;

	(void)state;
	assert_int_equal(pyro_on_init(), 0);
	assert_int_equal(pyro_slots_init(256, PYRO_DEPTH_MAX), 0);
	assert_int_equal(pyro_registry_init(), 0);
	assert_int_equal(pyro_cpu_start(1000, false), 0);
	assert_int_equal(sigaltstack(&ss, NULL), 0);
	install(SIGUSR1, on_probe, SA_ONSTACK);
	raise(SIGUSR1);

	struct pyro_thread *t = pyro_registry_claim(PYRO_THREAD_LIVE);

	memset(paint, 0xa5, size);
	t->stack = pyro_stack_of_main();
	pyro_on_set(PYRO_ON_YES);
	assert_int_equal(pyro_cpu_arm(t, pyro_gettid()), 0);

	double began = now_s();

	while (count_records < 50 && now_s() - began < 30) {
		for (int i = 0; i < 100; i++)
			recurse(30, sink);
		pyro_slots_sweep(count_record, NULL);
	}
	pyro_cpu_disarm(t);
	assert_true(count_records >= 50);
	while (paint[lowest] == 0xa5)
		lowest++;

	size_t used = atomic_load(&entry_sp) - (uintptr_t)(paint + lowest);

	print_message("the handler used %zu bytes of stack in %zu samples\n",
		      used, count_records);
#ifdef __OPTIMIZE__
	assert_true(used <= 512);
#endif
	assert_true(used > 64); /* or it did not run there */
	pyro_on_set(PYRO_ON_NO);
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	pyro_pages_free(paint, size);
	pyro_slots_free();
}

static int set_up(void **state)
{
	(void)state;
	modules = pyro_modules_new(NULL);
	return modules && pyro_modules_refresh(modules) == 1 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_registers),
		cmocka_unit_test(test_stack_of_the_handler),
	};

	if (UNDER_ASAN) {
		puts("skipped: the sanitizer keeps words of its own on the "
		     "stacks that are walked");
		return 0;
	}
	alarm((unsigned)setting("UNWIND_SECONDS", 150));
	return cmocka_run_group_tests(tests, set_up, NULL);
}
