// SPDX-License-Identifier: Apache-2.0
/* oracle.c - every walk at every instruction of a program, against the truth
 *
 *     oracle [-mv] [-n STEPS] [-t PPM] [-o PPM] [-x FILE] PROGRAM [ARG...]
 *
 * The program runs one instruction at a time, from ld.so's first one (or with
 * -m from its own breakpoint instruction, to the next) for STEPS of them at most, while a
 * shadow stack is kept of the calls that it makes. At each instruction the
 * library's unwinder itself, whose reads are redirected into the program's
 * memory, walks from its registers; the chain must be the shadow stack's from
 * the instruction to the outermost frame, and be told to be complete.
 *
 * A walk whose first caller is not the true one is wrong at the top; one that
 * leaves the truth later, or ends before it, is wrong further out. Each kind
 * may be so many of a million (PPM). FILE names functions whose own frames are
 * not defined throughout, for they leave several at once: what goes wrong there
 * is told apart. -v prints the first walk of each kind that went wrong.
 * Walks by memos and without must agree always, and plain loads be readable. */
#include "tests/oracle/images.h"
#include "tests/oracle/shadow.h"
#include "tests/oracle/tracee.h"
#include "tests/oracle/walk_seam.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 1024
#define BLAMED_MAX 256
#define PRINTED_MAX 30

enum verdict {
	VERDICT_RIGHT,
	VERDICT_TOP,
	VERDICT_OUTER,
	VERDICT_COUNT
};
static const char *const verdict_name[] = {"right", "top", "outer"};

struct blamed {
	const char *function, *module;
	enum verdict verdict;
	enum pyro_stop stop; /* PYRO_STOP_END: not incomplete, but wrong */
	bool is_masked;
	uint64_t count;
	uintptr_t pc; /* of the first */
};

static struct {
	struct tracee tracee;
	struct images images;
	struct shadow shadow;
	ucontext_t context;

	uint64_t steps, walks, depth_sum;
	uint64_t wrong[VERDICT_COUNT], masked, by_memo_differs, bad_loads;
	struct blamed blamed[BLAMED_MAX];
	size_t blamed_count;
	char masks[64][64];
	size_t mask_count;
	bool is_verbose;
} o;

/* What the unwinder reads is the tracee's, but for the ucontext, which the
 * kernel would have written onto its stack. */
uintptr_t oracle_load(uintptr_t addr)
{
	uintptr_t word = 0;

	if (addr - (uintptr_t)&o.context < sizeof(o.context))
		return *(const uintptr_t *)addr;
	if (!tracee_word(&o.tracee, addr, &word))
		o.bad_loads++;
	return word;
}

/* What stands around the ucontext is copied with it, as on a stack. */
static bool is_near_context(uintptr_t addr)
{
	const uintptr_t around = 256;

	return addr - ((uintptr_t)&o.context - around) <
	       sizeof(o.context) + 2 * around;
}

bool oracle_copy(uint64_t *to, uintptr_t addr, size_t len)
{
	for (size_t i = 0; i < len / sizeof(*to); i++) {
		uintptr_t from = addr + i * sizeof(*to), word;

		if (is_near_context(from))
			word = *(const uintptr_t *)from;
		else if (!tracee_word(&o.tracee, from, &word))
			return false;
		to[i] = word;
	}
	return true;
}

static void fill_context(void)
{
	const struct user_regs_struct *r = &o.tracee.regs;
	greg_t *g = o.context.uc_mcontext.gregs;
	const unsigned long long value[] = {
		[REG_R8] = r->r8,   [REG_R9] = r->r9,   [REG_R10] = r->r10,
		[REG_R11] = r->r11, [REG_R12] = r->r12, [REG_R13] = r->r13,
		[REG_R14] = r->r14, [REG_R15] = r->r15, [REG_RDI] = r->rdi,
		[REG_RSI] = r->rsi, [REG_RBP] = r->rbp, [REG_RBX] = r->rbx,
		[REG_RDX] = r->rdx, [REG_RAX] = r->rax, [REG_RCX] = r->rcx,
		[REG_RSP] = r->rsp, [REG_RIP] = r->rip,
	};

	memcpy(g, value, sizeof(value));
}

struct chain {
	uint64_t pc[DEPTH_MAX];
	size_t depth;
	enum pyro_stop stop;
};

static void walk(const struct pyro_snapshot *snapshot, struct chain *chain)
{
	struct pyro_walk walk;

	chain->depth = pyro_unwind_signal(snapshot, &o.context, o.images.stack,
					  chain->pc, DEPTH_MAX, &walk);
	chain->stop = walk.stop;
}

static bool is_masked(const char *function)
{
	for (size_t i = 0; i < o.mask_count; i++)
		if (strcmp(o.masks[i], function) == 0)
			return true;
	return false;
}

/* The frame from which the walk went wrong. True: the first of its kind. */
static bool blame(uintptr_t pc, enum verdict verdict, enum pyro_stop stop)
{
	struct blamed b = {.verdict = verdict, .stop = stop, .pc = pc};
	size_t i = 0;

	images_name(&o.images, pc, &b.function, &b.module);
	while (i < o.blamed_count &&
	       (strcmp(o.blamed[i].function, b.function) != 0 ||
		strcmp(o.blamed[i].module, b.module) != 0 ||
		o.blamed[i].verdict != verdict || o.blamed[i].stop != stop))
		i++;
	if (i == BLAMED_MAX)
		i--;
	if (i == o.blamed_count) {
		b.is_masked = is_masked(b.function);
		o.blamed[o.blamed_count++] = b;
	}
	o.blamed[i].count++;
	if (o.blamed[i].is_masked)
		o.masked++;
	else
		o.wrong[verdict]++;
	return o.blamed[i].count == 1;
}

static void print_chain(const char *whose, const struct chain *chain)
{
	const char *function, *module;

	printf("%s, %s:\n", whose, pyro_stop_name(chain->stop));
	for (size_t i = 0; i < chain->depth && i < PRINTED_MAX; i++) {
		images_name(&o.images, chain->pc[i], &function, &module);
		printf("    %#" PRIx64 " %s (%s)\n", chain->pc[i], function,
		       module);
	}
}

static void judge(const struct chain *ours, const struct chain *truth)
{
	size_t i = 1;

	while (i < ours->depth && i < truth->depth &&
	       ours->pc[i] == truth->pc[i])
		i++;
	if (i == ours->depth && i == truth->depth &&
	    ours->stop == PYRO_STOP_END)
		return;
	if (blame(ours->pc[i - 1], i == 1 ? VERDICT_TOP : VERDICT_OUTER,
		  i == ours->depth ? ours->stop : PYRO_STOP_END) &&
	    o.is_verbose) {
		print_chain("ours", ours);
		print_chain("truth", truth);
	}
}

static void compare(void)
{
	static struct chain by_memo, plain, truth;

	fill_context();
	walk(o.images.with_memo, &by_memo);
	walk(o.images.without_memo, &plain);
	if (by_memo.depth != plain.depth || by_memo.stop != plain.stop ||
	    memcmp(by_memo.pc, plain.pc, plain.depth * sizeof(plain.pc[0])))
		o.by_memo_differs++;
	truth.depth =
		shadow_chain(&o.shadow, o.tracee.regs.rip, truth.pc, DEPTH_MAX);
	o.walks++;
	o.depth_sum += truth.depth;
	judge(&by_memo, &truth);
}

/* What is mapped may be different after these. */
static bool changes_code(const struct user_regs_struct *r)
{
	const unsigned long long mmap = 9, mprotect = 10, munmap = 11;

	return r->rax == mmap || r->rax == munmap || r->rax == mprotect;
}

static void run(uint64_t limit, bool to_marker)
{
	struct tracee *t = &o.tracee;

	compare();
	while (o.steps < limit) {
		struct user_regs_struct before = t->regs;
		enum transfer transfer = tracee_decode(t, before.rip);
		bool signalled = t->signal != 0;
		enum stepped stepped = tracee_step(t);

		if (stepped == STEPPED_TO_END)
			return;
		if (transfer == TRANSFER_MARKER && to_marker)
			break;
		o.steps++;
		if (stepped == STEPPED_TO_SIGNAL)
			continue;
		if (!signalled || !shadow_enter_handler(&o.shadow, t, &before))
			shadow_follow(&o.shadow, t, transfer, &before);
		if (transfer == TRANSFER_SYSCALL && changes_code(&before)) {
			tracee_forget_code(t);
			images_refresh(&o.images, t->pid);
		}
		/* Not each round of a string instruction. */
		if (t->regs.rip != before.rip)
			compare();
	}
	tracee_kill(t);
}

/* Begin in the middle: the calls that led there are those of our walk, which
 * must be complete and stand on the stack. */
static bool begin_at_marker(void)
{
	static struct chain chain;
	static uintptr_t ra[DEPTH_MAX];

	if (!tracee_run_to_marker(&o.tracee))
		return false;
	images_refresh(&o.images, o.tracee.pid);
	fill_context();
	walk(o.images.without_memo, &chain);
	for (size_t i = 1; i < chain.depth; i++)
		ra[i - 1] = chain.pc[i] + 1;
	return chain.stop == PYRO_STOP_END &&
	       shadow_begin(&o.shadow, &o.tracee, ra, chain.depth - 1);
}

static int by_count(const void *a, const void *b)
{
	const struct blamed *x = a, *y = b;

	return (x->count < y->count) - (x->count > y->count);
}

static double percent(uint64_t n)
{
	return 100.0 * (double)n / (double)(o.walks ? o.walks : 1);
}

static void report(const char *program)
{
	printf("%s: %" PRIu64 " walks, %.1f frames; wrong at the top %" PRIu64
	       " (%.4f %%), further out %" PRIu64 " (%.4f %%), masked %" PRIu64
	       "\n",
	       program, o.walks,
	       (double)o.depth_sum / (double)(o.walks ? o.walks : 1),
	       o.wrong[VERDICT_TOP], percent(o.wrong[VERDICT_TOP]),
	       o.wrong[VERDICT_OUTER], percent(o.wrong[VERDICT_OUTER]),
	       o.masked);
	qsort(o.blamed, o.blamed_count, sizeof(o.blamed[0]), by_count);
	for (size_t i = 0; i < o.blamed_count && i < PRINTED_MAX; i++) {
		const struct blamed *b = &o.blamed[i];

		printf("  %s%s %" PRIu64 " %s (%s) at %#" PRIxPTR ": %s\n",
		       b->is_masked ? "masked " : "", verdict_name[b->verdict],
		       b->count, b->function, b->module, b->pc,
		       b->stop == PYRO_STOP_END ? "wrong"
						: pyro_stop_name(b->stop));
	}
	if (o.by_memo_differs || o.bad_loads)
		printf("  %" PRIu64 " walks by memos differ, %" PRIu64
		       " loads of unmapped memory\n",
		       o.by_memo_differs, o.bad_loads);
}

/* A function a line; what follows it is for the reader. */
static void read_masks(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[256];

	if (!f) {
		perror(path);
		exit(2);
	}
	while (fgets(line, sizeof(line), f) &&
	       o.mask_count < PYRO_COUNT_OF(o.masks))
		if (line[0] != '#' &&
		    sscanf(line, "%63s", o.masks[o.mask_count]) == 1)
			o.mask_count++;
	fclose(f);
}

int main(int argc, char **argv)
{
	uint64_t limit = UINT64_MAX, top = 0, outer = 0;
	bool from_marker = false;
	int option;

	while ((option = getopt(argc, argv, "+mvn:t:o:x:")) != -1) {
		if (option == 'm')
			from_marker = true;
		else if (option == 'v')
			o.is_verbose = true;
		else if (option == 'n')
			limit = strtoull(optarg, NULL, 10);
		else if (option == 't')
			top = strtoull(optarg, NULL, 10);
		else if (option == 'o')
			outer = strtoull(optarg, NULL, 10);
		else if (option == 'x')
			read_masks(optarg);
		else
			return 2;
	}
	if (optind == argc)
		return 2;
	tracee_start(&o.tracee, argv + optind);
	if (!from_marker) {
		images_refresh(&o.images, o.tracee.pid);
	} else if (!begin_at_marker()) {
		fprintf(stderr, "oracle: no complete walk at the marker\n");
		tracee_kill(&o.tracee);
		return 1;
	}
	run(limit, from_marker);
	report(argv[optind]);
	return o.walks == 0 || o.by_memo_differs || o.bad_loads ||
	       o.wrong[VERDICT_TOP] * 1000000 > top * o.walks ||
	       o.wrong[VERDICT_OUTER] * 1000000 > outer * o.walks;
}
