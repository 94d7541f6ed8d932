/* SPDX-License-Identifier: MIT */
/*
 * The users and groups of a system, as its etc/passwd and etc/group have them. No name service is
 * asked: the program is linked statically.
 */
#ifndef VMM_PEOPLE_H
#define VMM_PEOPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct passwd;
struct group;

/* A file that is not there, or is none, has nobody. */
struct people {
	FILE *passwd, *group;
	int passwd_err, group_err; /* why it could not be opened, an errno; 0: it is */
};

/*
 * Opens the two files of the system whose root is this folder, as those in it see them: links stay
 * within. What has changed in them since is seen. Never fails; people_close() after it. NULL has
 * nobody.
 */
void people_open(struct people *people, const char *root);
void people_close(struct people *people);

/* The first of that name, or if it is NULL, of that number; NULL: none. Valid until the next call. */
const struct passwd *people_user(const struct people *people, const char *name, uint32_t uid);
const struct group *people_group(const struct people *people, const char *name, uint32_t gid);
/*
 * gid, and the groups that list the user, each once, as after a login: groups is malloc'd. name may
 * be NULL. -ENOMEM.
 */
int people_groups(const struct people *people, const char *name, uint32_t gid, uint32_t **groups,
		  size_t *n);

/* A decimal number that can be a user's or a group's. */
bool people_number(const char *text, uint32_t *id);

#endif
