/* SPDX-License-Identifier: MIT */
/*
 * A kernel of a few bytes, so that what a VMM needs beside reading a kernel can be seen: an ELF file with
 * a PVH entry. It ends what tests/bench/breakdown counts, says that it runs as init.c does, and ends by a triple fault. Its release is that of the
 * real one, whose modules are then looked for.
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
	lidt	no_idt
	int3

	.section .rodata, "a"
no_idt:	.fill	6
	.asciz	"Linux version " RELEASE " "
	.section .note.GNU-stack, "", @progbits
