/* SPDX-License-Identifier: MIT */
/*
 * What count.so counted, with names: see report.c for the files.
 */
#ifndef TESTS_BENCH_BREAKDOWN_COUNTS_H
#define TESTS_BENCH_BREAKDOWN_COUNTS_H

#include <stddef.h>
#include <stdint.h>

enum place { GUEST_USER, GUEST_KERNEL, KVM, HOST_KERNEL, NINEPIN, HOST_OTHER, NPLACES };

/* A function, a part of a place, an exit of the guest, or a system call of ninepin's: how often,
 * and how many instructions. Counts are of the whole stretch. */
struct row {
	enum place place; /* of a function or a part */
	const char *part; /* likewise; "" if there is none */
	char name[128];
	uint64_t count;
	uint64_t insns[NPLACES]; /* a function's or part's are all in its place */
};

struct rows {
	struct row *row;
	size_t n;
};

/* What was counted between two markers. */
struct stretch {
	char io[16], call[32];
	uint64_t n, ticks;     /* calls, and what the clock said */
	uint64_t insns, idles; /* counted */
	struct rows functions; /* the most instructions first */
	struct rows parts;     /* in the order of parts_compare */
	struct rows exits;     /* likewise; insns: until the guest ran again */
	struct rows syscalls;  /* likewise; insns: the kernel's */
};

/* Reads all of DIR. Ends the process with a sentence if something is not as it should be. */
size_t counts_read(struct stretch *stretches, size_t max, const char *dir, const char *ninepin,
		   const char *program);

uint64_t row_insns(const struct row *row);
/* For qsort: by place; then modules, and families in their order. */
int parts_compare(const void *a, const void *b);

#endif
