/* SPDX-License-Identifier: MIT */
/*
 * A kernel of a few bytes, so that what a VMM needs beside reading a kernel can be seen: an ELF file, for QEMU with
 * a PVH entry. Its instructions are the same in 32-bit mode, in which QEMU enters it, and in 64-bit mode. It ends
 * what tests/bench/breakdown counts, says that it runs as init.c does, and ends by a triple fault. Its release is
 * that of the real one, whose modules are then looked for.
 */
#include "tests/bench/breakdown/marker.h"

	.section .note.Xen, "a", @note
	.long	4, 8, 18 /* name, descriptor; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.quad	entry

	.text
	.code32
	.globl	entry
entry:
	nopl	MARKER_END(%eax)
	out	%al, $0xed
	mov	$no_idt, %eax
	lidt	(%eax)
	int3

	.section .rodata, "a"
no_idt:	.fill	6
	.asciz	"Linux version " RELEASE " "
	.section .note.GNU-stack, "", @progbits
