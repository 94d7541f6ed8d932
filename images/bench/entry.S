/* SPDX-License-Identifier: MIT */
/*
 * Where the guest begins, at ring 3, and what little of it runs at ring 0. Where that is interpreted
 * (docs/bench-device.md), each instruction there counts.
 */
#include "images/bench/bench.h"

	.section .header, "a"
	/* struct bench_image */
	.quad	entry, irq, wait_gate, fault, bench_shared, stack0_top, image_end

	.text
entry:
	mov	$stack3_top, %esp
	call	guest_main
	ud2

irq:
	incl	irqs
	movl	$0, BENCH_LAPIC_EOI
	iretq

/*
 * The only way into ring 0 that works everywhere (INT n and SYSCALL do not): a division by zero, of
 * two bytes. %edi: the interrupts that the caller has seen. Interrupts are off by the gate, so that
 * none can come between the look and the wait.
 */
	.globl wait_irq
wait_irq:
	xor	%ecx, %ecx
	div	%ecx
	ret
wait_gate:
	addq	$2, (%rsp)
	cmp	%edi, irqs
	jne	1f
	sti
	hlt
1:	iretq

fault:
	mov	$BENCH_CONTROL, %ecx
	movl	$BENCH_FAULT, (%rcx)
	jmp	fault

	.bss
	.globl irqs
	.balign 64
irqs:	.skip 64
	.balign 16
	.skip 4096
stack0_top:
	.skip 8192
stack3_top:
	.section .note.GNU-stack, "", @progbits
