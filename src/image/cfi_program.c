// SPDX-License-Identifier: Apache-2.0
/* cfi_program.c - run the programs of CIEs and FDEs and turn states into rules
 *
 * Of the machine's registers only those are followed that a walk carries: the
 * frame pointer, rbx, sp and the return address. Expressions are recognised by
 * their bytes; there are three forms that compilers and linkers emit. */
#include "image/cfi_program.h"

#include <elf.h>

/* Instructions with an operand in their low six bits. */
#define CFA_ADVANCE_LOC 0x40
#define CFA_OFFSET 0x80
#define CFA_RESTORE 0xc0

enum {
	CFA_NOP = 0x00,
	CFA_SET_LOC = 0x01,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_NEGATE_RA_STATE = 0x2d,
	CFA_ARGS_SIZE = 0x2e,
	CFA_NEGATIVE_OFFSET_EXTENDED = 0x2f
};

enum {
	OP_DEREF = 0x06,
	OP_PLUS_UCONST = 0x23,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f
};

#define NONE UINT64_MAX

/* DWARF numbers. */
struct machine {
	uint64_t sp, fp, rbx;
};

static const struct machine x86_64 = {7, 6, 3};
static const struct machine aarch64 = {31, 29, NONE};

static const struct machine *machine_of(const struct pyro_cfi_input *in)
{
	return in->machine == EM_AARCH64 ? &aarch64 : &x86_64;
}

static int followed(const struct pyro_cfi_run *run, uint64_t reg)
{
	const struct machine *m = machine_of(run->in);

	if (reg == run->cie->ra_reg)
		return PYRO_CFI_RA;
	if (reg == m->fp)
		return PYRO_CFI_FP;
	if (reg == m->sp)
		return PYRO_CFI_SP;
	return reg == m->rbx ? PYRO_CFI_RBX : -1;
}

static void set_reg(struct pyro_cfi_run *run, uint64_t reg,
		    enum pyro_cfi_how how, int64_t off)
{
	int i = followed(run, reg);

	if (i >= 0) {
		run->state.how[i] = (uint8_t)how;
		run->state.off[i] = off;
	}
}

static void restore_reg(struct pyro_cfi_run *run, uint64_t reg)
{
	int i = followed(run, reg);

	if (i >= 0) {
		run->state.how[i] = run->cie->initial.how[i];
		run->state.off[i] = run->cie->initial.off[i];
	}
}

/* n in units of the CIE's data alignment; no real offset overflows. */
static int64_t factored(struct pyro_cfi_run *run, int64_t n)
{
	int64_t product;

	if (__builtin_mul_overflow(n, run->cie->data_align, &product)) {
		pyro_reader_fail(&run->program);
		return 0;
	}
	return product;
}

/* No offset is this large: what does not fit is found later. */
static int64_t read_unsigned(struct pyro_cfi_run *run)
{
	return (int64_t)pyro_min(pyro_reader_uleb(&run->program), INT64_MAX);
}

static int64_t read_factored(struct pyro_cfi_run *run)
{
	return factored(run, read_unsigned(run));
}

static int64_t read_factored_sf(struct pyro_cfi_run *run)
{
	return factored(run, pyro_reader_sleb(&run->program));
}

static void set_cfa(struct pyro_cfi_run *run, uint64_t reg, int64_t off)
{
	run->state.cfa = PYRO_CFA_REG;
	run->state.cfa_reg = reg;
	run->state.cfa_off = off;
	run->state.cfa_post = 0;
}

/* These change a part of a CFA that must be a register and an offset. */
static void set_cfa_part(struct pyro_cfi_run *run, const uint64_t *reg,
			 int64_t off)
{
	if (run->state.cfa != PYRO_CFA_REG)
		run->state.cfa = PYRO_CFA_BAD;
	else if (reg)
		run->state.cfa_reg = *reg;
	else
		run->state.cfa_off = off;
}

static struct pyro_reader read_block(struct pyro_reader *r)
{
	uint64_t len = pyro_reader_uleb(r);
	const unsigned char *data = pyro_reader_bytes(r, len);

	if (!data)
		return (struct pyro_reader){r->end, r->end, true};
	return (struct pyro_reader){data, data + len, false};
}

/* What linkers write for a lazy PLT: 8 more once the index has been pushed,
 * which is from byte 11 (10 in an IBT entry) of each 16-byte stub on. */
static bool is_plt(const struct pyro_reader *e, int64_t *from)
{
	static const unsigned char plt[] = {
		0x77, 0x08, /* breg7 8 */
		0x80, 0x00, /* breg16 0 */
		0x3f,       /* lit15 */
		0x1a,       /* and */
		0x3b,       /* lit11 */
		0x2a,       /* ge */
		0x33,       /* lit3 */
		0x24,       /* shl */
		0x22,       /* plus */
	};
	const size_t lit = 6;

	if (pyro_reader_left(e) != sizeof(plt) ||
	    memcmp(e->at, plt, lit) != 0 ||
	    memcmp(e->at + lit + 1, plt + lit + 1, sizeof(plt) - lit - 1) != 0)
		return false;
	if (e->at[lit] != 0x3b && e->at[lit] != 0x3a)
		return false;
	*from = e->at[lit] - 0x30;
	return true;
}

/* Behind a breg sp: 8 times another register is added. */
static bool read_index(struct pyro_reader *e, uint64_t *reg)
{
	static const unsigned char scale[] = {
		0x00, /* the register as it is */
		0x38, /* lit8 */
		0x1e, /* mul */
		0x22, /* plus */
	};
	uint8_t op = pyro_reader_left(e) > 0 ? *e->at : 0;

	if (op < OP_BREG0 || op > OP_BREG31 ||
	    pyro_reader_left(e) <= sizeof(scale) ||
	    memcmp(e->at + 1, scale, sizeof(scale)) != 0)
		return false;
	*reg = op - OP_BREG0;
	pyro_reader_bytes(e, 1 + sizeof(scale));
	return true;
}

/* breg fp or sp; perhaps an index; deref; and perhaps plus_uconst. */
static void set_cfa_expression(struct pyro_cfi_run *run, struct pyro_reader e)
{
	const struct machine *m = machine_of(run->in);
	struct pyro_cfi_state *s = &run->state;

	s->cfa = PYRO_CFA_BAD;
	s->cfa_post = 0;
	if (m == &x86_64 && is_plt(&e, &s->cfa_off)) {
		s->cfa = PYRO_CFA_PLT;
		return;
	}

	uint8_t op = pyro_reader_u8(&e);
	int64_t off = pyro_reader_sleb(&e);
	uint64_t post = 0;
	bool indexed = read_index(&e, &s->cfa_reg);

	if (pyro_reader_u8(&e) != OP_DEREF)
		return;
	if (pyro_reader_left(&e) > 0) {
		if (pyro_reader_u8(&e) != OP_PLUS_UCONST)
			return;
		post = pyro_reader_uleb(&e);
	}
	if (e.failed || pyro_reader_left(&e) > 0 || post > INT16_MAX)
		return;
	if (op == OP_BREG0 + m->fp && !indexed)
		s->cfa = PYRO_CFA_FP_DEREF;
	else if (op == OP_BREG0 + m->sp)
		s->cfa = indexed ? PYRO_CFA_SP_INDEX : PYRO_CFA_SP_DEREF;
	s->cfa_off = off;
	s->cfa_post = (int16_t)post;
}

static void set_reg_expression(struct pyro_cfi_run *run, uint64_t reg,
			       struct pyro_reader e)
{
	uint8_t op = pyro_reader_u8(&e);
	int64_t off = pyro_reader_sleb(&e);

	if (!e.failed && pyro_reader_left(&e) == 0 &&
	    op == OP_BREG0 + machine_of(run->in)->fp)
		set_reg(run, reg, PYRO_CFI_AT_FP, off);
	else
		set_reg(run, reg, PYRO_CFI_OTHER, 0);
}

static void remember(struct pyro_cfi_run *run)
{
	if (run->depth == PYRO_CFI_REMEMBER_MAX)
		pyro_reader_fail(&run->program);
	else
		run->remembered[run->depth++] = run->state;
}

static void restore(struct pyro_cfi_run *run)
{
	if (run->depth == 0)
		pyro_reader_fail(&run->program);
	else
		run->state = run->remembered[--run->depth];
}

/* Instructions that give a location; false when op is none of them. */
static bool move(struct pyro_cfi_run *run, uint8_t op, uint64_t *to)
{
	struct pyro_reader *r = &run->program;
	uint64_t delta;

	switch (op) {
	case CFA_SET_LOC:
		*to = pyro_cfi_read_pointer(run->in, r,
					    run->cie->pointer_encoding);
		return true;
	case CFA_ADVANCE_LOC1:
		delta = pyro_reader_u8(r);
		break;
	case CFA_ADVANCE_LOC2:
		delta = pyro_reader_u16(r);
		break;
	case CFA_ADVANCE_LOC4:
		delta = pyro_reader_u32(r);
		break;
	default:
		if ((op & 0xc0) != CFA_ADVANCE_LOC)
			return false;
		delta = op & 0x3f;
	}
	if (__builtin_mul_overflow(delta, run->cie->code_align, &delta) ||
	    __builtin_add_overflow(run->at, delta, to))
		pyro_reader_fail(r);
	return true;
}

static void set_register_rule(struct pyro_cfi_run *run, uint8_t op)
{
	struct pyro_reader *r = &run->program;
	uint64_t reg = pyro_reader_uleb(r);

	switch (op) {
	case CFA_OFFSET_EXTENDED:
		set_reg(run, reg, PYRO_CFI_AT_CFA, read_factored(run));
		break;
	case CFA_OFFSET_EXTENDED_SF:
		set_reg(run, reg, PYRO_CFI_AT_CFA, read_factored_sf(run));
		break;
	case CFA_NEGATIVE_OFFSET_EXTENDED:
		set_reg(run, reg, PYRO_CFI_AT_CFA,
			factored(run, -read_unsigned(run)));
		break;
	case CFA_RESTORE_EXTENDED:
		restore_reg(run, reg);
		break;
	case CFA_UNDEFINED:
		set_reg(run, reg, PYRO_CFI_UNDEFINED, 0);
		break;
	case CFA_SAME_VALUE:
		set_reg(run, reg, PYRO_CFI_SAME, 0);
		break;
	case CFA_REGISTER:
		set_reg(run, reg, PYRO_CFI_IN_REG, read_unsigned(run));
		break;
	case CFA_EXPRESSION:
		set_reg_expression(run, reg, read_block(r));
		break;
	case CFA_VAL_EXPRESSION:
		read_block(r);
		set_reg(run, reg, PYRO_CFI_OTHER, 0);
		break;
	case CFA_VAL_OFFSET:
	case CFA_VAL_OFFSET_SF:
		pyro_reader_uleb(r);
		set_reg(run, reg, PYRO_CFI_OTHER, 0);
		break;
	default:
		pyro_reader_fail(r);
	}
}

/* An instruction that does not move. */
static void execute(struct pyro_cfi_run *run, uint8_t op)
{
	struct pyro_reader *r = &run->program;
	uint64_t reg;

	switch (op) {
	case CFA_NOP:
	case CFA_NEGATE_RA_STATE: /* return addresses are stripped anyway */
		break;
	case CFA_REMEMBER_STATE:
		remember(run);
		break;
	case CFA_RESTORE_STATE:
		restore(run);
		break;
	case CFA_DEF_CFA:
		reg = pyro_reader_uleb(r);
		set_cfa(run, reg, read_unsigned(run));
		break;
	case CFA_DEF_CFA_SF:
		reg = pyro_reader_uleb(r);
		set_cfa(run, reg, read_factored_sf(run));
		break;
	case CFA_DEF_CFA_REGISTER:
		reg = pyro_reader_uleb(r);
		set_cfa_part(run, &reg, 0);
		break;
	case CFA_DEF_CFA_OFFSET:
		set_cfa_part(run, NULL, read_unsigned(run));
		break;
	case CFA_DEF_CFA_OFFSET_SF:
		set_cfa_part(run, NULL, read_factored_sf(run));
		break;
	case CFA_DEF_CFA_EXPRESSION:
		set_cfa_expression(run, read_block(r));
		break;
	case CFA_ARGS_SIZE:
		pyro_reader_uleb(r);
		break;
	default:
		if ((op & 0xc0) == CFA_OFFSET)
			set_reg(run, op & 0x3f, PYRO_CFI_AT_CFA,
				read_factored(run));
		else if ((op & 0xc0) == CFA_RESTORE)
			restore_reg(run, op & 0x3f);
		else
			set_register_rule(run, op);
	}
}

#define WORD ((int64_t)sizeof(uint64_t))

static bool fits_16(int64_t n)
{
	return n >= INT16_MIN && n <= INT16_MAX;
}

static bool make_cfa(const struct pyro_cfi_run *run, struct pyro_rule *rule)
{
	const struct pyro_cfi_state *s = &run->state;
	const struct machine *m = machine_of(run->in);

	if (s->cfa == PYRO_CFA_BAD || s->cfa_off < INT32_MIN ||
	    s->cfa_off > INT32_MAX)
		return false;
	rule->cfa = s->cfa;
	rule->cfa_off = (int32_t)s->cfa_off;
	rule->post = s->cfa_post;
	if (s->cfa != PYRO_CFA_REG && s->cfa != PYRO_CFA_SP_INDEX)
		return true;
	if (s->cfa == PYRO_CFA_SP_INDEX) {
		rule->reg = (uint8_t)s->cfa_reg;
	} else if (s->cfa_reg == m->sp) {
		rule->cfa = PYRO_CFA_SP;
	} else if (s->cfa_reg == m->fp) {
		rule->cfa = PYRO_CFA_FP;
	} else if (s->cfa_reg == m->rbx) {
		rule->cfa = PYRO_CFA_RBX;
	} else {
		if (s->cfa_reg > UINT8_MAX)
			return false;
		rule->reg = (uint8_t)s->cfa_reg;
	}
	return true;
}

static bool make_return_address(const struct pyro_cfi_run *run,
				struct pyro_rule *rule)
{
	int64_t off = run->state.off[PYRO_CFI_RA];

	switch (run->state.how[PYRO_CFI_RA]) {
	case PYRO_CFI_AT_CFA:
		if (!fits_16(off) && off % WORD == 0) {
			rule->flags |= PYRO_RULE_LARGE;
			off /= WORD;
		}
		break;
	case PYRO_CFI_IN_REG:
		rule->flags |= PYRO_RULE_RA_REG;
		break;
	case PYRO_CFI_SAME:
		/* aarch64 calls leave it in a register of its own. */
		if (run->in->machine != EM_AARCH64)
			return false;
		off = (int64_t)run->cie->ra_reg;
		rule->flags |= PYRO_RULE_RA_REG;
		break;
	default:
		return false;
	}
	rule->ra_off = (int16_t)off;
	return fits_16(off);
}

/* Flags and offset of a saved register. One that cannot be restored does not
 * spoil the rule: many a walk never needs it. */
static void make_saved(const struct pyro_cfi_state *state,
		       enum pyro_cfi_reg reg, const uint8_t flag[3],
		       struct pyro_rule *rule, int16_t *off)
{
	uint8_t how = state->how[reg];
	int64_t unit = rule->flags & PYRO_RULE_LARGE ? WORD : 1;
	int64_t units = state->off[reg] / unit;

	if (how == PYRO_CFI_SAME)
		return;
	if ((how != PYRO_CFI_AT_CFA && how != PYRO_CFI_AT_FP) ||
	    state->off[reg] % unit != 0 || !fits_16(units)) {
		rule->flags |= flag[2];
		return;
	}
	rule->flags |= how == PYRO_CFI_AT_CFA ? flag[0] : flag[1];
	*off = (int16_t)units;
}

static void make_rule(const struct pyro_cfi_run *run, struct pyro_rule *rule)
{
	static const uint8_t fp[] = {PYRO_RULE_FP_SAVED, PYRO_RULE_FP_AT_FP,
				     PYRO_RULE_FP_LOST};
	static const uint8_t rbx[] = {PYRO_RULE_RBX_SAVED, PYRO_RULE_RBX_AT_FP,
				      PYRO_RULE_RBX_LOST};

	*rule = (struct pyro_rule){.cfa = PYRO_CFA_END};
	if (run->cie->is_signal) {
		rule->cfa = PYRO_CFA_SIGNAL;
		return;
	}
	if (run->state.how[PYRO_CFI_RA] == PYRO_CFI_UNDEFINED)
		return;
	/* The caller's sp is the CFA, but where a longjmp is under way. */
	if (run->state.how[PYRO_CFI_SP] != PYRO_CFI_SAME ||
	    !make_cfa(run, rule) || !make_return_address(run, rule)) {
		*rule = (struct pyro_rule){.cfa = PYRO_CFA_BAD};
		return;
	}
	make_saved(&run->state, PYRO_CFI_FP, fp, rule, &rule->fp_off);
	make_saved(&run->state, PYRO_CFI_RBX, rbx, rule, &rule->rbx_off);
}

void pyro_cfi_run_start(struct pyro_cfi_run *run,
			const struct pyro_cfi_input *in,
			const struct pyro_cfi_cie *cie,
			const struct pyro_cfi_fde *fde)
{
	run->in = in;
	run->cie = cie;
	run->program = fde->program;
	run->at = fde->lo;
	run->end = fde->hi;
	run->state = cie->initial;
	run->depth = 0;
}

bool pyro_cfi_run_next(struct pyro_cfi_run *run, uint64_t *lo, uint64_t *hi,
		       struct pyro_rule *rule)
{
	struct pyro_reader *r = &run->program;
	uint64_t to = run->at;

	if (run->at >= run->end)
		return false;
	*lo = run->at;
	while (to == run->at && pyro_reader_left(r) > 0) {
		uint8_t op = pyro_reader_u8(r);

		if (!move(run, op, &to))
			execute(run, op);
	}
	/* Locations only grow. */
	if (r->failed || to < run->at) {
		*rule = (struct pyro_rule){.cfa = PYRO_CFA_BAD};
		*hi = run->at = run->end;
		return true;
	}
	make_rule(run, rule);
	if (to == run->at || to > run->end)
		to = run->end;
	*hi = run->at = to;
	return true;
}
