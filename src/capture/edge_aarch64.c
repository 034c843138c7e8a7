// SPDX-License-Identifier: Apache-2.0
/* edge_aarch64.c - follow a few instructions to a return, or back to an entry
 *
 * Only what compilers write there is known: sp changed by constants, registers
 * stored to and loaded from the stack, and instructions that touch neither sp
 * nor fp nor lr. Anything else, a branch above all, ends the search without an
 * answer. Encodings: Arm Architecture Reference Manual, C4. */
#include "capture/edge_aarch64.h"

enum {
	FP = 29,
	LR = 30,
	SP = 31
};

/* What one instruction does, as far as it matters. */
enum kind {
	OTHER,   /* not understood, or leaves the straight line */
	NEUTRAL, /* touches none of sp, fp, lr */
	HINT,    /* nop, bti, paciasp, autiasp */
	REALIGN, /* sp = a register & mask */
	MOVE,    /* sp or fp = sp or fp + off */
	LOAD,    /* one or two registers, by sp */
	STORE,
	RETURN,
	JUMP /* b: a tail call, perhaps */
};

struct insn {
	enum kind kind;
	uint8_t reg[2];   /* loaded or stored; of MOVE: to and from */
	uint8_t bytes;    /* of one register */
	bool is_general;  /* not of the vector registers */
	int32_t off;      /* of the access; of MOVE what is added */
	int32_t sp_after; /* what the access adds to sp beside */
};

static unsigned bits(uint32_t code, unsigned lo, unsigned count)
{
	return code >> lo & ((1u << count) - 1);
}

static int32_t signed_bits(uint32_t code, unsigned lo, unsigned count)
{
	int32_t value = (int32_t)bits(code, lo, count);

	return value >= 1 << (count - 1) ? value - (1 << count) : value;
}

static bool is_special(unsigned reg)
{
	return reg == FP || reg == LR;
}

/* add and sub of a constant to sp or fp. */
static struct insn decode_move(uint32_t code)
{
	struct insn in = {
		.kind = MOVE,
		.reg = {(uint8_t)bits(code, 0, 5), (uint8_t)bits(code, 5, 5)},
		.off = (int32_t)(bits(code, 10, 12)
				 << (bits(code, 22, 1) ? 12 : 0)),
	};

	if (bits(code, 30, 1))
		in.off = -in.off;
	if ((in.reg[0] != SP && in.reg[0] != FP) ||
	    (in.reg[1] != SP && in.reg[1] != FP))
		in.kind = in.reg[0] == SP || is_special(in.reg[0]) ? OTHER
								   : NEUTRAL;
	return in;
}

/* ldp and stp, of x or of vector registers. */
static struct insn decode_pair(uint32_t code)
{
	unsigned opc = bits(code, 30, 2), mode = bits(code, 23, 2);
	bool vector = bits(code, 26, 1);
	struct insn in = {
		.kind = bits(code, 22, 1) ? LOAD : STORE,
		.reg = {(uint8_t)bits(code, 0, 5), (uint8_t)bits(code, 10, 5)},
		.bytes = (uint8_t)(vector     ? 4u << opc
				   : opc == 2 ? 8
					      : 4),
		.is_general = !vector,
	};
	int32_t off = signed_bits(code, 15, 7) * in.bytes;

	if (bits(code, 5, 5) != SP) {
		bool writes_back = (mode & 1) && is_special(bits(code, 5, 5));

		in.kind = writes_back || (in.kind == LOAD && in.is_general &&
					  (is_special(in.reg[0]) ||
					   is_special(in.reg[1])))
				  ? OTHER
				  : NEUTRAL;
		return in;
	}
	in.off = mode == 1 ? 0 : off; /* post-index: where sp is */
	in.sp_after = mode & 1 ? off : 0;
	return in;
}

/* ldr and str of one register: by an unsigned offset, else by a signed one that
 * may be written back. */
static struct insn decode_single(uint32_t code)
{
	bool vector = bits(code, 26, 1), scaled = bits(code, 24, 1);
	unsigned size = bits(code, 30, 2), opc = bits(code, 22, 2);
	unsigned mode = scaled ? 0 : bits(code, 10, 2);
	unsigned reg = bits(code, 0, 5), base = bits(code, 5, 5);
	unsigned shift = vector && (opc & 2) ? 4 : size;
	struct insn in = {
		.kind = (vector ? opc & 1 : opc != 0) ? LOAD : STORE,
		.reg = {(uint8_t)reg, SP},
		.bytes = (uint8_t)(1u << shift),
		.is_general = !vector,
	};
	int32_t off = scaled ? (int32_t)(bits(code, 10, 12) << shift)
			     : signed_bits(code, 12, 9);

	/* A register as offset, atomics; mode 2 is for other privileges. */
	if (!scaled && (bits(code, 21, 1) || mode == 2))
		mode = 4;
	if (base == SP && mode != 4) {
		in.off = mode == 1 ? 0 : off;
		in.sp_after = mode & 1 ? off : 0;
		return in;
	}
	in.kind =
		mode == 4 || ((mode & 1) && is_special(base)) ||
				(in.kind == LOAD && !vector && is_special(reg))
			? OTHER
			: NEUTRAL;
	return in;
}

/* Computations: they write the register that their lowest bits name, which for
 * some is sp. (Of those that write none, as comparisons, bits of a condition may
 * be taken for one.) */
static enum kind kind_of_computation(uint32_t code)
{
	unsigned to = bits(code, 0, 5);
	bool immediate = (code & 0x1c000000) == 0x10000000;
	bool may_be_sp =
		(code & 0x3f800000) == 0x11000000 || /* add, sub */
		((code & 0x1f800000) == 0x12000000 &&
		 bits(code, 29, 2) != 3) ||        /* and, orr, eor */
		(code & 0x3f200000) == 0x0b200000; /* extended register */

	if (!immediate && (code & 0x0e000000) != 0x0a000000 &&
	    (code & 0x0e000000) != 0x0e000000)
		return OTHER;
	return is_special(to) || (to == SP && may_be_sp) ? OTHER : NEUTRAL;
}

static struct insn decode(uint32_t code)
{
	if ((code & 0xbf800000) == 0x91000000)
		return decode_move(code);
	if ((code & 0xfffff01f) == 0xd503201f)
		return (struct insn){.kind = HINT};
	if (code == 0xd65f03c0 || (code & 0xfffffbff) == 0xd65f0bff)
		return (struct insn){.kind = RETURN}; /* ret, retaa, retab */
	if ((code & 0xfc000000) == 0x14000000)
		return (struct insn){.kind = JUMP};
	if ((code & 0x3a000000) == 0x28000000)
		return decode_pair(code);
	if ((code & 0x3a000000) == 0x38000000)
		return decode_single(code);
	if ((code & 0xff80001f) == 0x9200001f)
		return (struct insn){.kind = REALIGN};
	return (struct insn){.kind = kind_of_computation(code)};
}

/* Where the registers will have come from when the function returns. */
struct ending {
	struct pyro_edge *edge;
	struct pyro_edge_place sp;
	bool raised; /* sp was, so that the frame is given up */
};

static bool end_by_load(struct ending *e, const struct insn *in)
{
	for (size_t i = 0; i < 2 && in->is_general; i++) {
		struct pyro_edge_place at = {
			e->sp.by_fp,
			e->sp.off + in->off + (int32_t)(i * sizeof(uint64_t)),
		};

		if (!is_special(in->reg[i]))
			continue;
		if (in->bytes != sizeof(uint64_t))
			return false;
		if (in->reg[i] == FP) {
			e->edge->fp_saved = true;
			e->edge->fp_at = at;
		} else {
			e->edge->ra_saved = true;
			e->edge->ra_at = at;
		}
	}
	e->sp.off += in->sp_after;
	e->raised |= in->sp_after > 0;
	return true;
}

static bool end_by_move(struct ending *e, const struct insn *in)
{
	if (in->reg[0] != SP || (in->reg[1] == FP && e->edge->fp_saved))
		return false;
	if (in->reg[1] == FP)
		e->sp = (struct pyro_edge_place){true, 0};
	e->sp.off += in->off;
	e->raised |= in->off > 0;
	return true;
}

/* Has what stands right in front given the frame up? */
static bool is_given_up(const uint64_t *code, size_t before, bool sp_rule)
{
	for (size_t i = 1; i <= before; i++) {
		struct insn in = decode((uint32_t)code[-(ptrdiff_t)i]);

		if (in.kind == LOAD && in.is_general &&
		    (in.reg[0] == LR || in.reg[1] == LR))
			return true;
		if (sp_rule &&
		    ((in.kind == MOVE && in.reg[0] == SP && in.off > 0) ||
		     (in.kind == LOAD && in.sp_after > 0)))
			return true;
		if (in.kind != LOAD && in.kind != MOVE && in.kind != HINT)
			return false;
	}
	return false;
}

bool pyro_edge_end(const uint64_t *code, size_t before, size_t after,
		   bool sp_rule, struct pyro_edge *edge)
{
	struct ending e = {.edge = edge};

	*edge = (struct pyro_edge){0};
	for (size_t i = 0; i < after; i++) {
		struct insn in = decode((uint32_t)code[i]);

		edge->cfa = e.sp;
		if (in.kind == RETURN)
			return true;
		if (in.kind == JUMP)
			return edge->ra_saved || (sp_rule && e.raised) ||
			       is_given_up(code, before, sp_rule);
		if (in.kind == OTHER || in.kind == REALIGN ||
		    (in.kind == LOAD && !end_by_load(&e, &in)) ||
		    (in.kind == MOVE && !end_by_move(&e, &in)) ||
		    /* What it stores is not there yet to be loaded. */
		    (in.kind == STORE &&
		     (in.sp_after ||
		      (in.is_general &&
		       (is_special(in.reg[0]) || is_special(in.reg[1]))))))
			return false;
	}
	return false;
}

/* Where fp was stored, if it was by this instruction: sp is at `at` after it. */
static void begin_by_store(struct pyro_edge *edge, const struct insn *in,
			   struct pyro_edge_place at)
{
	for (size_t i = 0; i < 2 && in->is_general; i++) {
		if (in->reg[i] != FP)
			continue;
		edge->fp_saved = true;
		edge->fp_at = at;
		edge->fp_at.off += in->off - in->sp_after +
				   (int32_t)(i * sizeof(uint64_t));
	}
}

bool pyro_edge_begin(const uint64_t *code, size_t before,
		     struct pyro_edge *edge)
{
	struct pyro_edge_place at = {false, 0}; /* sp, before what was seen */
	bool realigned = false;

	*edge = (struct pyro_edge){0};
	for (size_t i = 1; i <= before; i++) {
		struct insn in = decode((uint32_t)code[-(ptrdiff_t)i]);

		if (in.kind == STORE && in.sp_after <= 0) {
			/* Before fp is set, it is the caller's. */
			if (at.by_fp)
				begin_by_store(edge, &in, at);
			at.off -= in.sp_after;
		} else if (in.kind == MOVE && in.reg[1] == SP &&
			   in.reg[0] == SP && in.off < 0) {
			at.off -= in.off;
		} else if (in.kind == MOVE && in.reg[1] == SP &&
			   in.reg[0] == FP && !at.by_fp) {
			at = (struct pyro_edge_place){true, -in.off};
		} else if (in.kind == REALIGN && !at.by_fp) {
			realigned = true;
		} else if (in.kind != HINT && in.kind != NEUTRAL) {
			break;
		}
	}
	edge->cfa = at;
	return at.by_fp ? edge->fp_saved : at.off > 0 && !realigned;
}

bool pyro_edge_is_early(const uint64_t *code, size_t after, int32_t size)
{
	for (size_t i = 0; i < after; i++) {
		struct insn in = decode((uint32_t)code[i]);

		if (in.kind == STORE && in.sp_after)
			return in.sp_after == -size;
		if (in.kind == MOVE)
			return in.reg[0] == SP && in.reg[1] == SP &&
			       in.off == -size;
		if (in.kind != NEUTRAL && in.kind != HINT)
			return false;
	}
	return false;
}
