/* SPDX-License-Identifier: MIT */
/* The guest's init, as a file of bytes within this program. */
	.section .rodata
	.balign 16
	.global guest_init
	.global guest_init_end
guest_init:
	.incbin INIT_PATH
guest_init_end:
	.section .note.GNU-stack, "", @progbits
