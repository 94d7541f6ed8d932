/* SPDX-License-Identifier: MIT */
/* What the attributes of a mapped file hold (owner.h), and what is remembered of them. */
#ifndef NINEP_CREDS_H
#define NINEP_CREDS_H

#include <linux/stat.h>
#include <stdbool.h>
#include <stdint.h>

/* `set` says which there are. */
struct p9_creds {
	unsigned int set; /* P9_CRED_… */
	uint32_t uid, gid, mode;
	uint64_t rdev;
};
#define P9_CRED_UID  1u
#define P9_CRED_GID  2u
#define P9_CRED_MODE 4u
#define P9_CRED_RDEV 8u
/* Reading failed for another reason than that there is none. */
#define P9_CRED_UNSURE 16u

/* The attributes as they are for as long as the file's ctime is this. */
struct p9_seen_creds {
	bool holds; /* else they must be read again */
	struct statx_timestamp ctime;
	struct p9_creds creds;
};

#endif
