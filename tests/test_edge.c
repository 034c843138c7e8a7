// SPDX-License-Identifier: Apache-2.0
/* test_edge.c - frames from the instructions at the edges of aarch64 functions
 *
 * The instructions are clang 14's and gcc 12's as objdump prints them. That the
 * whole walk is right at each instruction is for test_step_aarch64.c. */
#include "tests/unit.h"

#include <string.h>

#include "capture/edge_aarch64.h"

#define RET 0xd65f03c0
#define RETAA 0xd65f0bff
#define NOP 0xd503201f
#define PACIASP 0xd503233f
#define AUTIASP 0xd50323bf
#define B 0x1400003c
#define BL 0x97ffffcd
#define CBNZ 0x350000e8
#define ADRP 0xf00000e8
#define MOV_X0_X19 0xaa1303e0
#define MOV_W0_1 0x52800020
#define MOV_LR_X0 0xaa0003fe
#define ADD_SP_32 0x910083ff
#define ADD_SP_256 0x910403ff
#define ADD_SP_69632 0x914047ff
#define SUB_SP_32 0xd10083ff
#define SUB_SP_FP_32 0xd10083bf
#define MOV_SP_FP 0x910003bf
#define MOV_FP_SP 0x910003fd
#define ADD_FP_SP_16 0x910043fd
#define AND_SP_X9 0x927ae53f
#define LDP_FP_LR_16 0xa9417bfd      /* [sp, #16] */
#define LDP_FP_LR_192 0xa94c7bfd     /* [sp, #192] */
#define LDP_FP_LR_POST_32 0xa8c27bfd /* [sp], #32 */
#define LDR_X23_208 0xf9406bf7       /* [sp, #208] */
#define LDR_X19_16 0xf9400bf3        /* [sp, #16] */
#define LDR_LR_POST_16 0xf84107fe    /* [sp], #16 */
#define LDR_LR_X8 0xf940011e         /* [x8] */
#define LDUR_W8_FP 0xb85fc3a8        /* [x29, #-4] */
#define STP_FP_LR_16 0xa9017bfd      /* [sp, #16] */
#define STP_FP_LR_PRE_48 0xa9bd7bfd  /* [sp, #-48]! */
#define STP_X20_X19_32 0xa9024ff4    /* [sp, #32] */
#define STP_D9_D8_PRE_64 0x6dbc23e9  /* [sp, #-64]! */
#define STR_X21_16 0xf9000bf5        /* [sp, #16] */
#define STR_X0_PRE_48 0xf81d0fe0     /* [sp, #-48]! */

#define CODE(...)           \
	(const uint64_t[])  \
	{                   \
		__VA_ARGS__ \
	}
#define COUNT(...) (sizeof(CODE(__VA_ARGS__)) / sizeof(uint64_t))

static struct pyro_edge edge;

static bool same_place(struct pyro_edge_place a, bool by_fp, int off)
{
	return a.by_fp == by_fp && a.off == off;
}

static bool end_at(const uint64_t *code, size_t count, size_t pc, bool sp_rule)
{
	memset(&edge, 0xa5, sizeof(edge));
	return pyro_edge_end(code + pc, pc, count - pc, sp_rule, &edge);
}

static bool begin_at(const uint64_t *code, size_t pc)
{
	memset(&edge, 0xa5, sizeof(edge));
	return pyro_edge_begin(code + pc, pc, &edge);
}

#define END(pc, sp_rule, ...) \
	end_at(CODE(__VA_ARGS__), COUNT(__VA_ARGS__), pc, sp_rule)

static void test_epilogue(void **state)
{
	(void)state;
	for (size_t pc = 0; pc < 4; pc++) {
		assert_true(END(pc, true, LDP_FP_LR_192, LDR_X23_208,
				ADD_SP_256, RET));
		assert_int_equal(edge.ra_saved, pc == 0);
		assert_int_equal(edge.fp_saved, pc == 0);
		if (pc == 0) {
			assert_true(same_place(edge.fp_at, false, 192));
			assert_true(same_place(edge.ra_at, false, 200));
		}
		assert_true(same_place(edge.cfa, false, pc == 3 ? 0 : 256));
	}
	assert_true(END(0, true, MOV_X0_X19, LDUR_W8_FP, LDP_FP_LR_POST_32,
			AUTIASP, RET));
	assert_true(same_place(edge.ra_at, false, 8));
	assert_true(same_place(edge.cfa, false, 32));
	assert_true(END(1, true, LDP_FP_LR_16, ADD_SP_69632, RETAA));
	assert_true(same_place(edge.cfa, false, 69632));
	assert_true(END(0, true, LDR_LR_POST_16, RET));
	assert_false(edge.fp_saved);
	assert_true(edge.ra_saved && same_place(edge.ra_at, false, 0));
	/* A leaf. */
	assert_true(END(0, true, NOP, MOV_W0_1, RET));
	assert_true(!edge.ra_saved && same_place(edge.cfa, false, 0));
}

static void test_epilogue_by_fp(void **state)
{
	(void)state;
	assert_true(
		END(0, false, MOV_SP_FP, LDR_X19_16, LDP_FP_LR_POST_32, RET));
	assert_true(same_place(edge.cfa, true, 32));
	assert_true(same_place(edge.ra_at, true, 8));
	assert_true(END(0, false, SUB_SP_FP_32, LDP_FP_LR_16, ADD_SP_256, RET));
	assert_true(same_place(edge.cfa, true, 224));
	assert_true(same_place(edge.fp_at, true, -16));
	/* fp is the caller's by then. */
	assert_false(END(0, false, LDP_FP_LR_16, MOV_SP_FP, RET));
}

static void test_no_epilogue(void **state)
{
	(void)state;
	assert_false(END(0, true, MOV_X0_X19, BL, LDP_FP_LR_POST_32, RET));
	assert_false(END(0, true, CBNZ, RET));
	assert_false(END(0, true, MOV_LR_X0, RET));
	assert_false(END(0, true, LDR_LR_X8, RET));
	assert_false(END(0, true, AND_SP_X9, RET));
	assert_false(END(0, true, LDP_FP_LR_16)); /* what comes is not known */
	/* Stored, and then loaded. */
	assert_false(END(0, true, STP_FP_LR_PRE_48, LDP_FP_LR_16, RET));
	assert_false(END(0, true, STP_FP_LR_16, LDP_FP_LR_16, RET));
}

static void test_tail_call(void **state)
{
	(void)state;
	for (size_t pc = 0; pc < 4; pc++)
		assert_true(END(pc, false, LDR_X19_16, LDP_FP_LR_POST_32,
				AUTIASP, B));
	assert_true(same_place(edge.cfa, false, 0));
	for (size_t pc = 0; pc < 2; pc++)
		assert_true(END(pc, true, ADD_SP_32, B));
	/* A branch within the function. */
	assert_false(END(0, true, MOV_X0_X19, B));
	assert_false(END(1, true, BL, B));
	assert_false(END(2, true, LDP_FP_LR_POST_32, BL, B));
	/* Arguments of a call are taken off a frame that fp leads to. */
	assert_false(END(1, false, ADD_SP_32, B));
}

static void test_prologue(void **state)
{
	static const uint64_t small[] = {RET, SUB_SP_32, STP_FP_LR_16,
					 ADD_FP_SP_16, NOP};
	static const uint64_t signed_[] = {RET,        NOP,
					   PACIASP,    STP_FP_LR_PRE_48,
					   STR_X21_16, STP_X20_X19_32,
					   MOV_FP_SP,  ADRP};
	static const uint64_t aligned[] = {
		BL, STP_FP_LR_PRE_48, STR_X21_16, MOV_FP_SP, AND_SP_X9, NOP};

	(void)state;
	assert_false(begin_at(small, 0));
	assert_false(begin_at(small, 1));
	for (size_t pc = 2; pc < 4; pc++) {
		assert_true(begin_at(small, pc));
		assert_true(same_place(edge.cfa, false, 32));
		assert_false(edge.ra_saved || edge.fp_saved);
	}
	assert_true(begin_at(small, 4));
	assert_true(same_place(edge.cfa, true, 16));
	assert_true(edge.fp_saved && same_place(edge.fp_at, true, 0));

	assert_false(begin_at(signed_, 3));
	for (size_t pc = 4; pc < 7; pc++) {
		assert_true(begin_at(signed_, pc));
		assert_true(same_place(edge.cfa, false, 48));
	}
	for (size_t pc = 7; pc < 9; pc++) {
		assert_true(begin_at(signed_, pc));
		assert_true(same_place(edge.cfa, true, 48));
		assert_true(edge.fp_saved && same_place(edge.fp_at, true, 0));
	}
	for (size_t pc = 4; pc < 7; pc++) {
		assert_true(begin_at(aligned, pc));
		assert_true(same_place(edge.cfa, true, 48));
	}
	/* Where to, nobody knows. */
	assert_false(begin_at(CODE(SUB_SP_32, AND_SP_X9, NOP), 2));
	/* Frames given up, not made. */
	assert_false(begin_at(CODE(LDP_FP_LR_POST_32, RET), 1));
	assert_false(begin_at(CODE(STP_D9_D8_PRE_64, BL, NOP), 2));
	assert_true(begin_at(CODE(BL, STP_D9_D8_PRE_64, NOP), 2));
	assert_true(same_place(edge.cfa, false, 64));
}

static void test_early(void **state)
{
	(void)state;
	assert_true(
		pyro_edge_is_early(CODE(ADRP, MOV_W0_1, STR_X0_PRE_48), 3, 48));
	assert_false(pyro_edge_is_early(CODE(ADRP, STR_X0_PRE_48), 2, 32));
	assert_false(pyro_edge_is_early(CODE(ADRP, STR_X0_PRE_48), 1, 48));
	assert_true(pyro_edge_is_early(CODE(ADRP, SUB_SP_32), 2, 32));
	assert_false(pyro_edge_is_early(CODE(ADRP, ADD_SP_32), 2, 32));
	assert_false(pyro_edge_is_early(CODE(CBNZ, SUB_SP_32), 2, 32));
}

/* Whatever the instructions are, answers are within what they can add up to. */
static void test_random(void **state)
{
	uint64_t random = 7;
	uint64_t code[2 * PYRO_EDGE_WORDS];
	const int32_t most = PYRO_EDGE_WORDS * (4095 << 12);
	size_t found = 0;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		static const uint64_t some[] = {
			RET,           LDP_FP_LR_POST_32, ADD_SP_256,
			STP_FP_LR_16,  MOV_FP_SP,         SUB_SP_32,
			STR_X0_PRE_48, MOV_SP_FP,
		};

		for (size_t k = 0; k < 2 * PYRO_EDGE_WORDS; k++)
			code[k] = next_random(&random) % 4
					  ? some[next_random(&random) % 8]
					  : (uint32_t)next_random(&random);
		if (!pyro_edge_end(code + PYRO_EDGE_WORDS, PYRO_EDGE_WORDS,
				   PYRO_EDGE_WORDS, i % 2, &edge) &&
		    !pyro_edge_begin(code + PYRO_EDGE_WORDS, PYRO_EDGE_WORDS,
				     &edge))
			continue;
		found++;
		assert_in_range(edge.cfa.off + most, 0, 2 * most);
		assert_in_range(edge.fp_at.off + most, 0, 2 * most);
	}
	assert_true(found > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_epilogue),
		cmocka_unit_test(test_epilogue_by_fp),
		cmocka_unit_test(test_no_epilogue),
		cmocka_unit_test(test_tail_call),
		cmocka_unit_test(test_prologue),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
