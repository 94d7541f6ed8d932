/* SPDX-License-Identifier: MIT */
/* What of the root's a guest does not see: --hide, and what is hidden of this machine's own tree. */
#ifndef VMM_HIDE_H
#define VMM_HIDE_H

#include <stdbool.h>

#include "boot/why.h"
#include "ninep/p9.h"

/* All strings are malloc'd and the list's own. */
struct hide_list {
	struct p9_hidden *entry;
	unsigned int n;
};

/* One path, as after --hide: -EINVAL with a sentence if it cannot be one of a root. */
int hide_check(const char *path, struct why *why);
/* Adds a path. -ENOMEM with a sentence. list must be zeroed first; hide_free() is right after either. */
int hide_add(struct hide_list *list, const char *path, struct why *why);
/*
 * Adds what holds secrets in this machine's own tree, as docs/run.md lists it: of the system, of other
 * people, and of the user that runs ninepin, whose home is the one of /etc/passwd and that of $HOME.
 */
int hide_add_machine(struct hide_list *list, struct why *why);
void hide_free(struct hide_list *list);

#endif
