// SPDX-License-Identifier: MIT
/*
 * A kernel, of a sort: its PVH entry (Xen's document misc/pvh) goes wrong at once. With a command line that
 * ends with "y" ("stray"), it jumps to where there is no memory, which KVM cannot go on with; else it trips over
 * an instruction without a way to handle that, a triple fault.
 */
__asm__(".pushsection .note.Xen, \"a\", @note\n"
	"	.long 4, 4, 18\n" /* XEN_ELFNOTE_PHYS32_ENTRY */
	"	.asciz \"Xen\"\n"
	"	.long entry\n"
	".popsection\n"
	".code32\n"
	"entry:\n"
	"	mov 24(%ebx), %esi\n" /* hvm_start_info.cmdline_paddr */
	"1:	mov %al, %dl\n"
	"	lodsb\n"
	"	test %al, %al\n"
	"	jnz 1b\n"
	"	cmp $'y', %dl\n"
	"	je 2f\n"
	"	ud2\n"
	"2:	mov $0xd8000000, %eax\n"
	"	jmp *%eax\n"
	".code64\n");

int main(void)
{
	return 0;
}
