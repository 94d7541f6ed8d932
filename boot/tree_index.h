/* SPDX-License-Identifier: MIT */
/*
 * Modules where they were built, or were installed without depmod: modules.order names the files, and each file
 * says itself what it depends on.
 */
#ifndef BOOT_TREE_INDEX_H
#define BOOT_TREE_INDEX_H

#include "boot/dep_index.h"
#include "boot/why.h"

/*
 * *line becomes what depmod would write for the module called name, out of DIR/modules.order, whose text is order:
 * "PATH: PATH…", malloc'd, the caller frees it. 1: there is one; 0: there is none; or a negative errno with a
 * sentence.
 */
int tree_index_find(const char *dir, struct span order, struct span name, char **line,
		    struct why *why);

#endif
