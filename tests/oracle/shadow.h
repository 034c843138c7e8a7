// SPDX-License-Identifier: Apache-2.0
/* shadow.h - the calls that have not returned yet, as the processor made them */
#ifndef PYRO_TESTS_ORACLE_SHADOW_H
#define PYRO_TESTS_ORACLE_SHADOW_H

#include "tests/oracle/tracee.h"

#define SHADOW_MAX 4096

struct shadow_entry {
	bool is_signal;
	uintptr_t pc;     /* return address, or where the signal struck */
	uintptr_t slot;   /* where that was pushed, or sp then */
	uintptr_t lo, hi; /* of the alternate stack that the handler is on */
};

struct shadow {
	size_t count;
	struct shadow_entry entry[SHADOW_MAX]; /* innermost last */
};

/* Calls known from elsewhere: return addresses, innermost first; false when the
 * stack does not hold them. */
bool shadow_begin(struct shadow *s, struct tracee *t, const uintptr_t *ra,
		  size_t count);
/* An instruction of that kind was executed, from these registers to t's. */
void shadow_follow(struct shadow *s, struct tracee *t, enum transfer transfer,
		   const struct user_regs_struct *before);
/* If a signal's handler was entered, from these registers: true. */
bool shadow_enter_handler(struct shadow *s, struct tracee *t,
			  const struct user_regs_struct *before);
/* What a walk must find: at most max addresses. */
size_t shadow_chain(const struct shadow *s, uintptr_t pc, uint64_t *chain,
		    size_t max);

#endif
