// SPDX-License-Identifier: Apache-2.0
/* shadow.c - a stack of calls, kept by looking at what instructions do
 *
 * A call pushes the address of the next instruction. It is over when control
 * goes elsewhere with sp above where that was pushed: by its return, or the
 * return or jump of a function that left several at once (longjmp, exceptions).
 * Until then it is not: vfork pops its return address, makes the system call,
 * and pushes it again. A lazy binding's jump to the function leaves sp where it
 * was; a tail call, too.
 * A signal is an entry of its own: calls before it are not over as long as sp
 * is on the handler's alternate stack, wherever in memory that may be. */
#include "tests/oracle/shadow.h"

#include <stdio.h>
#include <stdlib.h>

#include "capture/arch.h"

#define SYSCALL_RT_SIGRETURN 15
#define INSN_MAX 15

static void push(struct shadow *s, struct shadow_entry entry)
{
	if (s->count == SHADOW_MAX) {
		fprintf(stderr, "oracle: too many calls\n");
		exit(2);
	}
	s->entry[s->count++] = entry;
}

static bool is_on_another_stack(const struct shadow_entry *e)
{
	return e->lo < e->hi;
}

/* Control has left the calls that sp is above of, and an alternate stack with
 * all calls on it. */
static void drop(struct shadow *s, uintptr_t sp)
{
	for (size_t i = s->count; i-- > 0;) {
		const struct shadow_entry *e = &s->entry[i];

		if (is_on_another_stack(e) && (sp < e->lo || sp > e->hi))
			s->count = i;
	}
	while (s->count > 0 && !is_on_another_stack(&s->entry[s->count - 1]) &&
	       sp > s->entry[s->count - 1].slot)
		s->count--;
}

static void leave_handler(struct shadow *s)
{
	while (s->count > 0 && !s->entry[s->count - 1].is_signal)
		s->count--;
	if (s->count > 0)
		s->count--;
}

void shadow_follow(struct shadow *s, struct tracee *t, enum transfer transfer,
		   const struct user_regs_struct *before)
{
	uintptr_t sp = t->regs.rsp, ra;

	switch (transfer) {
	case TRANSFER_NONE:
	case TRANSFER_MARKER:
		break;
	case TRANSFER_JUMP:
	case TRANSFER_RETURN:
		drop(s, sp);
		break;
	case TRANSFER_CALL:
		drop(s, before->rsp);
		if (sp == before->rsp - sizeof(ra) && tracee_word(t, sp, &ra) &&
		    ra - before->rip <= INSN_MAX)
			push(s, (struct shadow_entry){.pc = ra, .slot = sp});
		break;
	case TRANSFER_SYSCALL:
		if (before->rax == SYSCALL_RT_SIGRETURN)
			leave_handler(s);
		break;
	}
}

static uintptr_t word_or_0(struct tracee *t, uintptr_t addr)
{
	uintptr_t word;

	return tracee_word(t, addr, &word) ? word : 0;
}

/* The kernel pushes a ucontext, and the trampoline as return address. */
bool shadow_enter_handler(struct shadow *s, struct tracee *t,
			  const struct user_regs_struct *before)
{
	uintptr_t sp = t->regs.rsp, context = sp + sizeof(uintptr_t);
	uintptr_t gregs = context + PYRO_UCONTEXT_GREGS;
	struct shadow_entry entry = {
		.is_signal = true,
		.pc = before->rip,
		.slot = before->rsp,
	};

	if (word_or_0(t, gregs + REG_RIP * sizeof(uintptr_t)) != before->rip ||
	    word_or_0(t, gregs + REG_RSP * sizeof(uintptr_t)) != before->rsp)
		return false;

	/* The program's alternate stack, and whether it is this one. */
	uintptr_t lo = word_or_0(t, context + 16);
	uintptr_t hi = lo + word_or_0(t, context + 32);

	if (sp >= lo && sp < hi && !(before->rsp >= lo && before->rsp < hi)) {
		entry.lo = lo;
		entry.hi = hi;
	}
	push(s, entry);
	push(s, (struct shadow_entry){.pc = word_or_0(t, sp), .slot = sp});
	return true;
}

bool shadow_begin(struct shadow *s, struct tracee *t, const uintptr_t *ra,
		  size_t count)
{
	uintptr_t at = t->regs.rsp, word;

	s->count = 0;
	for (size_t i = 0; i < count; i++, at += sizeof(at)) {
		while (tracee_word(t, at, &word) && word != ra[i])
			at += sizeof(at);
		if (!tracee_word(t, at, &word))
			return false;
		push(s, (struct shadow_entry){.pc = word, .slot = at});
	}
	for (size_t i = 0; i < count / 2; i++) {
		struct shadow_entry e = s->entry[i];

		s->entry[i] = s->entry[count - 1 - i];
		s->entry[count - 1 - i] = e;
	}
	return true;
}

size_t shadow_chain(const struct shadow *s, uintptr_t pc, uint64_t *chain,
		    size_t max)
{
	size_t depth = 0;

	chain[depth++] = pc;
	for (size_t i = s->count; i-- > 0 && depth < max;)
		chain[depth++] = s->entry[i].pc - !s->entry[i].is_signal;
	return depth;
}
