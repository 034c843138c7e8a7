// SPDX-License-Identifier: Apache-2.0
/* arch_aarch64.h - registers of aarch64 (AAPCS64, linux/sigcontext.h) */
#ifndef PYRO_CAPTURE_ARCH_AARCH64_H
#define PYRO_CAPTURE_ARCH_AARCH64_H

/* A leaf keeps its return address in lr and need not touch the stack. */
#define PYRO_CFA_MAY_EQUAL_SP true
#define PYRO_RED_ZONE 0 /* bytes below sp that are a leaf's own */
#define PYRO_STACK_ALIGN 16
#define PYRO_RA_AT_CFA false /* anywhere in the frame */

/* Offset of regs[0] in a ucontext; sp and pc follow x30. */
#define PYRO_UCONTEXT_GREGS 184
/* The same from the sp with which a handler returns: behind a siginfo. */
#define PYRO_SIGNAL_FRAME_GREGS (128 + PYRO_UCONTEXT_GREGS)
/* mov x8, #__NR_rt_sigreturn; svc #0: newer kernels' vdso says no more. */
#define PYRO_TRAMPOLINE                \
	{                              \
		0xd2801168, 0xd4000001 \
	}
#define PYRO_DECODES_EDGES true /* clang's CFI leaves them out */
#define PYRO_REGISTER_COUNT 33

static inline int pyro_greg_index(unsigned dwarf)
{
	return dwarf < PYRO_REGISTER_COUNT ? (int)dwarf : -1;
}

#define PYRO_DWARF_VOLATILE 0u /* no use for them is known */
#define PYRO_DWARF_PC 32
#define PYRO_DWARF_SP 31
#define PYRO_DWARF_FP 29
#define PYRO_DWARF_RBX 19 /* never named by a rule here */
#define PYRO_DWARF_LR 30

/* Do the 8 bytes before a return address end in a call: bl, blr, or one of the
 * four that check the address first. */
static inline bool pyro_ends_in_call(uint64_t bytes)
{
	uint32_t insn = (uint32_t)(bytes >> 32);

	return (insn & 0xfc000000) == 0x94000000 ||
	       (insn & 0xfffffc1f) == 0xd63f0000 ||
	       (insn & 0xfefff800) == 0xd63f0800;
}

/* hint #7 is xpaclri: strips a pointer-authentication code from x30, and is a
 * no-op on processors without the extension. On another processor, where a test
 * walks an aarch64 program's stack: what is above its 48 bits of addresses. */
/* Not known: their stacks are said to be cut. */
static inline bool pyro_ends_coroutine(uint64_t bytes)
{
	(void)bytes;
	return false;
}

static inline uintptr_t pyro_strip_return_address(uintptr_t ra)
{
#if defined(__aarch64__)
	register uintptr_t x30 __asm__("x30") = ra;

	__asm__("hint #7" : "+r"(x30));
	return x30;
#else
	return ra & ((UINT64_C(1) << 48) - 1);
#endif
}

#define PYRO_REGS_HERE(regs)                                         \
	__asm__ volatile("adr x9, .\n\tstr x9, %0\n\tmov x9, sp\n\t" \
			 "str x9, %1\n\tstr x29, %2\n\tstr x30, %3"  \
			 : "=m"((regs)->pc), "=m"((regs)->sp),       \
			   "=m"((regs)->fp), "=m"((regs)->lr)        \
			 :                                           \
			 : "x9")

#endif
