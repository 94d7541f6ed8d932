/* SPDX-License-Identifier: MIT */
/*
 * VMCOREINFO: an ELF note in the memory of a Linux guest, lines of NAME=VALUE, with which crash and
 * drgn find their way in a dump of it. The guest tells where it is (/sys/kernel/vmcoreinfo), or else
 * it is looked for. What is in it is the guest's word, and goes no further than into the dump.
 */
#ifndef VMM_VMCOREINFO_H
#define VMM_VMCOREINFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "virtio/gmem.h"

/* Bytes of text at most: Linux has one page. */
#define VMCOREINFO_MAX 65536

struct vmcoreinfo {
	char *text; /* ends with a NUL of ours; NULL: there is none */
	size_t len; /* without it */
};

/*
 * Copies the note at guest-physical address gpa, of size bytes with its header (0: not told), or if
 * there is none, the first that is at a page's beginning. False: no note, or no memory for it.
 */
bool vmcoreinfo_copy(struct vmcoreinfo *info, const struct gmem *mem, uint64_t gpa, uint64_t size);
void vmcoreinfo_free(struct vmcoreinfo *info);

/* The number after "NAME=" at a line's beginning, in base 10 or 16. False: no such line. */
bool vmcoreinfo_number(const struct vmcoreinfo *info, const char *name, int base, uint64_t *value);

/* Where the guest's kernel has memory, as far as the note says it. */
struct vmcoreinfo_map {
	uint64_t text;	     /* the kernel's first virtual address; 0: not known */
	uint64_t text_phys;  /* guest-physical address of the same */
	uint64_t text_size;  /* at most so many bytes */
	uint64_t direct_map; /* virtual address of guest-physical address 0; 0: not known */
};

void vmcoreinfo_map(const struct vmcoreinfo *info, const struct gmem *mem,
		    struct vmcoreinfo_map *map);

#endif
