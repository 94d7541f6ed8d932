/* SPDX-License-Identifier: MIT */
/*
 * How a program says which stretch of it is to be counted: instructions that do nothing, and that
 * nobody else uses. nopl with a 32-bit displacement: 0f 1f 80, then the magic number.
 */
#ifndef TESTS_BENCH_BREAKDOWN_MARKER_H
#define TESTS_BENCH_BREAKDOWN_MARKER_H

#define MARKER_BEGIN 0x39507801
#define MARKER_END   0x39507802

#define MARKER_TEXT_(number) #number
#define MARKER_TEXT(number)  MARKER_TEXT_(number)
#define MARKER(number)	     __asm__ volatile("nopl " MARKER_TEXT(number) "(%%rax)" ::: "memory")

#endif
