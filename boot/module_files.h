/* SPDX-License-Identifier: MIT */
/* What the readers of modules and of their lists share; nobody outside boot/ needs it. */
#ifndef BOOT_MODULE_FILES_H
#define BOOT_MODULE_FILES_H

#include <stdbool.h>

#include "boot/dep_index.h"

#define INDEX_MAX  (64u << 20)	/* modules.dep, modules.builtin: all are below 1 MiB */
#define MODULE_MAX (512u << 20) /* unpacked; with debug information, some have 100 MiB */

/* Opens a regular file of at most limit bytes; *err is 0, or why there is no descriptor. */
int module_open(const char *path, size_t limit, size_t *size, int *err);

/* Maps a file of at most limit bytes. 0, or a negative errno. */
int module_map(const char *path, size_t limit, struct span *span);
void module_unmap(struct span *span);

/* Cuts text at the first sep into what is before it and what is behind; false at the end. */
bool span_cut(struct span *text, char sep, struct span *piece);

bool span_same(struct span a, struct span b);
/* What is behind the last slash. */
struct span span_base(struct span path);
/* Is path the file of the module called name? kernel/fs/foo-bar.ko.xz is that of foo_bar. */
bool module_has_name(struct span path, struct span name);

#endif
