// SPDX-License-Identifier: Apache-2.0
/* arch_x86_64.h - registers of x86_64 (System V ABI, linux/sigcontext.h) */
#ifndef PYRO_CAPTURE_ARCH_X86_64_H
#define PYRO_CAPTURE_ARCH_X86_64_H

/* The kernel pushes at least the return address between a frame and its CFA. */
#define PYRO_CFA_MAY_EQUAL_SP false
#define PYRO_RED_ZONE 128 /* bytes below sp that are a leaf's own */
#define PYRO_STACK_ALIGN 8
#define PYRO_RA_AT_CFA true /* the word below it */

/* Offset of the general registers in a ucontext: after uc_flags, uc_link and
 * uc_stack. */
#define PYRO_UCONTEXT_GREGS 40
/* The same from the sp with which a handler returns. */
#define PYRO_SIGNAL_FRAME_GREGS PYRO_UCONTEXT_GREGS
/* The code of a trampoline without CFI: there is none. */
#define PYRO_TRAMPOLINE \
	{               \
		0       \
	}
#define PYRO_DECODES_EDGES false
#define PYRO_REGISTER_COUNT 17

/* Index into those registers by DWARF number: rax, rdx, rcx, rbx, rsi, rdi,
 * rbp, rsp, r8-r15, rip. */
static inline int pyro_greg_index(unsigned dwarf)
{
	static const signed char index[PYRO_REGISTER_COUNT] = {
		13, 12, 14, 11, 9, 8, 10, 15, 0, 1, 2, 3, 4, 5, 6, 7, 16,
	};

	return dwarf < PYRO_REGISTER_COUNT ? index[dwarf] : -1;
}

#define PYRO_DWARF_PC 16
#define PYRO_DWARF_SP 7
#define PYRO_DWARF_FP 6
#define PYRO_DWARF_RBX 3
/* Those that calls need not keep: rax, rdx, rcx, rsi, rdi, r8-r11. */
#define PYRO_DWARF_VOLATILE 0xf37u
#define PYRO_DWARF_LR 16 /* there is none: the pc's own number */

/* Do the 8 bytes before a return address, the last one highest, end in a call:
 * e8 and 4 bytes, or ff /2 and at most 5 that say where. */
static inline bool pyro_ends_in_call(uint64_t bytes)
{
	if ((uint8_t)(bytes >> 24) == 0xe8)
		return true;
	for (int len = 2; len <= 7; len++)
		if ((bytes >> (64 - 8 * len) & 0x38ff) == 0x10ff)
			return true;
	return false;
}

/* Code that glibc's makecontext() lets a function return to, mov %rbx, %rsp, and
 * boost.context's make_fcontext(), xor %rdi, %rdi and a call of _exit(). */
static inline bool pyro_ends_coroutine(uint64_t bytes)
{
	return (bytes & 0xffffff) == 0xdc8948 ||
	       (bytes & 0xffffffff) == 0xe8ff3148;
}

static inline uintptr_t pyro_strip_return_address(uintptr_t ra)
{
	return ra;
}

/* The registers of the caller of this macro's function, for walks that begin in
 * a hook instead of in a signal. */
#define PYRO_REGS_HERE(regs)                                               \
	__asm__ volatile("lea 0(%%rip), %%rax\n\tmov %%rax, %0\n\t"        \
			 "mov %%rsp, %1\n\tmov %%rbp, %2\n\tmov %%rbx, %3" \
			 : "=m"((regs)->pc), "=m"((regs)->sp),             \
			   "=m"((regs)->fp), "=m"((regs)->rbx)             \
			 :                                                 \
			 : "rax")

#endif
