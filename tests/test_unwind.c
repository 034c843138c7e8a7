// SPDX-License-Identifier: Apache-2.0
/* test_unwind.c - walks of this very process, against glibc's backtrace()
 *
 * Both walk from the same signal frame: at random points of a mixed program,
 * and at every single instruction of named cases, which the processor's trap
 * flag delivers. The chains must be equal from the interrupted instruction to
 * the outermost frame. */
#include "tests/context.h"
#include "tests/shapes.h"

#include <errno.h>
#include <execinfo.h>
#include <sched.h>
#include <search.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "base/os.h"
#include "capture/registry.h"
#include "image/modules.h"

#define DEPTH 128

/* Can a program step through itself? */
#if defined(__x86_64__)
#define STEPS true
#else
#define STEPS false
#endif

static struct pyro_modules *modules;

/* The bounds of the thread that is walked. */
static _Thread_local struct pyro_stack stack_now;

static const char *name_of(uint64_t pc)
{
	static char text[300];
	const struct pyro_map *map =
		pyro_snapshot_find(pyro_modules_current(), pc);
	struct pyro_symbol symbol;

	if (!map)
		return "?";
	if (!pyro_modules_symbol(modules, map->module, pc - map->bias, &symbol))
		snprintf(text, sizeof(text), "%s+0x%lx",
			 pyro_modules_get(modules, map->module)->name,
			 (unsigned long)(pc - map->bias));
	else
		snprintf(text, sizeof(text), "%s", symbol.name);
	return text;
}

/* --- one walk against backtrace() --- */

struct chain {
	uint64_t pc[DEPTH];
	size_t depth;
	enum pyro_stop stop;
};

/* What was seen since reset; the first disagreement, and the first walk that did
 * not reach the end, are kept whole. */
static struct tally {
	_Atomic uint64_t walks, equal, incomplete, in_ld, in_vdso,
		through_signal;
	_Atomic bool kept;
	bool no_end; /* no CFI says where this stack ends */
	struct chain ours, theirs, shortened;
	struct chain last;
} tally;

/* What calls a handler returns to; set by the first walk. */
static _Atomic uintptr_t restorer;

static bool in_module(const struct pyro_map *map, const char *part)
{
	return map &&
	       strstr(pyro_modules_get(modules, map->module)->name, part);
}

static void keep(const struct chain *ours, const struct chain *theirs)
{
	if (!atomic_exchange(&tally.kept, true)) {
		tally.ours = *ours;
		tally.theirs = *theirs;
	}
}

/* Of backtrace()'s chain the part from the interrupted instruction on, as ours
 * are stored: less one, but for what a signal interrupted. */
static void their_chain(const ucontext_t *context, struct chain *chain)
{
	void *all[DEPTH + 16];
	int count = backtrace(all, DEPTH + 16), at = 0;
	uintptr_t rip = context_pc(context);

	while (at < count && (uintptr_t)all[at] != rip)
		at++;
	if (at > 0 && at < count)
		atomic_store(&restorer, (uintptr_t)all[at - 1]);
	chain->depth = 0;
	for (bool exact = true; at < count && chain->depth < DEPTH; at++) {
		uintptr_t pc = (uintptr_t)all[at];

		chain->pc[chain->depth++] = pc - !exact;
		exact = pc == atomic_load(&restorer);
	}
}

static void compare(const ucontext_t *context)
{
	struct chain ours, theirs;
	struct pyro_walk walk;
	int saved = errno;
	const struct pyro_snapshot *snapshot = pyro_modules_current();

	ours.depth = pyro_unwind_signal(snapshot, context, stack_now, ours.pc,
					DEPTH, &walk);
	ours.stop = walk.stop;
	/* aarch64's backtrace() ends in a PLT, which has no CFI there, and
	 * crashes in some prologues: what is shown is that ours gets to the end. */
	if (STEPS)
		their_chain(context, &theirs);
	else
		theirs = ours;
	tally.last = ours;
	atomic_fetch_add(&tally.walks, 1);

	const struct pyro_map *top =
		pyro_snapshot_find(snapshot, context_pc(context));

	if (in_module(top, "ld-linux"))
		atomic_fetch_add(&tally.in_ld, 1);
	if (in_module(top, "[vdso]"))
		atomic_fetch_add(&tally.in_vdso, 1);
	if (walk.signal_frame)
		atomic_fetch_add(&tally.through_signal, 1);
	if (walk.stop != PYRO_STOP_END &&
	    atomic_fetch_add(&tally.incomplete, 1) == 0)
		tally.shortened = ours;
	if (ours.depth == theirs.depth &&
	    memcmp(ours.pc, theirs.pc, ours.depth * sizeof(*ours.pc)) == 0)
		atomic_fetch_add(&tally.equal, 1);
	else
		keep(&ours, &theirs);
	errno = saved;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	compare(context);
}

static void install(int sig, void (*handler)(int, siginfo_t *, void *),
		    int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = handler;
	action.sa_flags = SA_SIGINFO | flags;
	assert_int_equal(sigaction(sig, &action, NULL), 0);
}

static void print_chain(const char *whose, const struct chain *chain)
{
	print_error("%s (%zu):\n", whose, chain->depth);
	for (size_t i = 0; i < chain->depth && i < 30; i++)
		print_error("  %012llx %s\n", (unsigned long long)chain->pc[i],
			    name_of(chain->pc[i]));
}

static void reset(void)
{
	memset(&tally, 0, sizeof(tally));
}

/* At most so many of a million may disagree, or end before the outermost. */
static void check_equal(const char *what, uint64_t at_least,
			uint64_t per_million)
{
	uint64_t walks = atomic_load(&tally.walks);
	uint64_t wrong = walks - atomic_load(&tally.equal);

	print_message("%s: %llu walks, %llu not equal, %llu not complete\n",
		      what, (unsigned long long)walks,
		      (unsigned long long)wrong,
		      (unsigned long long)atomic_load(&tally.incomplete));
	assert_true(walks >= at_least);
	if (atomic_load(&tally.incomplete) && !tally.no_end) {
		print_error("the first that is not complete: \"%s\"\n",
			    pyro_stop_name(tally.shortened.stop));
		print_chain("ours", &tally.shortened);
	}
	if (wrong)
		print_error("the first, which ended by \"%s\":\n",
			    pyro_stop_name(tally.ours.stop));
	if (wrong) {
		print_chain("ours", &tally.ours);
		print_chain("backtrace()", &tally.theirs);
	}
	assert_true(wrong * 1000000 <= per_million * walks);
	if (!tally.no_end)
		assert_true(atomic_load(&tally.incomplete) * 1000000 <=
			    per_million * walks);
}

/* --- random points --- */

static struct {
	_Atomic bool stop;
	pid_t tid;
	uint64_t count;
} interrupter;

static void *interrupt(void *arg)
{
	uint64_t random = 7;

	(void)arg;
	while (atomic_load(&tally.walks) < interrupter.count) {
		uint64_t before = atomic_load(&tally.walks);

		syscall(SYS_tgkill, getpid(), interrupter.tid, SIGUSR1);
		while (atomic_load(&tally.walks) == before)
			sched_yield();
		for (uint64_t n = next_random(&random) % 20000; n > 0; n--)
			__asm__ volatile("");
	}
	atomic_store(&interrupter.stop, true);
	return NULL;
}

static void run_until_stopped(void)
{
	uint64_t random = 4711;

	while (!atomic_load(&interrupter.stop)) {
		uint64_t x = next_random(&random);

		atomic_fetch_add(&sink, recurse(x % 40, x >> 8));
	}
}

static void test_random_points(void **state)
{
	pthread_t thread;

	(void)state;
	reset();
	install(SIGUSR1, on_signal, 0);
	stack_now = pyro_stack_of_main();
	interrupter.tid = pyro_gettid();
	interrupter.count = setting("UNWIND_POINTS", 8000);
	atomic_store(&interrupter.stop, false);
	assert_int_equal(pthread_create(&thread, NULL, interrupt, NULL), 0);
	run_until_stopped();
	pthread_join(thread, NULL);
	check_equal("random points", interrupter.count, 100);
}

static void *sampled_thread(void *arg)
{
	(void)arg;
	stack_now = pyro_stack_of_self(8 << 20, 4096);
	interrupter.tid = pyro_gettid();
	atomic_store(&interrupter.stop, false);

	pthread_t thread;

	if (pthread_create(&thread, NULL, interrupt, NULL) != 0)
		abort();
	run_until_stopped();
	pthread_join(thread, NULL);
	return NULL;
}

static void test_random_points_in_a_thread(void **state)
{
	pthread_t thread;
	pthread_attr_t attr;

	(void)state;
	reset();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 8 << 20);
	interrupter.count = setting("UNWIND_POINTS", 8000) / 2;
	assert_int_equal(pthread_create(&thread, &attr, sampled_thread, NULL),
			 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	check_equal("random points of a thread", interrupter.count, 100);
}

/* --- every instruction --- */

#define LEAST(n) ((uint64_t)(STEPS ? (n) : 1))

void step_on(void);
void step_off(void);

#if defined(__x86_64__)
__asm__(".text\n"
	".type step_on, @function\n"
	"step_on:\n"
	".cfi_startproc\n"
	"pushfq\n"
	".cfi_adjust_cfa_offset 8\n"
	"orq $0x100, (%rsp)\n"
	"popfq\n"
	".cfi_adjust_cfa_offset -8\n"
	"ret\n"
	".cfi_endproc\n"
	".size step_on, . - step_on\n"
	".type step_off, @function\n"
	"step_off:\n"
	".cfi_startproc\n"
	"pushfq\n"
	".cfi_adjust_cfa_offset 8\n"
	"andq $~0x100, (%rsp)\n"
	"popfq\n"
	".cfi_adjust_cfa_offset -8\n"
	"ret\n"
	".cfi_endproc\n"
	".size step_off, . - step_off\n");

static void stop_stepping(ucontext_t *context)
{
	context->uc_mcontext.gregs[REG_EFL] &= ~0x100L;
}
#elif defined(__aarch64__)
/* No program can step itself there: two walks, from before and after. What is
 * true at every instruction is shown by tests/test_step_aarch64.c. */
__asm__(".text\n"
	".type step_on, %function\n"
	"step_on:\n"
	".cfi_startproc\n"
	"brk #0\n"
	"ret\n"
	".cfi_endproc\n"
	".size step_on, . - step_on\n"
	".type step_off, %function\n"
	"step_off:\n"
	".cfi_startproc\n"
	"brk #0\n"
	"ret\n"
	".cfi_endproc\n"
	".size step_off, . - step_off\n");

static void stop_stepping(ucontext_t *context)
{
	(void)context;
}
#endif

static uint64_t steps_left;

static void on_step(int sig, siginfo_t *info, void *raw)
{
	ucontext_t *context = raw;

	(void)sig;
	(void)info;
	compare(context);
	if (steps_left-- == 0) /* enough of it */
		stop_stepping(context);
	if (!STEPS) /* over the brk */
		*context_register(context, CONTEXT_PC) += 4;
}

static __attribute__((noinline)) void step_through(void (*fn)(uint64_t),
						   uint64_t arg, uint64_t limit)
{
	steps_left = limit;
	step_on();
	fn(arg);
	step_off();
}

static void case_copy(uint64_t x)
{
	copy_some(x);
}

static void case_sort(uint64_t x)
{
	sort_some(x);
}

static void case_realigned(uint64_t x)
{
	realigned(x);
}

#if defined(__x86_64__)
static void step_case(const char *what, void (*fn)(uint64_t), uint64_t arg,
		      uint64_t at_least)
{
	reset();
	step_through(fn, arg, setting("UNWIND_STEPS", 20000));
	check_equal(what, at_least, 0);
}

static void case_alloca(uint64_t x)
{
	alloca_some(x);
}

static void case_allocate(uint64_t x)
{
	allocate_some(x);
}

static void case_recursion(uint64_t x)
{
	recurse(60, x);
}

static void test_every_instruction(void **state)
{
	(void)state;
	stack_now = pyro_stack_of_main();
	install(SIGTRAP, on_step, 0);
	step_case("qsort", case_sort, 3, 1000);
	step_case("alloca", case_alloca, 4000, 1000);
	step_case("realigned", case_realigned, 800, 1000);
	step_case("malloc", case_allocate, 5, 1000);
	step_case("recursion", case_recursion, 6, 1000);
	for (uint64_t n = 1; n < 60000; n = n * 5 / 2 + 1)
		step_case("memcpy", case_copy, n, 20);
}

/* The first call of a function through its lazy stub: ld.so's resolver tracks
 * its frame by rbx. */
static void call_for_the_first_time(uint64_t x)
{
	unsigned key = (unsigned)x;
	size_t count = 1;

	atomic_fetch_add(&sink, lfind(&key, &key, &count, sizeof(key),
				      by_value) != NULL);
}

static void test_lazy_binding(void **state)
{
	(void)state;
	if (getenv("LD_BIND_NOW"))
		skip();
	stack_now = pyro_stack_of_main();
	install(SIGTRAP, on_step, 0);
	step_case("lazy binding", call_for_the_first_time, 5, 500);
	/* Was it lazy? The test program is linked with -z lazy. */
	assert_true(atomic_load(&tally.in_ld) > 300);
}

static void ask_the_time(uint64_t x)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	clock_gettime(CLOCK_REALTIME, &ts);
	atomic_fetch_add(&sink, x + (uint64_t)ts.tv_nsec);
}

static void test_vdso(void **state)
{
	(void)state;
	stack_now = pyro_stack_of_main();
	install(SIGTRAP, on_step, 0);
	ask_the_time(1);
	step_case("vdso", ask_the_time, 1, 20);
	assert_true(atomic_load(&tally.in_vdso) > 10);
}

/* A call that does not return is the last instruction of its function: what
 * follows is another function, whose rule is another. */
static jmp_buf back;

void leave_for_good(void);
void ends_in_call(uint64_t x);

__attribute__((noinline, used)) void leave_for_good(void)
{
	for (uint64_t i = 0; i < 20; i++)
		atomic_fetch_add(&sink, i);
	step_off();
	longjmp(back, 1);
}

__asm__(".text\n"
	".type ends_in_call, %function\n"
	"ends_in_call:\n"
	".cfi_startproc\n"
	"sub $40, %rsp\n"
	".cfi_adjust_cfa_offset 40\n"
	"call leave_for_good\n"
	".cfi_endproc\n"
	".size ends_in_call, . - ends_in_call\n"
	".type follows_it, %function\n"
	"follows_it:\n"
	".cfi_startproc\n"
	"ret\n"
	".cfi_endproc\n"
	".size follows_it, . - follows_it\n");

static void test_call_at_the_end(void **state)
{
	static bool named;

	(void)state;
	stack_now = pyro_stack_of_main();
	install(SIGTRAP, on_step, 0);
	reset();
	if (setjmp(back) == 0)
		step_through(ends_in_call, 1, 1000);
	check_equal("noreturn call", 20, 0);
	/* And the frame has its own name, not that of what follows. */
	for (size_t i = 0; i < tally.last.depth; i++) {
		const char *name = name_of(tally.last.pc[i]);

		named = named || strcmp(name, "ends_in_call") == 0;
		assert_string_not_equal(name, "follows_it");
	}
	assert_true(named);
}
#endif

/* --- handlers inside handlers --- */

static void on_inner(int sig)
{
	(void)sig;
	step_through(case_copy, 50, 1000);
}

static void on_outer(int sig)
{
	(void)sig;
	raise(SIGUSR2);
}

static void install_simple(int sig, void (*handler)(int), int flags)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	action.sa_flags = flags;
	assert_int_equal(sigaction(sig, &action, NULL), 0);
}

static void test_signal_frames(void **state)
{
	static const struct {
		const char *what;
		int outer, inner;
	} cases[] = {
		{"signal in signal", 0, 0},
		{"altstack", 0, SA_ONSTACK},
		{"signal on altstack from altstack", SA_ONSTACK, SA_ONSTACK},
	};
	size_t size = 256 << 10;
	stack_t ss = {.ss_sp = pyro_pages_alloc(size), .ss_size = size};

	(void)state;
	stack_now = pyro_stack_of_main();
	assert_int_equal(sigaltstack(&ss, NULL), 0);
	install(SIGTRAP, on_step, 0);
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		install_simple(SIGUSR1, on_outer, cases[i].outer);
		install_simple(SIGUSR2, on_inner, cases[i].inner);
		reset();
		raise(SIGUSR1);
		check_equal(cases[i].what, LEAST(20), 0);
		assert_int_equal(atomic_load(&tally.through_signal),
				 atomic_load(&tally.walks));
	}
	ss.ss_flags = SS_DISABLE;
	sigaltstack(&ss, NULL);
	pyro_pages_free(ss.ss_sp, size);
}

/* A stack that nobody knows the bounds of. */
static ucontext_t outside, coroutine;

static void in_coroutine(void)
{
	step_through(case_copy, 70, 1000);
	swapcontext(&coroutine, &outside);
}

static void test_coroutine(void **state)
{
	size_t size = 64 << 10;
	char *pages = pyro_pages_alloc(size);

	(void)state;
	stack_now = pyro_stack_of_main();
	install(SIGTRAP, on_step, 0);
	reset();
	getcontext(&coroutine);
	coroutine.uc_stack.ss_sp = pages;
	coroutine.uc_stack.ss_size = size;
	makecontext(&coroutine, in_coroutine, 0);
	tally.no_end = true;
	swapcontext(&outside, &coroutine);
	check_equal("coroutine", LEAST(20), 0);
	pyro_pages_free(pages, size);
}

/* --- code that is in no object --- */

#if defined(__x86_64__)
static struct {
	uint64_t pc[DEPTH];
	size_t depth;
	struct pyro_walk walk;
} jit;

__attribute__((noinline)) static void walk_here(void)
{
	struct pyro_regs regs = {0};

	PYRO_REGS_HERE(&regs);
	jit.depth = pyro_unwind_regs(pyro_modules_current(), &regs,
				     pyro_stack_of_main(), jit.pc, DEPTH,
				     &jit.walk);
}

/* Run code in a page of its own, which calls walk_here(); returns the page. */
__attribute__((noinline)) static uintptr_t run_written(const void *code,
						       size_t len)
{
	unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	void (*call)(void (*)(void)) = NULL;

	assert_true(page != MAP_FAILED);
	memcpy(page, code, len);
	assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
	memcpy(&call, &page, sizeof(call));
	jit.depth = 0;
	call(walk_here);
	munmap(page, 4096);
	return (uintptr_t)page;
}

static void test_written_code(void **state)
{
	/* Two frames with frame pointers, the second of them called by the
	 * first. */
	static const unsigned char framed[] = {
		0x55, 0x48, 0x89, 0xe5, 0xe8, 0x02, 0x00, 0x00, 0x00, /* call */
		0x5d, 0xc3,                                           /* ret */
		0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3,
	};
	/* push rbp; sub rsp, 32; mov ebp, 0x123450; call rdi; .. */
	static const unsigned char frameless[] = {
		0x55, 0x48, 0x83, 0xec, 0x20, 0xbd, 0x50, 0x34, 0x12,
		0x00, 0xff, 0xd7, 0x48, 0x83, 0xc4, 0x20, 0x5d, 0xc3,
	};
	uintptr_t page;

	(void)state;
	assert_int_equal(pyro_modules_refresh(modules) >= 0, 1);
	page = run_written(framed, sizeof(framed));
	assert_int_equal(jit.walk.stop, PYRO_STOP_END);
	assert_true(jit.depth > 5);
	assert_int_equal(jit.pc[1], page + 16);
	assert_int_equal(jit.pc[2], page + 8);
	assert_string_equal(name_of(jit.pc[3]), "run_written");
	assert_string_equal(name_of(jit.pc[4]), "test_written_code");

	/* What called it nobody can tell. */
	page = run_written(frameless, sizeof(frameless));
	assert_int_equal(jit.walk.stop, PYRO_STOP_UNMAPPED);
	assert_int_equal(jit.depth, 2);
	assert_int_equal(jit.pc[1], page + 11);
}
#else
static void test_written_code(void **state)
{
	(void)state; /* the bytes are x86_64's */
}
#endif

/* Real registers with one of them off by a little, on the real stack. */
static uint64_t near_left;

static void on_near(int sig, siginfo_t *info, void *raw)
{
	static uint64_t random = 99;
	ucontext_t context = *(ucontext_t *)raw;
	context_word sp = *context_register(&context, CONTEXT_SP);
	static const unsigned which[] = {CONTEXT_PC, CONTEXT_SP, CONTEXT_FP,
					 CONTEXT_OTHER};
	uint64_t pc[DEPTH];
	struct pyro_walk walk;

	(void)sig;
	(void)info;
	for (int i = 0; i < (STEPS ? 20 : 20000); i++) {
		context_word *reg = context_register(&context, which[i % 4]);
		context_word saved = *reg;

		*reg += (context_word)(next_random(&random) % 512) - 256;
		/* The promise holds for the live sp and above. */
		if (*context_register(&context, CONTEXT_SP) < sp)
			*context_register(&context, CONTEXT_SP) = sp;
		pyro_unwind_signal(pyro_modules_current(), &context, stack_now,
				   pc, DEPTH, &walk);
		*reg = saved;
	}
	if (near_left-- == 0)
		stop_stepping(raw);
	if (!STEPS)
		*context_register(raw, CONTEXT_PC) += 4;
}

static void test_nearly_right_registers(void **state)
{
	(void)state;
	stack_now = pyro_stack_of_main();
	install(SIGTRAP, on_near, 0);
	near_left = 5000;
	step_through(case_sort, 3, 0);
	near_left = 5000;
	step_through(case_realigned, 3, 0);
}

static int set_up(void **state)
{
	void *first[4];

	(void)state;
	backtrace(first, 4); /* loads libgcc_s */
	modules = pyro_modules_new(NULL);
	return modules && pyro_modules_refresh(modules) == 1 ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
		cmocka_unit_test(test_lazy_binding),
#endif
		cmocka_unit_test(test_random_points),
		cmocka_unit_test(test_random_points_in_a_thread),
#if defined(__x86_64__)
		cmocka_unit_test(test_every_instruction),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_call_at_the_end),
#endif
		cmocka_unit_test(test_signal_frames),
		cmocka_unit_test(test_coroutine),
		cmocka_unit_test(test_written_code),
		cmocka_unit_test(test_nearly_right_registers),
	};

	if (UNDER_ASAN) {
		puts("skipped: the sanitizer keeps words of its own on the "
		     "stacks that are walked");
		return 0;
	}
	alarm((unsigned)setting("UNWIND_SECONDS", 150));
	return cmocka_run_group_tests(tests, set_up, NULL);
}
