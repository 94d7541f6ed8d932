/* SPDX-License-Identifier: MIT */
/* The switch of stacks for co.c, System V x86-64 calling convention. */
#if defined(__x86_64__)

	.text

/*
 * void p9_co_switch(void **save_sp, void *load_sp)
 *
 * Only what a callee must preserve is kept. The floating point control words are not: nobody here
 * changes them. The order of the pushes is known to p9_co_init().
 */
	.globl p9_co_switch
	.type p9_co_switch, @function
p9_co_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret
	.size p9_co_switch, . - p9_co_switch

/* Where a new coroutine begins, its argument in r12: the end of every backtrace. */
	.globl p9_co_start
	.type p9_co_start, @function
p9_co_start:
	.cfi_startproc
	.cfi_undefined rip
	movq %r12, %rdi
	call p9_co_main
	ud2
	.cfi_endproc
	.size p9_co_start, . - p9_co_start

#endif

	.section .note.GNU-stack, "", @progbits
