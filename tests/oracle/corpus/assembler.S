# SPDX-License-Identifier: Apache-2.0
# assembler.S - frames that no compiler makes, with the CFI that says so

	.macro function name
	.globl	\name
	.type	\name, @function
\name:
	.cfi_startproc
	.endm

	.macro end name
	.cfi_endproc
	.size	\name, . - \name
	.endm

	.text

# Two exits, of which the first one takes the frame down.
function two_exits
	push	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	push	%rbx
	.cfi_def_cfa_offset 24
	.cfi_offset %rbx, -24
	sub	$8, %rsp
	.cfi_def_cfa_offset 32
	call	leaf
	test	%edi, %edi
	jz	1f
	.cfi_remember_state
	call	leaf
	.cfi_remember_state
	test	$2, %edi
	jz	2f
	add	$8, %rsp
	.cfi_def_cfa_offset 24
	pop	%rbx
	.cfi_restore %rbx
	.cfi_def_cfa_offset 16
	pop	%rbp
	.cfi_restore %rbp
	.cfi_def_cfa_offset 8
	ret
2:	.cfi_restore_state
	call	leaf
1:	.cfi_restore_state
	call	leaf
	add	$8, %rsp
	.cfi_def_cfa_offset 24
	pop	%rbx
	.cfi_restore %rbx
	.cfi_def_cfa_offset 16
	pop	%rbp
	.cfi_restore %rbp
	.cfi_def_cfa_offset 8
	ret
end two_exits

# The frame is found by rbx, as in ld.so's lazy binding.
function by_rbx
	push	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	mov	%rsp, %rbx
	.cfi_def_cfa_register %rbx
	sub	$100, %rsp
	and	$-64, %rsp
	call	leaf
	call	two_exits
	mov	%rbx, %rsp
	.cfi_def_cfa_register %rsp
	pop	%rbx
	.cfi_def_cfa_offset 8
	.cfi_restore %rbx
	ret
end by_rbx

# By r10, which calls do not keep: known at the top only.
function by_r10
	lea	8(%rsp), %r10
	.cfi_def_cfa %r10, 0
	sub	$200, %rsp
	and	$-32, %rsp
	mov	%r10, (%rsp)
	add	$1, %eax
	mov	(%rsp), %r10
	lea	-8(%r10), %rsp
	.cfi_def_cfa %rsp, 8
	ret
end by_r10

# The caller's sp is in memory: CFA = *(rsp + 40) + 8.
function by_memory
	mov	%rsp, %rax
	.cfi_def_cfa_register %rax
	push	%rbp
	.cfi_offset %rbp, -16
	push	%rbx
	.cfi_offset %rbx, -24
	sub	$64, %rsp
	and	$-64, %rsp
	mov	%rax, 40(%rsp)
	# DW_CFA_def_cfa_expression: breg7 40, deref, plus_uconst 8
	.cfi_escape 0x0f, 0x05, 0x77, 0x28, 0x06, 0x23, 0x08
	call	leaf
	call	two_exits
	mov	40(%rsp), %rax
	.cfi_def_cfa %rax, 8
	mov	-16(%rax), %rbx
	.cfi_restore %rbx
	mov	-8(%rax), %rbp
	.cfi_restore %rbp
	mov	%rax, %rsp
	.cfi_def_cfa_register %rsp
	ret
end by_memory

# The return address is in a register.
function ra_in_register
	pop	%r11
	.cfi_def_cfa_offset 0
	.cfi_register %rip, %r11
	add	$1, %eax
	nop
	push	%r11
	.cfi_def_cfa_offset 8
	.cfi_offset %rip, -8
	ret
end ra_in_register

# A tail call: the caller's frame is this function's.
function tail_call
	push	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	call	leaf
	pop	%rbx
	.cfi_def_cfa_offset 8
	.cfi_restore %rbx
	jmp	two_exits
end tail_call

# Pushes for arguments, and takes them off after the call.
function pushes_arguments
	push	$1
	.cfi_adjust_cfa_offset 8
	push	$2
	.cfi_adjust_cfa_offset 8
	call	leaf
	add	$16, %rsp
	.cfi_adjust_cfa_offset -16
	ret
end pushes_arguments

function leaf
	lea	1(%rax), %eax
	nop
	ret
end leaf

# The frame of a function of which a part stands elsewhere.
function in_two_parts
	push	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	jmp	in_two_parts.cold
3:	call	leaf
	pop	%rbx
	.cfi_def_cfa_offset 8
	.cfi_restore %rbx
	ret
end in_two_parts

	.section .text.unlikely, "ax", @progbits
	.type	in_two_parts.cold, @function
in_two_parts.cold:
	.cfi_startproc
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	call	leaf
	jmp	3b
	.cfi_endproc
	.size	in_two_parts.cold, . - in_two_parts.cold

	.text
	.globl	main
	.type	main, @function
main:
	.cfi_startproc
	push	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	int3
	xor	%ebx, %ebx
4:	mov	%ebx, %edi
	call	two_exits
	call	by_rbx
	call	by_r10
	call	by_memory
	call	ra_in_register
	call	tail_call
	call	pushes_arguments
	call	in_two_parts
	add	$1, %ebx
	cmp	$4, %ebx
	jne	4b
	int3
	xor	%eax, %eax
	pop	%rbx
	.cfi_def_cfa_offset 8
	.cfi_restore %rbx
	ret
	.cfi_endproc
	.size	main, . - main

	.section .note.GNU-stack, "", @progbits
