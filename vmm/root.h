/* SPDX-License-Identifier: MIT */
/* What is in a folder of the host that is to be a guest's root. */
#ifndef VMM_ROOT_H
#define VMM_ROOT_H

#include <stdbool.h>
#include <stddef.h>

#include "vmm/guest.h"
#include "vmm/notes.h"

/* Whether the folder is this machine's own root, by whatever path. */
bool root_is_machine(const char *root);
/* Whether path is there for those in the root, whose links stay within; also if it cannot be told. */
bool root_has(const char *root, const char *path);
/* Notes what a guest will make in a root that it writes to: the usual mount points, and those of mount. */
void root_note_made(struct notes *notes, const char *root, const struct guest_mount *mount, size_t n);

#endif
