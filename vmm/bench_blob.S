/* SPDX-License-Identifier: MIT */
/* The guest of `ninepin bench` (images/bench/), as a file of bytes within this program. */
	.section .rodata
	.balign 16
	.global bench_guest
	.global bench_guest_end
bench_guest:
	.incbin BENCH_GUEST_PATH
bench_guest_end:
	.section .note.GNU-stack, "", @progbits
