// SPDX-License-Identifier: Apache-2.0
/* test_unwind_rules.c - each rule of the tables by itself, on a stack that is
 * written here word by word */
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "capture/unwind.h"

#if defined(__x86_64__)
#define TEXT 0x10000000
#define BIAS 0x0fff0000 /* the text is linked at 0x10000 */
#define WORDS 64
#define DEPTH 16

/* Functions of 0x100 bytes; what each is for, its tests say. */
enum {
	AT_START = 0,
	AT_PLAIN = 0x100,
	AT_OTHER = 0x200,
	AT_CASE = 0x300,
	AT_SIGNAL = 0x400,
	AT_GAP = 0x500,
	TEXT_BYTES = 0x600
};

static struct {
	struct pyro_unwind_table table;
	uint32_t page_first[2];
	struct pyro_row row[6];
	struct pyro_rule rule[6];
	struct pyro_memo memo[1 << PYRO_MEMO_BITS];
} image;

static _Alignas(
	8) char room[sizeof(struct pyro_snapshot) + sizeof(struct pyro_map)];
static struct pyro_snapshot *const snapshot = (struct pyro_snapshot *)room;

static uintptr_t word[WORDS];
static ucontext_t context;
static uint64_t pc[DEPTH];
static struct pyro_walk result;

static uintptr_t at(size_t i)
{
	return (uintptr_t)&word[i];
}

/* The rule of the function under test; the others are always the same. */
static void set_rule(struct pyro_rule rule)
{
	memset(&image, 0, sizeof(image));
	image.rule[0].cfa = PYRO_CFA_END;
	image.rule[1] = (struct pyro_rule){
		.cfa = PYRO_CFA_SP, .cfa_off = 16, .ra_off = -8};
	image.rule[2] = (struct pyro_rule){
		.cfa = PYRO_CFA_SP, .cfa_off = 24, .ra_off = -8};
	image.rule[3] = rule;
	image.rule[4].cfa = PYRO_CFA_SIGNAL;
	for (uint16_t i = 0; i < PYRO_COUNT_OF(image.row); i++)
		image.row[i] = (struct pyro_row){(uint16_t)(i * 0x100), i};
	image.page_first[1] = PYRO_COUNT_OF(image.row);
	image.table = (struct pyro_unwind_table){
		.lo = TEXT - BIAS,
		.hi = TEXT - BIAS + TEXT_BYTES,
		.first_page = (TEXT - BIAS) >> 16,
		.page_count = 1,
		.row_count = PYRO_COUNT_OF(image.row),
		.rule_count = PYRO_COUNT_OF(image.rule),
		.page_first = image.page_first,
		.rows = image.row,
		.rules = image.rule,
	};
	memset(room, 0, sizeof(room));
	snapshot->count = 1;
	snapshot->map[0] = (struct pyro_map){
		.lo = TEXT,
		.hi = TEXT + TEXT_BYTES,
		.bias = BIAS,
		.table = &image.table,
		.module = 1,
	};
	memset(word, 0xee, sizeof(word));
	memset(&context, 0, sizeof(context));
}

static void set_reg(int reg, uintptr_t value)
{
	context.uc_mcontext.gregs[reg] = (greg_t)value;
}

static void set_pc_sp(uintptr_t where, size_t sp)
{
	set_reg(REG_RIP, TEXT + where);
	set_reg(REG_RSP, at(sp));
}

/* The pc and sp of a ucontext that the kernel pushed there. */
static void put_context(size_t i, uintptr_t where, size_t sp)
{
	size_t gregs = i + PYRO_UCONTEXT_GREGS / sizeof(uintptr_t);

	word[gregs + REG_RIP] = TEXT + where;
	word[gregs + REG_RSP] = at(sp);
}

static void check_once(enum pyro_stop stop, const uintptr_t *want, size_t count)
{
	struct pyro_stack stack = {at(0), at(WORDS)};
	size_t depth = pyro_unwind_signal(snapshot, &context, stack, pc, DEPTH,
					  &result);

	if (result.stop != stop)
		fail_msg("ended by \"%s\"", pyro_stop_name(result.stop));
	for (size_t i = 0; i < count && i < depth; i++)
		assert_int_equal(pc[i], TEXT + want[i]);
	assert_int_equal(depth, count);
}

/* By tables, then with memos that are empty, and then with full ones. */
#define CHECK(stop, ...)                                     \
	do {                                                 \
		const uintptr_t want[] = {__VA_ARGS__};      \
		check_once(stop, want, PYRO_COUNT_OF(want)); \
		snapshot->memo = image.memo;                 \
		check_once(stop, want, PYRO_COUNT_OF(want)); \
		check_once(stop, want, PYRO_COUNT_OF(want)); \
		snapshot->memo = NULL;                       \
	} while (0)

#define RULE(...)                         \
	(struct pyro_rule)                \
	{                                 \
		.ra_off = -8, __VA_ARGS__ \
	}

/* A call that is the last instruction of its function returns to the first
 * address of the next one, whose rule is another. */
static void test_call_at_the_end(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_SP, .cfa_off = 8));
	set_pc_sp(AT_CASE, 0);
	word[0] = TEXT + AT_OTHER; /* the end of AT_PLAIN: 16 bytes */
	word[2] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_OTHER - 1, AT_START + 7);
}

/* What a signal interrupted is looked up as it is. */
static void test_interrupted_at_the_start(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_SP, .cfa_off = 8));
	set_pc_sp(AT_CASE, 1);
	word[1] = TEXT + AT_SIGNAL + 1;
	put_context(2, AT_OTHER, 40);
	word[42] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_SIGNAL, AT_OTHER, AT_START + 7);
	assert_true(result.signal_frame);
	/* On an alternate stack: back to lower addresses. */
	set_pc_sp(AT_CASE, 41);
	word[41] = TEXT + AT_SIGNAL + 1;
	put_context(42, AT_OTHER, 10);
	word[12] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_SIGNAL, AT_OTHER, AT_START + 7);
}

static void test_rbx(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_RBX, .cfa_off = 16));
	/* As the top frame, and below one that saved it. */
	set_pc_sp(AT_CASE + 4, 3);
	set_reg(REG_RBX, at(10));
	word[11] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE + 4, AT_START + 7);
	image.rule[1].flags = PYRO_RULE_RBX_SAVED;
	image.rule[1].rbx_off = -16;
	set_reg(REG_RBX, 7);
	set_pc_sp(AT_PLAIN + 4, 3);
	word[3] = at(10);
	word[4] = TEXT + AT_CASE + 9;
	CHECK(PYRO_STOP_END, AT_PLAIN + 4, AT_CASE + 8, AT_START + 7);
	image.rule[1].flags = PYRO_RULE_RBX_LOST;
	CHECK(PYRO_STOP_REGISTER, AT_PLAIN + 4, AT_CASE + 8);
}

/* Offsets in words: a frame whose locals lie above what it saved. */
static void test_large(void **state)
{
	(void)state;
	set_rule((struct pyro_rule){
		.cfa = PYRO_CFA_SP,
		.cfa_off = 96,
		.ra_off = -11,
		.fp_off = -12,
		.flags = PYRO_RULE_LARGE | PYRO_RULE_FP_SAVED,
	});
	image.rule[1].cfa = PYRO_CFA_FP;
	set_pc_sp(AT_CASE + 4, 4);
	word[4] = at(20);
	word[5] = TEXT + AT_PLAIN + 9;
	word[21] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE + 4, AT_PLAIN + 8, AT_START + 7);
}

static void test_plt(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_PLT, .cfa_off = 11));
	set_pc_sp(AT_CASE + 10, 3);
	word[3] = TEXT + AT_START + 8;
	word[4] = TEXT + AT_START + 9;
	CHECK(PYRO_STOP_END, AT_CASE + 10, AT_START + 7);
	set_pc_sp(AT_CASE + 11, 3);
	CHECK(PYRO_STOP_END, AT_CASE + 11, AT_START + 8);
}

/* Any register where it was interrupted; below a call, one that no call has to
 * keep (rax) if it leads to code, and none that calls do keep (r12). */
static void test_registers(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_REG, .reg = 12, .cfa_off = 8));
	set_pc_sp(AT_CASE, 3);
	set_reg(REG_R12, at(10));
	set_reg(REG_RAX, at(10));
	word[4] = TEXT + AT_CASE + 9;
	word[10] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_START + 7);
	set_pc_sp(AT_PLAIN, 3);
	CHECK(PYRO_STOP_REGISTER, AT_PLAIN, AT_CASE + 8);
	image.rule[3].reg = 0;
	CHECK(PYRO_STOP_END, AT_PLAIN, AT_CASE + 8, AT_START + 7);
	word[10] = 12345;
	CHECK(PYRO_STOP_REGISTER, AT_PLAIN, AT_CASE + 8);
}

/* --- another thread's, of which pc and sp alone are known --- */

static size_t copies;

static bool copy_words(uint64_t *to, uintptr_t addr, size_t len)
{
	copies++;
	if (addr - (at(0) & ~(uintptr_t)255) > sizeof(word) + 255)
		return false;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	memcpy(to, (const void *)addr, len);
	return true;
}

static uintptr_t distance;

static uintptr_t a_frame(const struct pyro_map *map,
			 const struct pyro_rule *rule, uintptr_t where)
{
	assert_int_equal(map->lo, TEXT);
	assert_int_equal(rule->cfa, PYRO_CFA_FP);
	assert_true(where - TEXT - AT_CASE < 0x100 ||
		    where - TEXT - AT_OTHER < 0x100);
	return distance;
}

static void check_foreign(enum pyro_stop stop, size_t sp, const uintptr_t *want,
			  size_t count)
{
	size_t depth =
		pyro_unwind_foreign(snapshot, TEXT + AT_CASE, at(sp),
				    copy_words, a_frame, pc, DEPTH, &result);

	if (result.stop != stop)
		fail_msg("ended by \"%s\"", pyro_stop_name(result.stop));
	assert_int_equal(depth, count);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(pc[i], TEXT + want[i]);
}

#define CHECK_FOREIGN(stop, sp, ...)                                \
	do {                                                        \
		const uintptr_t want[] = {__VA_ARGS__};             \
		snapshot->memo = image.memo;                        \
		check_foreign(stop, sp, want, PYRO_COUNT_OF(want)); \
		check_foreign(stop, sp, want, PYRO_COUNT_OF(want)); \
		snapshot->memo = NULL;                              \
	} while (0)

/* Where a frame finds its caller by a register, a frame further in must have saved
 * it, in a slot that is there still. */
static void test_foreign(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_SP, .cfa_off = 16));
	word[5] = TEXT + AT_START + 8;
	copies = 0;
	CHECK_FOREIGN(PYRO_STOP_END, 4, AT_CASE, AT_START + 7);
	assert_true(copies > 0);
	image.rule[3].cfa = PYRO_CFA_FP;
	CHECK_FOREIGN(PYRO_STOP_REGISTER, 4, AT_CASE);
	/* Its distance from sp is known otherwise, and leads to code. */
	distance = 16;
	CHECK_FOREIGN(PYRO_STOP_END, 4, AT_CASE, AT_START + 7);
	distance = 24;
	CHECK_FOREIGN(PYRO_STOP_REGISTER, 4, AT_CASE);
	distance = 0;
	image.rule[3].cfa = PYRO_CFA_RBX;
	CHECK_FOREIGN(PYRO_STOP_REGISTER, 4, AT_CASE);
}

static void test_foreign_saved(void **state)
{
	(void)state;
	/* Saved at sp, by a frame that has called one whose CFA is fp's. */
	set_rule(RULE(.cfa = PYRO_CFA_SP, .cfa_off = 16, .fp_off = -16,
		      .flags = PYRO_RULE_FP_SAVED));
	image.rule[2] = RULE(.cfa = PYRO_CFA_FP, .cfa_off = 16);
	word[4] = at(10);
	word[5] = TEXT + AT_OTHER + 9;
	word[11] = TEXT + AT_START + 8;
	CHECK_FOREIGN(PYRO_STOP_END, 4, AT_CASE, AT_OTHER + 8, AT_START + 7);
	/* Popped, so that the register has it, which is not known. */
	image.rule[3].cfa_off = 8;
	CHECK_FOREIGN(PYRO_STOP_REGISTER, 5, AT_CASE, AT_OTHER + 8);
	/* Its place is told by the register itself. */
	image.rule[3].cfa_off = 16;
	image.rule[3].flags = PYRO_RULE_FP_AT_FP;
	CHECK_FOREIGN(PYRO_STOP_REGISTER, 4, AT_CASE, AT_OTHER + 8);
	image.rule[3] = RULE(.cfa = PYRO_CFA_SP, .cfa_off = 16, .rbx_off = -16,
			     .flags = PYRO_RULE_RBX_SAVED);
	image.rule[2].cfa = PYRO_CFA_RBX;
	CHECK_FOREIGN(PYRO_STOP_END, 4, AT_CASE, AT_OTHER + 8, AT_START + 7);
	image.rule[3].cfa_off = 8;
	CHECK_FOREIGN(PYRO_STOP_REGISTER, 5, AT_CASE, AT_OTHER + 8);
}

/* In a walk of one's own: what is lost does not come back by a popped slot. */
static void test_lost_stays_lost(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_SP, .cfa_off = 16,
		      .flags = PYRO_RULE_FP_LOST));
	image.rule[2] = RULE(.cfa = PYRO_CFA_SP, .cfa_off = 16, .fp_off = -24,
			     .flags = PYRO_RULE_FP_SAVED);
	image.rule[1] = RULE(.cfa = PYRO_CFA_FP, .cfa_off = 16);
	set_pc_sp(AT_CASE, 4);
	set_reg(REG_RBP, at(10));
	word[5] = TEXT + AT_OTHER + 9;
	word[7] = TEXT + AT_PLAIN + 9;
	word[11] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_REGISTER, AT_CASE, AT_OTHER + 8, AT_PLAIN + 8);
	/* And what is not, is not lost by it. */
	image.rule[3].flags = 0;
	CHECK(PYRO_STOP_END, AT_CASE, AT_OTHER + 8, AT_PLAIN + 8, AT_START + 7);
}

static void test_caller_sp_in_memory(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_SP_DEREF, .cfa_off = 16, .post = 8));
	set_pc_sp(AT_CASE, 3);
	word[5] = at(10);
	word[10] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_START + 7);
	/* OpenSSL's: 8 times r9 further up; only where r9 is known. */
	image.rule[3].cfa = PYRO_CFA_SP_INDEX;
	image.rule[3].reg = 9;
	set_reg(REG_R9, 20);
	word[25] = at(30);
	word[30] = TEXT + AT_START + 9;
	CHECK(PYRO_STOP_END, AT_CASE, AT_START + 8);
	set_pc_sp(AT_PLAIN, 1);
	word[2] = TEXT + AT_CASE + 9;
	CHECK(PYRO_STOP_REGISTER, AT_PLAIN, AT_CASE + 8);
}

/* OpenSSL keeps the caller's sp below its own for an instruction or two. */
static void test_red_zone(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_SP_DEREF, .cfa_off = -8, .post = 8));
	set_pc_sp(AT_CASE, 4);
	word[3] = at(10);
	word[10] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_START + 7);
	/* A frame that made a call has none, and it ends. */
	set_pc_sp(AT_PLAIN, 2);
	word[3] = TEXT + AT_CASE + 9;
	CHECK(PYRO_STOP_BOUNDS, AT_PLAIN, AT_CASE + 8);
	set_pc_sp(AT_CASE, 30);
	image.rule[3].cfa_off = -136;
	word[13] = at(40);
	CHECK(PYRO_STOP_BOUNDS, AT_CASE);
}

/* A red zone may be unmapped, where handlers have stacks of their own. */
static void test_unmapped(void **state)
{
	char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(pages != MAP_FAILED);
	assert_int_equal(mprotect(pages, 4096, PROT_NONE), 0);
	set_rule(RULE(.cfa = PYRO_CFA_SP_DEREF, .cfa_off = -8, .post = 8));
	set_reg(REG_RIP, TEXT + AT_CASE);
	set_reg(REG_RSP, (uintptr_t)pages + 4096);
	CHECK(PYRO_STOP_BOUNDS, AT_CASE);
	/* And so may what is above the top of a stack of unknown bounds. */
	assert_int_equal(mprotect(pages, 4096, PROT_READ | PROT_WRITE), 0);
	assert_int_equal(mprotect(pages + 4096, 4096, PROT_NONE), 0);
	set_reg(REG_RIP, TEXT + AT_PLAIN);
	set_reg(REG_RSP, (uintptr_t)pages + 4096 - 8);
	CHECK(PYRO_STOP_BOUNDS, AT_PLAIN);
	munmap(pages, 8192);
}

/* vfork: the return address is in rdi, and nothing on the stack. */
static void test_return_address_in_register(void **state)
{
	(void)state;
	set_rule((struct pyro_rule){
		.cfa = PYRO_CFA_SP, .flags = PYRO_RULE_RA_REG, .ra_off = 5});
	set_pc_sp(AT_CASE, 3);
	set_reg(REG_RDI, TEXT + AT_PLAIN + 9);
	word[4] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_PLAIN + 8, AT_START + 7);
	/* No frame below a call is like that. */
	set_pc_sp(AT_PLAIN, 1);
	word[2] = TEXT + AT_CASE + 9;
	CHECK(PYRO_STOP_PROGRESS, AT_PLAIN, AT_CASE + 8);
}

/* DRAP: fp is saved where fp points to, and the caller's sp below that. After
 * "leave" fp is the caller's, though the CFI says what it said. */
static void test_realigned(void **state)
{
	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_FP_DEREF, .cfa_off = -8,
		      .flags = PYRO_RULE_FP_AT_FP));
	image.rule[2] = RULE(.cfa = PYRO_CFA_FP, .cfa_off = 16);
	set_pc_sp(AT_CASE, 3);
	set_reg(REG_RBP, at(10));
	word[9] = at(16);
	word[10] = at(20);
	word[15] = TEXT + AT_OTHER + 9;
	word[21] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_CASE, AT_OTHER + 8, AT_START + 7);
	image.rule[3] = RULE(.cfa = PYRO_CFA_REG, .reg = 10,
			     .flags = PYRO_RULE_FP_AT_FP);
	set_pc_sp(AT_CASE, 11);
	set_reg(REG_R10, at(16));
	set_reg(REG_RBP, at(20));
	word[20] = at(1);
	CHECK(PYRO_STOP_END, AT_CASE, AT_OTHER + 8, AT_START + 7);
}

/* A stack is complete where the CFI says so, and nowhere else. */
static void test_ends(void **state)
{
	/* Calls of each length; and what only looks like one. */
	static const unsigned char code[][8] = {
		{0, 0, 0, 0xe8, 1, 2, 3, 4},       /* call rel32 */
		{0, 0, 0, 0, 0, 0, 0xff, 0xd0},    /* call rax */
		{0, 0, 0, 0, 0, 0x41, 0xff, 0xd3}, /* call r11 */
		{0, 0, 0, 0, 0, 0xff, 0x50, 8},    /* call [rax + 8] */
		{0, 0, 0, 0, 0xff, 0x54, 0x24, 8}, /* call [rsp + 8] */
		{0, 0, 0xff, 0x15, 1, 2, 3, 4},    /* call [rip + disp32] */
		{0, 0xff, 0x94, 0xc4, 1, 2, 3, 4}, /* call [rsp + 8 rax + ..] */
	};
	static const unsigned char jump[8] = {0, 0, 0, 0xe9, 1, 2, 0xff, 0xe0};

	(void)state;
	set_rule(RULE(.cfa = PYRO_CFA_BAD));
	set_pc_sp(AT_START, 3);
	CHECK(PYRO_STOP_END, AT_START);
	set_pc_sp(AT_CASE, 3);
	CHECK(PYRO_STOP_EXPRESSION, AT_CASE);
	set_pc_sp(AT_GAP, 3);
	CHECK(PYRO_STOP_GAP, AT_GAP);
	set_pc_sp(AT_PLAIN, 3);
	for (size_t i = 0; i < PYRO_COUNT_OF(code); i++) {
		word[4] = (uintptr_t)(code[i] + 8);
		CHECK(PYRO_STOP_UNMAPPED, AT_PLAIN, word[4] - 1 - TEXT);
	}
	word[4] = (uintptr_t)(jump + 8);
	CHECK(PYRO_STOP_GAP, AT_PLAIN);
	word[4] = TEXT + TEXT_BYTES + 9; /* not even memory */
	CHECK(PYRO_STOP_GAP, AT_PLAIN);
	word[4] = 3;
	CHECK(PYRO_STOP_GAP, AT_PLAIN);
	/* A leaf without CFI: what is on the stack leads to code. */
	set_pc_sp(AT_GAP, 3);
	word[3] = TEXT + AT_START + 8;
	CHECK(PYRO_STOP_END, AT_GAP, AT_START + 7);
	/* In code made at run time it may be a register that was pushed. */
	set_pc_sp(TEXT_BYTES + 64, 3);
	CHECK(PYRO_STOP_UNMAPPED, TEXT_BYTES + 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_call_at_the_end),
		cmocka_unit_test(test_interrupted_at_the_start),
		cmocka_unit_test(test_rbx),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_plt),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_foreign_saved),
		cmocka_unit_test(test_lost_stays_lost),
		cmocka_unit_test(test_caller_sp_in_memory),
		cmocka_unit_test(test_red_zone),
		cmocka_unit_test(test_unmapped),
		cmocka_unit_test(test_return_address_in_register),
		cmocka_unit_test(test_realigned),
		cmocka_unit_test(test_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
	puts("the rules are those of x86_64");
	return 0;
}
#endif
