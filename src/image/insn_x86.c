// SPDX-License-Identifier: Apache-2.0
/* insn_x86.c - x86_64 instructions: how long, and what they do to the stack
 *
 * The length follows from the prefixes, the opcode map and the ModRM byte (Intel
 * SDM volume 2, appendix A; AMD's XOP as in AMD64 APM volume 6). What is done
 * matters for some fifteen opcodes only. */
#include "image/insn_x86.h"

#include <string.h>

#define INSN_MAX 15

enum {
	MAP_ONE,
	MAP_0F,
	MAP_0F38,
	MAP_0F3A,
	MAP_OTHER /* of VEX, EVEX and XOP */
};

struct decoder {
	const unsigned char *code;
	size_t at, room;
	bool failed;

	bool operand16, address32;
	uint8_t repeat; /* 0xf2, 0xf3 */
	uint8_t rex;
	bool vector; /* VEX, EVEX or XOP */
	uint8_t map, op;

	bool has_modrm;
	uint8_t modrm, sib;
	int64_t disp, imm;
};

static uint8_t next(struct decoder *d)
{
	if (d->at >= d->room) {
		d->failed = true;
		return 0;
	}
	return d->code[d->at++];
}

/* A signed number of so many bytes. */
static int64_t number(struct decoder *d, size_t bytes)
{
	uint64_t n = 0;

	for (size_t i = 0; i < bytes; i++)
		n |= (uint64_t)next(d) << 8 * i;
	if (bytes == 0 || bytes == 8)
		return (int64_t)n;

	unsigned shift = 64 - 8 * (unsigned)bytes;

	return (int64_t)(n << shift) >> shift;
}

/* Returns the first byte that is none. */
static uint8_t prefixes(struct decoder *d)
{
	for (;;) {
		uint8_t byte = next(d);

		switch (byte) {
		case 0x66:
			d->operand16 = true;
			break;
		case 0x67:
			d->address32 = true;
			break;
		case 0xf2:
		case 0xf3:
			d->repeat = byte;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
		case 0x64:
		case 0x65:
		case 0xf0:
			break;
		default:
			if ((byte & 0xf0) == 0x40)
				d->rex = byte;
			else
				return byte;
			/* Counts only right before the opcode. */
			if (!d->failed && d->at < d->room &&
			    (d->code[d->at] & 0xf0) != 0x40)
				return next(d);
			break;
		}
		if (d->failed)
			return 0;
	}
}

static void vector_prefix(struct decoder *d, uint8_t first)
{
	uint8_t a = next(d), map = 1;

	d->vector = true;
	if (first == 0xc4 || first == 0x8f) {
		map = a & 0x1f;
		next(d);
	} else if (first == 0x62) {
		map = a & 0x07;
		next(d);
		next(d);
	}
	if (first == 0x8f)
		/* XOP: 8 has an immediate byte, 10 four. */
		d->map = map == 8 ? MAP_0F3A : MAP_OTHER;
	else
		d->map = map <= 3 && map > 0 ? map : MAP_OTHER;
	d->op = next(d);
	if (first == 0x8f && map == 10)
		d->imm = -1; /* told to immediate_bytes() */
}

static void opcode(struct decoder *d)
{
	uint8_t byte = prefixes(d);
	uint8_t behind = d->at < d->room ? d->code[d->at] : 0;

	if (byte == 0xc4 || byte == 0xc5 || byte == 0x62 ||
	    (byte == 0x8f && (behind & 0x1f) >= 8)) {
		vector_prefix(d, byte);
		return;
	}
	d->op = byte;
	d->map = MAP_ONE;
	if (byte != 0x0f)
		return;
	d->op = next(d);
	d->map = MAP_0F;
	if (d->op == 0x38 || d->op == 0x3a) {
		d->map = d->op == 0x38 ? MAP_0F38 : MAP_0F3A;
		d->op = next(d);
	}
}

/* One bit for each opcode, 16 to a row. */
static bool in_set(const uint16_t set[16], uint8_t op)
{
	return set[op >> 4] >> (op & 15) & 1;
}

static bool is_invalid(const struct decoder *d)
{
	static const uint16_t one[16] = {
		0x40c0, 0x40c0, 0x8080, 0x8080, 0,      0,      0x0003, 0,
		0x0004, 0x0400, 0,      0,      0x4000, 0x0070, 0x0400, 0,
	};

	return d->map == MAP_ONE && in_set(one, d->op);
}

static bool needs_modrm(const struct decoder *d)
{
	static const uint16_t one[16] = {
		0x0f0f, 0x0f0f, 0x0f0f, 0x0f0f, 0,      0,      0x0a08, 0,
		0xffff, 0,      0,      0,      0x00c3, 0xff0f, 0,      0xc0c0,
	};
	static const uint16_t none_0f[16] = {
		0x4be0, 0, 0,      0x00ff, 0,      0, 0, 0x0080,
		0xffff, 0, 0x0707, 0,      0xff00, 0, 0, 0,
	};

	if (d->map == MAP_ONE)
		return in_set(one, d->op);
	if (d->map != MAP_0F)
		return true;
	return d->vector ? d->op != 0x77 : !in_set(none_0f, d->op);
}

static size_t immediate_0f(const struct decoder *d)
{
	switch (d->op) {
	case 0x0f: /* 3DNow! */
	case 0x70:
	case 0x71:
	case 0x72:
	case 0x73:
	case 0xa4:
	case 0xac:
	case 0xba:
	case 0xc2:
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return !d->vector || (d->op != 0x0f && d->op != 0xa4 &&
				      d->op != 0xac && d->op != 0xba);
	case 0x78: /* SSE4a extrq, insertq */
		return !d->vector && (d->operand16 || d->repeat == 0xf2) ? 2
									 : 0;
	default:
		return !d->vector && (d->op & 0xf0) == 0x80 ? 4 : 0;
	}
}

/* Operands of 2 or 4 bytes. */
static size_t immediate_z(const struct decoder *d)
{
	return d->operand16 && !(d->rex & 8) ? 2 : 4;
}

static size_t immediate_one(const struct decoder *d)
{
	static const uint16_t byte[16] = {
		0x1010, 0x1010, 0x1010, 0x1010, 0,      0, 0x0c00, 0xffff,
		0x0009, 0,      0x0100, 0x00ff, 0x2043, 0, 0x08ff, 0,
	};
	static const uint16_t z[16] = {
		0x2020, 0x2020, 0x2020, 0x2020, 0,      0, 0x0300, 0,
		0x0002, 0,      0x0200, 0,      0x0080, 0, 0,      0,
	};

	if (in_set(byte, d->op))
		return 1;
	if (in_set(z, d->op))
		return immediate_z(d);
	switch (d->op) {
	case 0xa0:
	case 0xa1:
	case 0xa2:
	case 0xa3:
		return d->address32 ? 4 : 8;
	case 0xc2:
	case 0xca:
		return 2;
	case 0xc8:
		return 3;
	case 0xe8:
	case 0xe9:
		return 4;
	case 0xf6:
		return (d->modrm & 0x30) == 0;
	case 0xf7:
		return (d->modrm & 0x30) == 0 ? immediate_z(d) : 0;
	default:
		if ((d->op & 0xf8) == 0xb8)
			return d->rex & 8 ? 8 : immediate_z(d);
		return 0;
	}
}

static size_t immediate_bytes(const struct decoder *d)
{
	switch (d->map) {
	case MAP_ONE:
		return immediate_one(d);
	case MAP_0F:
		return immediate_0f(d);
	case MAP_0F3A:
		return 1;
	default:
		return d->imm == -1 ? 4 : 0;
	}
}

static unsigned mod(const struct decoder *d)
{
	return d->modrm >> 6;
}

static uint8_t reg(const struct decoder *d)
{
	return (uint8_t)((d->modrm >> 3 & 7) | (d->rex & 4) << 1);
}

static uint8_t rm(const struct decoder *d)
{
	return (uint8_t)((d->modrm & 7) | (d->rex & 1) << 3);
}

static void operands(struct decoder *d)
{
	if (needs_modrm(d)) {
		d->has_modrm = true;
		d->modrm = next(d);
		if (mod(d) != 3 && (d->modrm & 7) == 4)
			d->sib = next(d);
		if (mod(d) == 1)
			d->disp = number(d, 1);
		else if (mod(d) == 2 || (mod(d) == 0 && ((d->modrm & 7) == 5 ||
							 ((d->modrm & 7) == 4 &&
							  (d->sib & 7) == 5))))
			d->disp = number(d, 4);
	}
	d->imm = number(d, immediate_bytes(d));
}

static bool is_rip_relative(const struct decoder *d)
{
	return d->has_modrm && (d->modrm & 0xc7) == 0x05;
}

/* The base register of a memory operand without an index. */
static uint8_t base(const struct decoder *d)
{
	if (mod(d) == 3 || is_rip_relative(d))
		return PYRO_INSN_NO_REG;
	if ((d->modrm & 7) != 4)
		return rm(d);
	if ((d->sib & 0x38) != 0x20 || (d->rex & 2) ||
	    ((d->sib & 7) == 5 && mod(d) == 0))
		return PYRO_INSN_NO_REG;
	return (uint8_t)((d->sib & 7) | (d->rex & 1) << 3);
}

/* The general register that an instruction writes as a whole or in part, as far
 * as compilers and assembler programmers write rsp and rbp. */
static uint8_t written(const struct decoder *d)
{
	uint8_t op = d->op;

	if (d->vector)
		return PYRO_INSN_NO_REG;
	if (d->map == MAP_0F) {
		if ((op & 0xf0) == 0x40 || op == 0xaf || op == 0xb6 ||
		    op == 0xb7 || op == 0xbe || op == 0xbf || op == 0xb8 ||
		    op == 0xbc || op == 0xbd)
			return reg(d);
		if ((op & 0xf8) == 0xc8) /* bswap */
			return (uint8_t)((op & 7) | (d->rex & 1) << 3);
		return PYRO_INSN_NO_REG;
	}
	if (d->map != MAP_ONE)
		return PYRO_INSN_NO_REG;
	if ((op & 0xf8) == 0xb8 || ((op & 0xf8) == 0x90 && op != 0x90))
		return (uint8_t)((op & 7) | (d->rex & 1) << 3);
	if (op < 0x38 && (op & 7) == 3) /* arithmetic: reg, r/m */
		return reg(d);
	if (op == 0x8b || op == 0x8d || op == 0x63 || op == 0x69 || op == 0x6b)
		return reg(d);
	if (mod(d) != 3 || !d->has_modrm)
		return PYRO_INSN_NO_REG;
	if ((op < 0x38 && (op & 7) == 1) || op == 0x89 || op == 0x87 ||
	    op == 0xc7 || op == 0xd1 || op == 0xd3 || op == 0xc1)
		return rm(d);
	if ((op == 0x81 || op == 0x83) && (d->modrm & 0x38) != 0x38)
		return rm(d);
	if ((op == 0xf7 && (d->modrm & 0x38) != 0) ||
	    (op == 0xff && (d->modrm & 0x38) <= 8))
		return rm(d);
	return PYRO_INSN_NO_REG;
}

static void set(struct pyro_insn *insn, enum pyro_insn_kind kind, uint8_t r,
		int64_t value)
{
	insn->kind = (uint8_t)kind;
	insn->reg = r;
	insn->value = value;
}

/* Moves between registers, and stores to the stack. */
static void classify_move(const struct decoder *d, struct pyro_insn *insn)
{
	bool loads = d->op == 0x8b;
	uint8_t from = loads ? rm(d) : reg(d), to = loads ? reg(d) : rm(d);

	if (!(d->rex & 8))
		return;
	if (mod(d) == 3 && to == PYRO_INSN_RSP)
		set(insn, PYRO_INSN_SET_SP, from, 0);
	else if (mod(d) == 3 && to == PYRO_INSN_RBP && from == PYRO_INSN_RSP)
		set(insn, PYRO_INSN_SET_FP, from, 0);
	else if (!loads && base(d) == PYRO_INSN_RSP)
		set(insn, PYRO_INSN_STORE, from, d->disp);
}

/* add, sub and the like of a constant. */
static void classify_arithmetic(const struct decoder *d, struct pyro_insn *insn)
{
	if (mod(d) != 3 || rm(d) != PYRO_INSN_RSP || !(d->rex & 8))
		return;
	switch (d->modrm & 0x38) {
	case 0x00:
		set(insn, PYRO_INSN_ADD_SP, PYRO_INSN_NO_REG, d->imm);
		break;
	case 0x28:
		set(insn, PYRO_INSN_ADD_SP, PYRO_INSN_NO_REG, -d->imm);
		break;
	default:
		break;
	}
}

static void classify_lea(const struct decoder *d, uint64_t end,
			 struct pyro_insn *insn)
{
	if (is_rip_relative(d)) {
		set(insn, PYRO_INSN_ADDRESS, reg(d),
		    (int64_t)(end + (uint64_t)d->disp));
	} else if (reg(d) == PYRO_INSN_RSP && base(d) == PYRO_INSN_RSP) {
		set(insn, PYRO_INSN_ADD_SP, PYRO_INSN_NO_REG, d->disp);
	} else if (reg(d) == PYRO_INSN_RSP && base(d) != PYRO_INSN_NO_REG) {
		set(insn, PYRO_INSN_SET_SP, base(d), d->disp);
	} else if (reg(d) == PYRO_INSN_RBP && base(d) == PYRO_INSN_RSP) {
		set(insn, PYRO_INSN_SET_FP, PYRO_INSN_RSP, d->disp);
	}
}

static void classify_group5(const struct decoder *d, struct pyro_insn *insn)
{
	switch (d->modrm & 0x38) {
	case 0x10:
	case 0x18:
		set(insn, PYRO_INSN_CALL, PYRO_INSN_NO_REG, 0);
		break;
	case 0x20:
	case 0x28:
		set(insn, PYRO_INSN_JUMP, PYRO_INSN_NO_REG, 0);
		break;
	case 0x30:
		set(insn, PYRO_INSN_PUSH, PYRO_INSN_NO_REG, 8);
		break;
	default:
		break;
	}
}

static void classify_two(const struct decoder *d, uint64_t end,
			 struct pyro_insn *insn)
{
	if ((d->op & 0xf0) == 0x80)
		set(insn, PYRO_INSN_BRANCH, PYRO_INSN_NO_REG,
		    (int64_t)(end + (uint64_t)d->imm));
	else if (d->op == 0x0b || d->op == 0xb9 || d->op == 0xff)
		set(insn, PYRO_INSN_STOP, PYRO_INSN_NO_REG, 0);
	else if (d->op == 0xa0 || d->op == 0xa8)
		set(insn, PYRO_INSN_PUSH, PYRO_INSN_NO_REG, 8);
	else if (d->op == 0xa1 || d->op == 0xa9)
		set(insn, PYRO_INSN_POP, PYRO_INSN_NO_REG, 8);
}

static void classify_one(const struct decoder *d, uint64_t end,
			 struct pyro_insn *insn)
{
	uint8_t op = d->op, low = (uint8_t)((op & 7) | (d->rex & 1) << 3);
	int64_t word = d->operand16 ? 2 : 8;
	int64_t target = (int64_t)(end + (uint64_t)d->imm);

	if ((op & 0xf8) == 0x50) {
		set(insn, PYRO_INSN_PUSH, low, word);
	} else if ((op & 0xf8) == 0x58) {
		set(insn, PYRO_INSN_POP, low, word);
	} else if ((op & 0xf0) == 0x70 || (op & 0xfc) == 0xe0) {
		set(insn, PYRO_INSN_BRANCH, PYRO_INSN_NO_REG, target);
	} else if ((op & 0xf8) == 0xb8 && !d->operand16) {
		set(insn, PYRO_INSN_CONSTANT, low,
		    d->rex & 8 ? d->imm : (int64_t)(uint32_t)d->imm);
	} else {
		switch (op) {
		case 0x68:
		case 0x6a:
		case 0x9c:
			set(insn, PYRO_INSN_PUSH, PYRO_INSN_NO_REG, word);
			break;
		case 0x8f:
		case 0x9d:
			set(insn, PYRO_INSN_POP, PYRO_INSN_NO_REG, word);
			break;
		case 0x81:
		case 0x83:
			classify_arithmetic(d, insn);
			break;
		case 0x89:
		case 0x8b:
			classify_move(d, insn);
			break;
		case 0x8d:
			classify_lea(d, end, insn);
			break;
		case 0xc2:
		case 0xc3:
		case 0xca:
		case 0xcb:
		case 0xcf:
			set(insn, PYRO_INSN_RETURN, PYRO_INSN_NO_REG, 0);
			break;
		case 0xc9:
			set(insn, PYRO_INSN_LEAVE, PYRO_INSN_NO_REG, 0);
			break;
		case 0xcc:
		case 0xf4:
			set(insn, PYRO_INSN_STOP, PYRO_INSN_NO_REG, 0);
			break;
		case 0xe8:
			set(insn, PYRO_INSN_CALL, PYRO_INSN_NO_REG, target);
			break;
		case 0xe9:
		case 0xeb:
			set(insn, PYRO_INSN_JUMP, PYRO_INSN_NO_REG, target);
			break;
		case 0xc8:
			set(insn, PYRO_INSN_LOSE_SP, PYRO_INSN_NO_REG, 0);
			break;
		case 0xff:
			classify_group5(d, insn);
			break;
		default:
			break;
		}
	}
}

bool pyro_insn_decode(const unsigned char *code, size_t room, uint64_t vaddr,
		      struct pyro_insn *insn)
{
	struct decoder d = {.code = code, .room = pyro_min(room, INSN_MAX)};

	opcode(&d);
	if (!d.failed)
		operands(&d);
	if (d.failed || is_invalid(&d))
		return false;
	*insn = (struct pyro_insn){
		.len = (uint8_t)d.at,
		.reg = PYRO_INSN_NO_REG,
	};

	uint64_t end = vaddr + d.at;

	if (!d.vector && d.map == MAP_ONE)
		classify_one(&d, end, insn);
	else if (!d.vector && d.map == MAP_0F)
		classify_two(&d, end, insn);

	uint8_t changed = written(&d);

	if (changed == PYRO_INSN_RSP && insn->kind == PYRO_INSN_OTHER)
		set(insn, PYRO_INSN_LOSE_SP, PYRO_INSN_NO_REG, 0);
	insn->writes_fp =
		changed == PYRO_INSN_RBP && insn->kind != PYRO_INSN_SET_FP;
	return true;
}
