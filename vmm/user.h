/* SPDX-License-Identifier: MIT */
/* Whom the guest's command runs as: --user USER[:GROUP], looked up where the guest would. */
#ifndef VMM_USER_H
#define VMM_USER_H

#include <stdint.h>
#include <sys/types.h>

#include "boot/why.h"
#include "images/config.h"
#include "vmm/guest.h"

/* All strings are malloc'd and the user's own. */
struct user {
	struct guest_user ids;
	uint32_t group[GUEST_MAX_GROUPS]; /* what ids.group points to: the gid first */
	char *name;			  /* NULL: the root knows no such number */
	char *home;			  /* "/" if unknown */
	char *shell;			  /* "/bin/sh" if unknown */
};

/*
 * Names are those of etc/passwd and etc/group in root, a folder of the host; NULL is a root that
 * knows root alone. A number that is not in there is taken as it is, and so is the group of the
 * same number. -EINVAL with a sentence: it is not of this form, or a name is unknown; -ENOMEM. user
 * must be zeroed; user_free() is right after either.
 */
int user_find(struct user *user, const char *text, const char *root, struct why *why);
/*
 * Puts the user into further groups, as many as a guest takes: those of whoever runs ninepin, which a
 * share shows by their own numbers. Not 0, which is the guest's root's, and not `but`, which is
 * shown as the user's own.
 */
void user_join(struct user *user, const gid_t *groups, int n, gid_t but);
void user_free(struct user *user);

#endif
