/* SPDX-License-Identifier: MIT */
/*
 * The names of instructions: which function, and which part of its program, an address belongs to.
 */
#ifndef TESTS_BENCH_BREAKDOWN_NAMES_H
#define TESTS_BENCH_BREAKDOWN_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
	uint64_t addr;
	uint64_t end;
	const char *name;
	const char *part; /* a kernel's module, a family of its functions, or a room of ninepin's */
	bool module;
	/* What report.c counts, for one stretch at a time. */
	uint64_t insns, entries;
};

/* What a program has; all of it lives as long as the process. */
struct names {
	struct symbol *symbol; /* by address */
	size_t n;
	struct symbol unknown;
	const unsigned char *image; /* an ELF file */
	size_t size;
};

/* Both print a sentence and end the process if the file is not what it should be. */
void names_read_kallsyms(struct names *names, const char *path);
/* rooms: a file with a line "ROOM FUNCTION" for each function of a room, or NULL; a function that
 * it lacks belongs to "libraries". */
void names_read_elf(struct names *names, const char *path, const char *rooms);

/* The function at an address; &names->unknown if there is none. */
struct symbol *names_find(struct names *names, uint64_t addr);
/* Whether an ELF program has these bytes at this address. */
bool names_has_code(const struct names *names, uint64_t addr, const unsigned char *bytes, size_t n);

/* The family of one of the kernel's own functions. */
const char *family_of(const char *function);
/* The families, in the order in which they are shown; NULL ends them. */
extern const char *const families[];

_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
