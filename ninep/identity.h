/* SPDX-License-Identifier: MIT */
/*
 * Who the process is, whom it can act as, and as whom each thread acts now. What a thread wears is
 * its own, and stays until it is changed.
 */
#ifndef NINEP_IDENTITY_H
#define NINEP_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

/* An identity to act as; uid P9_OWN is the process's own, with its groups. */
struct p9_who {
	uid_t uid;
	gid_t gid;
	bool over; /* may do with files what root may, but for devices and privileged attributes */
};
#define P9_OWN ((uid_t)~0u)

static inline bool p9_who_same(struct p9_who a, struct p9_who b)
{
	return a.uid == b.uid && a.gid == b.gid && a.over == b.over;
}

/*
 * What the process itself is. The first call, or that of p9_privileged(), reads it, and the host's
 * users and groups (/etc/passwd, /etc/group): before there are threads.
 */
struct p9_who p9_identity_own(void);
/* The group that a user of the host has first; of one that is not known, the same number. */
gid_t p9_identity_group(uid_t uid);

/* This thread acts as who from now on, with the groups that the host gives to that user. -EPERM. */
int p9_wear(struct p9_who who);
/* Puts the process's own identity back on this thread. */
void p9_wear_own(void);

#endif
