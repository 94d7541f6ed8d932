/* SPDX-License-Identifier: MIT */
/* modules.dep.bin: modules.dep as depmod writes it for modprobe, a tree that is walked letter by
 * letter. */
#ifndef BOOT_DEP_INDEX_H
#define BOOT_DEP_INDEX_H

#include <stddef.h>

/* A piece of an index file; not NUL-terminated. */
struct span {
	const char *at;
	size_t len;
};

/* Names of modules and their files: dashes and underscores are alike. */
static inline char module_fold(char c)
{
	return c == '-' ? '_' : c;
}

/*
 * The line that modules.dep has for the module called name, without its end: "PATH: PATH…". It is a
 * piece of index. 1: there is one; 0: there is none; -EBADMSG: index is damaged, or of another
 * version.
 */
int dep_index_find(struct span index, struct span name, struct span *line);

#endif
