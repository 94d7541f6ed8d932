/* SPDX-License-Identifier: MIT */
/*
 * Names of a share that a client is not to see (p9.h, struct p9_hidden): a tree of names, from the
 * share's root down to those that are hidden. A folder's node that has names of it below points
 * into it, all others have NULL, and cost nothing.
 *
 * A folder is known by its name in one that is known, so that one made or replaced later is the
 * same to us; and by its inode if it was there at the start, wherever else it appears (a bind
 * mount). The tree keeps such folders open, since the number of an inode is its own only for as
 * long.
 */
#ifndef NINEP_HIDE_H
#define NINEP_HIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "ninep/p9.h"

struct p9_node;
struct p9_hide;

/*
 * Of the share whose root rootfd is open on; procfd is on /proc/self/fd. NULL if nothing is hidden.
 * -EINVAL: a path has ".." behind what is not there, or hides the root itself; -ENOMEM.
 */
int p9_hide_new(struct p9_hide **out, int rootfd, int procfd, const struct p9_hidden *hidden,
		unsigned int n);
void p9_hide_free(struct p9_hide *top);

/*
 * What is to be hidden in a folder with this inode that was found as name in dir (which may have no
 * names hidden itself: NULL).
 */
const struct p9_hide *p9_hide_below(const struct p9_hide *top, const struct p9_hide *dir,
				    const char *name, uint64_t dev, uint64_t ino);

enum p9_hide_what {
	P9_HIDE_NOT,
	P9_HIDE_PARENT, /* it is there to see, but something below may not be, or is an exception */
	P9_HIDE_IT,
};
/* Of a name in a folder. */
enum p9_hide_what p9_hide_name(const struct p9_hide *dir, const char *name);

/* Whether name in a folder is hidden. */
bool p9_is_hidden(const struct p9_node *dir, const char *name);
/* Name may be made in a folder: 0, or EACCES. */
int p9_may_make(const struct p9_node *dir, const char *name);
/*
 * A rename would move what is hidden to where it is not, or the other way round: EACCES. ENOENT:
 * what is to be renamed is hidden.
 */
int p9_may_rename(const struct p9_node *olddir, const char *oldname, const struct p9_node *newdir,
		  const char *newname);

#endif
