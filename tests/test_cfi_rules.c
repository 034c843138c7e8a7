// SPDX-License-Identifier: Apache-2.0
/* test_cfi_rules.c - each instruction, encoding and form of CFI by itself
 *
 * Sections are written here byte by byte; what each must mean is in the DWARF
 * standard and in System V's and the linkers' descriptions. */
#include "image/cfi.h"

#include <errno.h>

#include "image_util.h"

#define BASE 0x10000 /* address of the section */
#define TEXT 0x20000

struct section {
	struct pyro_buf b;
	size_t entry; /* where the open one begins */
	bool is_64;
	bool is_debug;
	uint64_t cie;
};

static void put_int(struct section *s, uint64_t value, size_t len)
{
	pyro_buf_put(&s->b, &value, len);
}

static void put_bytes(struct section *s, const char *bytes, size_t len)
{
	pyro_buf_put(&s->b, bytes, len);
}

static void begin(struct section *s)
{
	s->entry = s->b.len;
	if (s->is_64)
		put_int(s, UINT32_MAX, 4);
	put_int(s, 0, s->is_64 ? 8 : 4);
}

static void end(struct section *s)
{
	size_t at = s->entry + (s->is_64 ? 4 : 0);
	size_t size = s->is_64 ? 8 : 4;
	uint64_t len;

	while (s->b.len % 8 != 0)
		put_int(s, 0, 1);
	len = s->b.len - at - size;
	memcpy(s->b.data + at, &len, size);
}

#define BYTES(...)                                          \
	(const char *)(const unsigned char[]){__VA_ARGS__}, \
		sizeof((const unsigned char[]){__VA_ARGS__})

/* CFA = rsp + 8, return address at CFA - 8: what every x86_64 CIE says. */
#define X86_START 0x0c, 7, 8, 0x90, 1

static void put_cie(struct section *s, unsigned version, const char *letters,
		    const char *data, size_t data_len, const char *program,
		    size_t len)
{
	s->cie = s->b.len;
	begin(s);
	put_int(s, s->is_debug ? UINT64_MAX : 0,
		s->is_debug && s->is_64 ? 8 : 4);
	put_int(s, version, 1);
	put_bytes(s, letters, strlen(letters) + 1);
	if (version == 4)
		put_bytes(s, BYTES(8, 0));
	put_bytes(s, BYTES(1, 0x78, 16)); /* code 1, data -8, column 16 */
	if (letters[0] == 'z') {
		put_int(s, data_len, 1);
		put_bytes(s, data, data_len);
	}
	put_bytes(s, program, len);
	end(s);
}

/* "zR" with pcrel sdata4, as compilers write it. */
static void put_usual_cie(struct section *s)
{
	put_cie(s, 1, "zR", BYTES(0x1b), BYTES(X86_START));
}

static void begin_fde(struct section *s)
{
	begin(s);
	if (s->is_debug)
		put_int(s, s->cie, s->is_64 ? 8 : 4);
	else
		put_int(s, s->b.len - s->cie, 4);
}

static void put_fde(struct section *s, uint64_t lo, uint64_t len,
		    const char *program, size_t program_len)
{
	begin_fde(s);
	put_int(s, lo - (BASE + s->b.len), 4);
	put_int(s, len, 4);
	put_int(s, 0, 1); /* no augmentation data */
	put_bytes(s, program, program_len);
	end(s);
}

static struct pyro_unwind_table *build_for(struct section *s, uint16_t machine,
					   uint64_t lo, uint64_t hi)
{
	struct pyro_cfi_input in = {
		.frame_len = s->b.len,
		.frame_vaddr = BASE,
		.is_debug_frame = s->is_debug,
		.machine = machine,
		.lo = lo,
		.hi = hi,
	};
	struct pyro_unwind_table *table;

	assert_false(s->b.failed);
	in.frame = s->b.data;
	assert_int_equal(pyro_cfi_build_from(&in, &table), 0);
	pyro_buf_free(&s->b);
	return table;
}

static struct pyro_unwind_table *build(struct section *s)
{
	return build_for(s, EM_X86_64, TEXT, TEXT + 0x1000);
}

static void check_rule(const struct pyro_unwind_table *t, uint64_t at,
		       struct pyro_rule want)
{
	const struct pyro_rule *got = pyro_unwind_rule(t, TEXT + at);

	assert_non_null(got);
	if (memcmp(got, &want, sizeof(want)) != 0)
		fail_msg("at %#lx: cfa %d%+d reg %d flags %#x fp %d rbx %d "
			 "ra %d post %d, not cfa %d%+d reg %d flags %#x fp %d "
			 "rbx %d ra %d post %d",
			 (unsigned long)at, got->cfa, got->cfa_off, got->reg,
			 got->flags, got->fp_off, got->rbx_off, got->ra_off,
			 got->post, want.cfa, want.cfa_off, want.reg,
			 want.flags, want.fp_off, want.rbx_off, want.ra_off,
			 want.post);
}

/* The rule in force at the end of a program in an FDE of its own. */
static void check_program(const char *program, size_t len,
			  struct pyro_rule want)
{
	struct section s = {.is_64 = false};

	put_usual_cie(&s);
	put_fde(&s, TEXT, 0x100, program, len);

	struct pyro_unwind_table *t = build(&s);

	check_rule(t, 0xff, want);
	check_rule(t, 0x100, (struct pyro_rule){.cfa = PYRO_CFA_GAP});
	pyro_cfi_free(t);
}

#define RULE(kind, ...)                             \
	(struct pyro_rule)                          \
	{                                           \
		.cfa = PYRO_CFA_##kind, __VA_ARGS__ \
	}
#define ONLY(kind) RULE(kind, .cfa_off = 0)
#define SP_AND(off, ...) RULE(SP, .cfa_off = (off), .ra_off = -8, __VA_ARGS__)
#define SP(off) RULE(SP, .cfa_off = (off), .ra_off = -8)

static void test_instructions(void **state)
{
	(void)state;
	check_program(BYTES(0), SP(8));
	/* def_cfa, def_cfa_offset, def_cfa_register */
	check_program(BYTES(0x0e, 0x90, 1), SP(144));
	check_program(BYTES(0x0e, 16, 0x0d, 6),
		      RULE(FP, .cfa_off = 16, .ra_off = -8));
	check_program(BYTES(0x0c, 3, 24),
		      RULE(RBX, .cfa_off = 24, .ra_off = -8));
	check_program(BYTES(0x0c, 10, 0), RULE(REG, .reg = 10, .ra_off = -8));
	/* def_cfa_sf, def_cfa_offset_sf: in units of -8 */
	check_program(BYTES(0x12, 7, 0x7d), SP(24));
	check_program(BYTES(0x13, 0x7c), SP(32));
	/* offset of rbp and rbx, in all their spellings */
	check_program(BYTES(0x86, 2),
		      SP_AND(8, .flags = PYRO_RULE_FP_SAVED, .fp_off = -16));
	check_program(BYTES(0x05, 6, 2),
		      SP_AND(8, .flags = PYRO_RULE_FP_SAVED, .fp_off = -16));
	check_program(BYTES(0x11, 6, 0x7e),
		      SP_AND(8, .flags = PYRO_RULE_FP_SAVED, .fp_off = 16));
	check_program(BYTES(0x2f, 6, 2),
		      SP_AND(8, .flags = PYRO_RULE_FP_SAVED, .fp_off = 16));
	check_program(BYTES(0x83, 3),
		      SP_AND(8, .flags = PYRO_RULE_RBX_SAVED, .rbx_off = -24));
	/* restore: what the CIE said, which is nothing */
	check_program(BYTES(0x86, 2, 0xc6), SP(8));
	check_program(BYTES(0x86, 2, 0x06, 6), SP(8));
	check_program(BYTES(0x86, 2, 0x08, 6), SP(8));
	check_program(BYTES(0x86, 2, 0x07, 6),
		      SP_AND(8, .flags = PYRO_RULE_FP_LOST));
	check_program(BYTES(0x09, 6, 9), SP_AND(8, .flags = PYRO_RULE_FP_LOST));
	check_program(BYTES(0x14, 3, 1),
		      SP_AND(8, .flags = PYRO_RULE_RBX_LOST));
	check_program(BYTES(0x15, 3, 1),
		      SP_AND(8, .flags = PYRO_RULE_RBX_LOST));
	check_program(BYTES(0x16, 3, 1, 0x30),
		      SP_AND(8, .flags = PYRO_RULE_RBX_LOST));
	/* the return address, restored, in rdi, and none */
	check_program(BYTES(0x07, 16, 0xd0), SP(8));
	check_program(BYTES(0x09, 16, 5), RULE(SP, .cfa_off = 8, .ra_off = 5,
					       .flags = PYRO_RULE_RA_REG));
	check_program(BYTES(0x07, 16), ONLY(END));
	check_program(BYTES(0x08, 16), ONLY(BAD));
	/* another sp than the CFA */
	check_program(BYTES(0x09, 7, 8), ONLY(BAD));
	/* GNU_args_size, and registers that nobody follows */
	check_program(BYTES(0x2e, 0x80, 1, 0x8c, 9, 0x0e, 24), SP(24));
	/* what is not known */
	check_program(BYTES(0x3e), ONLY(BAD));
	check_program(BYTES(0x1c), ONLY(BAD));
}

static void test_limits(void **state)
{
	(void)state;
	/* 2^31 and 2^64-1 do not fit the CFA's offset, 2^31-1 does */
	check_program(BYTES(0x0e, 0x80, 0x80, 0x80, 0x80, 8), ONLY(BAD));
	check_program(BYTES(0x0e, 0xff, 0xff, 0xff, 0xff, 7), SP(INT32_MAX));
	check_program(BYTES(0x0e, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			    0xff, 0xff, 1),
		      ONLY(BAD));
	/* a LEB128 of eleven bytes */
	check_program(BYTES(0x0e, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			    0x80, 0x80, 0x80, 0),
		      ONLY(BAD));
	/* rbp too far away is lost, a return address is found in words; one too
	 * far away for that is BAD */
	check_program(
		BYTES(0x86, 0x80, 0x20),
		SP_AND(8, .flags = PYRO_RULE_FP_SAVED, .fp_off = INT16_MIN));
	check_program(BYTES(0x86, 0x81, 0x20),
		      SP_AND(8, .flags = PYRO_RULE_FP_LOST));
	check_program(BYTES(0x90, 0x81, 0x20),
		      RULE(SP, .cfa_off = 8, .ra_off = -4097,
			   .flags = PYRO_RULE_LARGE));
	check_program(BYTES(0x90, 0x81, 0x20, 0x86, 0x82, 0x20),
		      RULE(SP, .cfa_off = 8, .ra_off = -4097, .fp_off = -4098,
			   .flags = PYRO_RULE_LARGE | PYRO_RULE_FP_SAVED));
	check_program(BYTES(0x90, 0x80, 0x80, 0x02, 0x86, 0x81, 0x80, 0x02),
		      RULE(SP, .cfa_off = 8, .ra_off = INT16_MIN,
			   .flags = PYRO_RULE_LARGE | PYRO_RULE_FP_LOST));
	check_program(BYTES(0x90, 0x81, 0x80, 0x02), ONLY(BAD));
	/* an offset whose multiple does not fit 64 bits */
	check_program(BYTES(0x86, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			    0xff, 0x7f),
		      ONLY(BAD));
	/* restore_state without remember_state */
	check_program(BYTES(0x0b), ONLY(BAD));
	/* a register number that no byte holds */
	check_program(BYTES(0x0c, 0x80, 2, 0), ONLY(BAD));
}

static void test_expressions(void **state)
{
	(void)state;
	check_program(BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2a,
			    0x33, 0x24, 0x22),
		      RULE(PLT, .cfa_off = 11, .ra_off = -8));
	check_program(BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3a, 0x2a,
			    0x33, 0x24, 0x22),
		      RULE(PLT, .cfa_off = 10, .ra_off = -8));
	/* the same length, other contents */
	check_program(BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x39, 0x2a,
			    0x33, 0x24, 0x22),
		      ONLY(BAD));
	check_program(BYTES(0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x3b, 0x2b,
			    0x33, 0x24, 0x22),
		      ONLY(BAD));
	check_program(BYTES(0x0f, 3, 0x76, 0x78, 0x06),
		      RULE(FP_DEREF, .cfa_off = -8, .ra_off = -8));
	check_program(BYTES(0x0f, 6, 0x77, 0xd0, 0, 0x06, 0x23, 8),
		      RULE(SP_DEREF, .cfa_off = 80, .ra_off = -8, .post = 8));
	/* breg7 8; breg9 0; lit8; mul; plus; deref; plus_uconst 8 */
	check_program(BYTES(0x0f, 10, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06,
			    0x23, 8),
		      RULE(SP_INDEX, .cfa_off = 8, .reg = 9, .ra_off = -8,
			   .post = 8));
	/* the index without, or with another scale, an offset, no sp */
	check_program(BYTES(0x0f, 6, 0x77, 8, 0x79, 0, 0x22, 0x06), ONLY(BAD));
	check_program(BYTES(0x0f, 8, 0x77, 8, 0x79, 0, 0x34, 0x1e, 0x22, 0x06),
		      ONLY(BAD));
	check_program(BYTES(0x0f, 8, 0x77, 8, 0x79, 1, 0x38, 0x1e, 0x22, 0x06),
		      ONLY(BAD));
	check_program(BYTES(0x0f, 8, 0x76, 8, 0x79, 0, 0x38, 0x1e, 0x22, 0x06),
		      ONLY(BAD));
	check_program(BYTES(0x0f, 7, 0x77, 8, 0x79, 0, 0x38, 0x1e, 0x22),
		      ONLY(BAD));
	check_program(BYTES(0x0f, 3, 0x7a, 0, 0x06), ONLY(BAD));
	check_program(BYTES(0x0f, 2, 0x77, 8), ONLY(BAD));
	check_program(BYTES(0x0f, 0), ONLY(BAD));
	/* plus_uconst 65536; something behind it */
	check_program(BYTES(0x0f, 7, 0x77, 8, 0x06, 0x23, 0x80, 0x80, 4),
		      ONLY(BAD));
	check_program(BYTES(0x0f, 6, 0x77, 8, 0x06, 0x23, 8, 0x96), ONLY(BAD));
	/* longer than the entry */
	check_program(BYTES(0x0f, 100, 0x77, 8), ONLY(BAD));
	/* an offset cannot change an expression; def_cfa replaces it */
	check_program(BYTES(0x0f, 3, 0x76, 0x78, 0x06, 0x0e, 8), ONLY(BAD));
	check_program(BYTES(0x0f, 3, 0x76, 0x78, 0x06, 0x0c, 7, 8), SP(8));
	/* saved registers of DRAP frames */
	check_program(BYTES(0x10, 6, 2, 0x76, 0),
		      SP_AND(8, .flags = PYRO_RULE_FP_AT_FP));
	check_program(BYTES(0x10, 3, 2, 0x76, 0x70),
		      SP_AND(8, .flags = PYRO_RULE_RBX_AT_FP, .rbx_off = -16));
	check_program(BYTES(0x10, 6, 2, 0x77, 0),
		      SP_AND(8, .flags = PYRO_RULE_FP_LOST));
	check_program(BYTES(0x10, 6, 3, 0x76, 0, 0x06),
		      SP_AND(8, .flags = PYRO_RULE_FP_LOST));
	check_program(BYTES(0x10, 16, 2, 0x76, 8), ONLY(BAD));
}

static void test_rows(void **state)
{
	struct section s = {.is_64 = false};

	(void)state;
	put_usual_cie(&s);
	/* advance_loc, _loc1, _loc2, _loc4, and set_loc to the section + x */
	put_fde(&s, TEXT, 0x400,
		BYTES(0x41, 0x0e, 16, 0x02, 0x0f, 0x0e, 24, 0x03, 0xf0, 0, 0x0e,
		      32, 0x04, 0, 1, 0, 0, 0x0e, 40));

	struct pyro_unwind_table *t = build(&s);

	check_rule(t, 0, SP(8));
	check_rule(t, 1, SP(16));
	check_rule(t, 0xf, SP(16));
	check_rule(t, 0x10, SP(24));
	check_rule(t, 0xff, SP(24));
	check_rule(t, 0x100, SP(32));
	check_rule(t, 0x1ff, SP(32));
	check_rule(t, 0x200, SP(40));
	check_rule(t, 0x3ff, SP(40));
	check_rule(t, 0x400, ONLY(GAP));
	assert_int_equal(t->row_count, 6);
	pyro_cfi_free(t);

	/* After a bad instruction, the rest is BAD; what came before is not. */
	put_usual_cie(&s);
	put_fde(&s, TEXT, 0x100, BYTES(0x41, 0x0e, 16, 0x41, 0x3e));
	t = build(&s);
	check_rule(t, 1, SP(16));
	check_rule(t, 2, ONLY(BAD));
	check_rule(t, 0xff, ONLY(BAD));
	pyro_cfi_free(t);
}

static void test_remember(void **state)
{
	struct section s = {.is_64 = false};
	struct pyro_buf p = {.len = 0};
	const unsigned depth = 8;

	(void)state;
	for (unsigned i = 0; i < depth; i++) {
		unsigned char in[] = {0x0e, (unsigned char)(16 + 8 * i), 0x0a,
				      0x41};
		pyro_buf_put(&p, in, sizeof(in));
	}
	pyro_buf_put(&p, "\x0e\x7f", 2);
	for (unsigned i = 0; i < depth; i++)
		pyro_buf_put(&p, "\x41\x0b", 2);
	put_usual_cie(&s);
	put_fde(&s, TEXT, 0x100, (const char *)p.data, p.len);

	struct pyro_unwind_table *t = build(&s);

	for (unsigned i = 0; i < depth; i++) {
		check_rule(t, i, SP(16 + 8 * (int)i));
		check_rule(t, 2 * depth - i, SP(16 + 8 * (int)i));
	}
	check_rule(t, depth, SP(127));
	pyro_cfi_free(t);
	pyro_buf_free(&p);
}

/* The same CIE and FDE in every clothing. */
static void check_clothing(struct section *s, unsigned version,
			   uint8_t encoding, size_t size)
{
	const bool is_pcrel = (encoding & 0x70) == 0x10;

	put_cie(s, version, version == 1 || !s->is_debug ? "zR" : "",
		BYTES(encoding), BYTES(X86_START));
	begin_fde(s);
	put_int(s, is_pcrel ? TEXT - (BASE + s->b.len) : TEXT, size);
	put_int(s, 0x100, size);
	if (!s->is_debug)
		put_int(s, 0, 1);
	put_bytes(s, BYTES(0x41, 0x0e, 16));
	end(s);

	struct pyro_unwind_table *t = build(s);

	check_rule(t, 0, SP(8));
	check_rule(t, 1, SP(16));
	check_rule(t, 0x100, ONLY(GAP));
	pyro_cfi_free(t);
}

static void test_clothing(void **state)
{
	static const struct {
		uint8_t encoding;
		size_t size;
	} encodings[] = {
		{0x00, 8}, {0x03, 4}, {0x04, 8}, {0x0b, 4}, {0x0c, 8},
		{0x10, 8}, {0x13, 4}, {0x1b, 4}, {0x1c, 8},
	};
	struct section s = {.is_64 = false};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(encodings); i++)
		for (unsigned is_64 = 0; is_64 < 2; is_64++) {
			s.is_64 = is_64;
			for (unsigned version = 1; version <= 4; version++)
				if (version != 2)
					check_clothing(&s, version,
						       encodings[i].encoding,
						       encodings[i].size);
		}
	s.is_debug = true;
	for (unsigned is_64 = 0; is_64 < 2; is_64++) {
		s.is_64 = is_64;
		check_clothing(&s, 3, 0, 8);
		check_clothing(&s, 4, 0, 8);
	}
}

static void test_other_encodings(void **state)
{
	struct section s = {.is_64 = false};
	struct pyro_unwind_table *t;

	(void)state;
	/* datarel, with another base for this input */
	put_cie(&s, 1, "zR", BYTES(0x3b), BYTES(X86_START));
	begin_fde(&s);
	put_int(&s, 0x123, 4);
	put_int(&s, 0x10, 4);
	put_bytes(&s, BYTES(0));
	end(&s);

	struct pyro_cfi_input in = {
		.frame = s.b.data,
		.frame_len = s.b.len,
		.frame_vaddr = BASE,
		.data_base = TEXT,
		.machine = EM_X86_64,
		.lo = TEXT,
		.hi = TEXT + 0x1000,
	};

	assert_int_equal(pyro_cfi_build_from(&in, &t), 0);
	check_rule(t, 0x122, ONLY(GAP));
	check_rule(t, 0x123, SP(8));
	pyro_cfi_free(t);
	in.data_base = 0;
	assert_int_equal(pyro_cfi_build_from(&in, &t), -EBADMSG);
	pyro_buf_free(&s.b);

	/* uleb128, and udata2 relative to the section */
	put_cie(&s, 1, "zR", BYTES(0x01), BYTES(X86_START));
	begin_fde(&s);
	put_bytes(&s, BYTES(0x80, 0x80, 0x08, 0x80, 0x02, 0));
	end(&s);
	put_cie(&s, 1, "zR", BYTES(0x12), BYTES(X86_START));
	begin_fde(&s);
	put_int(&s, TEXT - 0x8000 - (BASE + s.b.len), 2);
	put_int(&s, 0x9000, 2);
	put_bytes(&s, BYTES(0));
	end(&s);
	t = build(&s);
	check_rule(t, 0, SP(8));
	pyro_cfi_free(t);

	/* P, whatever it is; L; and B, with instructions behind them */
	put_cie(&s, 1, "zPLRB", BYTES(0x9b, 1, 2, 3, 4, 0x1b, 0x1b),
		BYTES(X86_START, 0x2d));
	put_fde(&s, TEXT, 0x100, BYTES(0x0e, 16));
	put_cie(&s, 1, "zPR", BYTES(0xff, 0x1b), BYTES(X86_START));
	put_fde(&s, TEXT + 0x100, 0x100, BYTES(0x0e, 24));
	/* S */
	put_cie(&s, 1, "zRS", BYTES(0x1b), BYTES(X86_START));
	put_fde(&s, TEXT + 0x200, 0x100, BYTES(0x0e, 32));
	/* no known kind: a letter, a version, an indirect address */
	put_cie(&s, 1, "zXR", BYTES(0x1b), BYTES(X86_START));
	put_fde(&s, TEXT + 0x300, 0x100, BYTES(0));
	put_cie(&s, 2, "zR", BYTES(0x1b), BYTES(X86_START));
	put_fde(&s, TEXT + 0x300, 0x100, BYTES(0));
	put_cie(&s, 1, "zR", BYTES(0x9b), BYTES(X86_START));
	put_fde(&s, TEXT + 0x300, 0x100, BYTES(0));
	/* a CIE that does not say what the CFA is; one that cannot be run */
	put_cie(&s, 1, "zR", BYTES(0x1b), BYTES(0x90, 1));
	put_fde(&s, TEXT + 0x400, 0x100, BYTES(0));
	put_cie(&s, 1, "zR", BYTES(0x1b), BYTES(X86_START, 0x3e));
	put_fde(&s, TEXT + 0x500, 0x100, BYTES(0));
	t = build(&s);
	check_rule(t, 0, SP(16));
	check_rule(t, 0x100, SP(24));
	check_rule(t, 0x200, ONLY(SIGNAL));
	check_rule(t, 0x300, ONLY(GAP));
	check_rule(t, 0x400, ONLY(BAD));
	check_rule(t, 0x500, ONLY(BAD));
	pyro_cfi_free(t);
}

static void test_order(void **state)
{
	struct section s = {.is_64 = false};

	(void)state;
	put_usual_cie(&s);
	put_fde(&s, TEXT + 0x300, 0x100, BYTES(0x0e, 16));
	/* a terminator within, as old start files leave it */
	put_int(&s, 0, 4);
	put_int(&s, 0, 4);
	put_fde(&s, TEXT + 0x100, 0x100, BYTES(0x0e, 24));
	/* begins inside the one before: loses what they share */
	put_fde(&s, TEXT + 0x180, 0x100, BYTES(0x0e, 32, 0x02, 0xc0, 0x0e, 40));
	/* wholly inside */
	put_fde(&s, TEXT + 0x340, 0x10, BYTES(0x0e, 48));
	/* 15 bytes of padding, and 16 that are a gap */
	put_fde(&s, TEXT + 0x40f, 0x10, BYTES(0x0e, 56));
	put_fde(&s, TEXT + 0x42f, 0x10, BYTES(0x0e, 64));
	/* outside, and around the end */
	put_fde(&s, TEXT - 0x200, 0x200, BYTES(0x0e, 72));
	put_fde(&s, TEXT + 0xff0, 0x100, BYTES(0x0e, 80));
	/* the size of nothing */
	put_fde(&s, TEXT + 0x800, 0, BYTES(0x0e, 88));

	struct pyro_unwind_table *t = build(&s);

	check_rule(t, 0, ONLY(GAP));
	check_rule(t, 0xff, ONLY(GAP));
	check_rule(t, 0x100, SP(24));
	check_rule(t, 0x1ff, SP(24));
	check_rule(t, 0x200, SP(32));
	check_rule(t, 0x23f, SP(32));
	check_rule(t, 0x240, SP(40));
	check_rule(t, 0x27f, SP(40));
	check_rule(t, 0x280, ONLY(GAP));
	check_rule(t, 0x300, SP(16));
	check_rule(t, 0x345, SP(16));
	check_rule(t, 0x3ff, SP(16));
	check_rule(t, 0x40e, SP(16));
	check_rule(t, 0x40f, SP(56));
	check_rule(t, 0x41f, ONLY(GAP));
	check_rule(t, 0x42e, ONLY(GAP));
	check_rule(t, 0x42f, SP(64));
	check_rule(t, 0x800, ONLY(GAP));
	check_rule(t, 0xfff, SP(80));
	assert_null(pyro_unwind_rule(t, TEXT - 1));
	assert_null(pyro_unwind_rule(t, TEXT + 0x1000));
	pyro_cfi_free(t);
}

/* Rows are carried over the borders of pages. */
static void test_pages(void **state)
{
	struct section s = {.is_64 = false};

	(void)state;
	put_usual_cie(&s);
	put_fde(&s, TEXT + 0x8000, 0x30000,
		BYTES(0x0e, 16, 0x04, 0, 0, 2, 0, 0x0e, 24));

	struct pyro_unwind_table *t =
		build_for(&s, EM_X86_64, TEXT + 0x1234, TEXT + 0x65432);

	check_rule(t, 0x1234, ONLY(GAP));
	check_rule(t, 0x7fff, ONLY(GAP));
	for (uint64_t at = 0x8000; at < 0x28000; at += 0x7ff)
		check_rule(t, at, SP(16));
	check_rule(t, 0x27fff, SP(16));
	for (uint64_t at = 0x28000; at < 0x38000; at += 0x7ff)
		check_rule(t, at, SP(24));
	for (uint64_t at = 0x38000; at < 0x65432; at += 0x7ff)
		check_rule(t, at, ONLY(GAP));
	assert_int_equal(t->page_count, 7);
	assert_int_equal(t->row_count, 7 + 3);
	assert_null(pyro_unwind_rule(t, TEXT + 0x1233));
	assert_null(pyro_unwind_rule(t, TEXT + 0x65432));
	pyro_cfi_free(t);
}

static void test_too_many_rules(void **state)
{
	struct section s = {.is_64 = false};
	struct pyro_buf p = {.len = 0};
	const unsigned rules = 66000;

	(void)state;
	for (unsigned i = 0; i < rules; i++) {
		unsigned char row[] = {
			0x0e,
			(unsigned char)(0x80 | (i & 127)),
			(unsigned char)(0x80 | (i >> 7 & 127)),
			(unsigned char)(0x08 | i >> 14),
			0x41,
		};
		pyro_buf_put(&p, row, sizeof(row));
	}
	put_usual_cie(&s);
	put_fde(&s, TEXT, rules, (const char *)p.data, p.len);

	struct pyro_unwind_table *t =
		build_for(&s, EM_X86_64, TEXT, TEXT + rules);

	/* Two are taken by GAP and BAD. */
	assert_int_equal(t->rule_count, 65535);
	check_rule(t, 0, SP(0x20000));
	check_rule(t, 65532, SP(0x20000 + 65532));
	check_rule(t, 65533, ONLY(BAD));
	check_rule(t, rules - 1, ONLY(BAD));
	pyro_cfi_free(t);
	pyro_buf_free(&p);
}

static void put_arm_cie(struct section *s)
{
	s->cie = s->b.len;
	begin(s);
	put_bytes(s, BYTES(0, 0, 0, 0, 1, 'z', 'R', 0, 4, 0x78, 30, 1, 0x1b,
			   0x0c, 31, 0));
	end(s);
}

static void test_aarch64(void **state)
{
	struct section s = {.is_64 = false};

	(void)state;
	put_arm_cie(&s);
	put_fde(&s, TEXT, 0x40,
		BYTES(0x2d, 0x41, 0x0e, 32, 0x9d, 4, 0x9e, 3, 0x41, 0x0d, 29,
		      0x41, 0x0c, 31, 0, 0xdd, 0xde, 0x41, 0x07, 30));

	struct pyro_unwind_table *t =
		build_for(&s, EM_AARCH64, TEXT, TEXT + 0x1000);

	check_rule(t, 0, RULE(SP, .ra_off = 30, .flags = PYRO_RULE_RA_REG));
	check_rule(t, 4,
		   RULE(SP, .cfa_off = 32, .ra_off = -24, .fp_off = -32,
			.flags = PYRO_RULE_FP_SAVED));
	check_rule(t, 8,
		   RULE(FP, .cfa_off = 32, .ra_off = -24, .fp_off = -32,
			.flags = PYRO_RULE_FP_SAVED));
	check_rule(t, 12, RULE(SP, .ra_off = 30, .flags = PYRO_RULE_RA_REG));
	check_rule(t, 16, ONLY(END));
	check_rule(t, 0x40, ONLY(GAP));
	pyro_cfi_free(t);
}

static void test_nothing(void **state)
{
	struct pyro_cfi_input in = {
		.frame = (const unsigned char *)"",
		.machine = EM_X86_64,
		.lo = TEXT,
		.hi = TEXT + 1,
	};
	struct pyro_unwind_table *t;

	(void)state;
	assert_int_equal(pyro_cfi_build_from(&in, &t), -EBADMSG);
	assert_null(t);
	in.lo = in.hi;
	assert_int_equal(pyro_cfi_build_from(&in, &t), -EBADMSG);
	in.lo = 0;
	in.hi = UINT64_MAX;
	assert_int_equal(pyro_cfi_build_from(&in, &t), -EBADMSG);
	pyro_cfi_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_remember),
		cmocka_unit_test(test_clothing),
		cmocka_unit_test(test_other_encodings),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_too_many_rules),
		cmocka_unit_test(test_aarch64),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
