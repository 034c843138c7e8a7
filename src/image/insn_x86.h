// SPDX-License-Identifier: Apache-2.0
/* insn_x86.h - x86_64 instructions: how long, and what they do to the stack */
#ifndef PYRO_IMAGE_INSN_X86_H
#define PYRO_IMAGE_INSN_X86_H

#include "base/util.h"

enum pyro_insn_kind {
	PYRO_INSN_OTHER,    /* leaves rsp alone and goes on behind itself */
	PYRO_INSN_PUSH,     /* of value bytes; reg is what, or none */
	PYRO_INSN_POP,      /* of value bytes; reg is where to, or none */
	PYRO_INSN_ADD_SP,   /* rsp += value */
	PYRO_INSN_SET_SP,   /* rsp = reg + value */
	PYRO_INSN_LOSE_SP,  /* rsp becomes something else */
	PYRO_INSN_SET_FP,   /* rbp = rsp + value */
	PYRO_INSN_STORE,    /* reg to rsp + value */
	PYRO_INSN_LEAVE,    /* rsp = rbp, pop rbp */
	PYRO_INSN_CALL,     /* to value; 0: not known */
	PYRO_INSN_JUMP,     /* to value; 0: not known */
	PYRO_INSN_BRANCH,   /* to value, or goes on */
	PYRO_INSN_ADDRESS,  /* value is the address of something */
	PYRO_INSN_CONSTANT, /* value may be one */
	PYRO_INSN_RETURN,
	PYRO_INSN_STOP /* nothing comes behind it: hlt, ud2, int3 */
};

/* Numbers of registers as instructions have them. */
enum {
	PYRO_INSN_RBX = 3,
	PYRO_INSN_RSP = 4,
	PYRO_INSN_RBP = 5,
	PYRO_INSN_NO_REG = 255
};

struct pyro_insn {
	uint8_t len; /* 1 to 15 */
	uint8_t kind;
	uint8_t reg;
	bool writes_fp; /* rbp becomes something else; not SET_FP, POP, LEAVE */
	int64_t value;  /* targets are addresses */
};

/* Decode what stands at code, which is at address vaddr, of at most room bytes.
 * False: no instruction, or one that is cut off. What is decoded need not be
 * valid in every detail. */
bool pyro_insn_decode(const unsigned char *code, size_t room, uint64_t vaddr,
		      struct pyro_insn *insn);

#endif
