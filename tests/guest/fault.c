// SPDX-License-Identifier: MIT
/*
 * A kernel, of a sort: it goes wrong at once. With a command line that ends with "y" ("stray"), it jumps to where
 * there is no memory, which KVM cannot go on with; else it trips over an instruction without a way to handle that,
 * a triple fault.
 */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov 0x228(%rsi), %esi\n" /* boot_params.hdr.cmd_line_ptr */
	"1:	mov %al, %dl\n"
	"	lodsb\n"
	"	test %al, %al\n"
	"	jnz 1b\n"
	"	cmp $'y', %dl\n"
	"	je 2f\n"
	"	ud2\n"
	"2:	mov $0xd8000000, %eax\n"
	"	jmp *%rax\n");

/* By this a kernel is told from a program. */
const char banner[] = "Linux version 0 ";
