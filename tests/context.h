// SPDX-License-Identifier: Apache-2.0
/* context.h - the registers of a ucontext, by the processor's names for them */
#ifndef PYRO_TESTS_CONTEXT_H
#define PYRO_TESTS_CONTEXT_H

#include <stdint.h>
#include <ucontext.h>

#if defined(__x86_64__)
typedef greg_t context_word;
#define CONTEXT_REGISTERS NGREG
#elif defined(__aarch64__)
typedef unsigned long long context_word;
#define CONTEXT_REGISTERS 33
#endif

static inline context_word *context_register(ucontext_t *c, unsigned i)
{
#if defined(__x86_64__)
	return &c->uc_mcontext.gregs[i];
#elif defined(__aarch64__) /* sp and pc follow x30 */
	return &c->uc_mcontext.regs[0] + i;
#endif
}

#if defined(__x86_64__)
enum {
	CONTEXT_PC = REG_RIP,
	CONTEXT_SP = REG_RSP,
	CONTEXT_FP = REG_RBP,
	CONTEXT_OTHER = REG_RBX
};
#elif defined(__aarch64__)
enum {
	CONTEXT_PC = 32,
	CONTEXT_SP = 31,
	CONTEXT_FP = 29,
	CONTEXT_OTHER = 30
};
#endif

static inline uintptr_t context_pc(const ucontext_t *c)
{
	return (uintptr_t)*context_register((ucontext_t *)(uintptr_t)c,
					    CONTEXT_PC);
}

#endif
