/* SPDX-License-Identifier: MIT */
/*
 * What the host says about the places on the way to a file: gathered here, judged in judge.h.
 * Nothing is changed, and no file's contents are read.
 */
#ifndef VMM_DOCTOR_FACTS_H
#define VMM_DOCTOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/doctor/person.h"

/* One entry of a POSIX ACL (acl(5)): tag is ACL_USER_OBJ … ACL_OTHER of linux/posix_acl.h. */
struct acl_entry {
	uint16_t tag, perm;
	uint32_t id; /* of ACL_USER and ACL_GROUP */
};

struct acl {
	struct acl_entry *entry; /* malloc'd; NULL: there is none beyond the mode */
	size_t n;
};

/* Reads the value of system.posix_acl_access. -EINVAL: it is none. -ENOMEM. */
int acl_parse(struct acl *acl, const void *value, size_t size);

/* A mount, of /proc/self/mountinfo (proc(5)). Strings are malloc'd. */
struct mount_fact {
	uint64_t id;
	char *point, *type, *source;
	bool ro;    /* this mount is read-only */
	bool fs_ro; /* the whole file system is */
};

/* Fills mounts from the text of a mountinfo file. -ENOMEM. */
int mounts_parse(struct mount_fact **mounts, size_t *n, const char *text);
void mounts_free(struct mount_fact *mounts, size_t n);

/* What a user has of a file system, and may have, bytes and files; a limit of 0 is none. */
struct quota {
	bool known;
	uint64_t space, space_soft, space_hard;
	uint64_t files, files_soft, files_hard;
	bool space_late, files_late; /* over the soft limit for longer than it allows */
};

enum place_has {
	PLACE_UNKNOWN, /* it could not be found out */
	PLACE_NO,
	PLACE_YES,
};

/* A file or folder. Strings are malloc'd. */
struct place {
	char *path;
	mode_t mode;
	uint32_t uid, gid;
	char owner[64], group[64]; /* their names, or digits */
	enum place_has acls;	   /* whether the file system has ACLs */
	struct acl acl;
	bool immutable, append_only;	    /* chattr(1) +i, +a */
	uint64_t mount;			    /* facts_mount(); 0: not known */
	enum place_has user_xattrs;	    /* the file system has user.* attributes */
	char *label;			    /* SELinux context; NULL: none */
};

/* Room in a file system, of statvfs(3). */
struct room {
	uint64_t size, free, free_root; /* bytes in all (0: no limit), free for users, for root */
	uint64_t files, files_free;	/* inodes in all (0: it makes them as needed), and free */
};

/*
 * The places from / to a path: folders that have to be passed, and at last the file or folder
 * itself.
 */
struct facts {
	struct place *place;
	size_t n;
	int err; /* why the walk ended after place[n - 1]: 0, it is the end; -ENOENT, -EACCES, … */
	/* Malloc'd, NULL if err is 0: */
	char *missing; /* the path that it could not go to */
	char *wanted;  /* that, and what would have come after it: if nothing, the same */
	struct room room;	  /* where the last place is */
	struct quota quota;	  /* of the user, there */
	struct mount_fact *mount;
	size_t nmounts;
};

/*
 * What gathering needs of the host, opened once: a sandbox that closes later leaves these open.
 */
struct facts_source {
	int mountinfo; /* /proc/self/mountinfo; -1: not there */
	struct people people;
};

/* Never fails: what cannot be opened leaves its facts unknown. facts_source_close() after it. */
void facts_source_open(struct facts_source *source);
void facts_source_close(struct facts_source *source);

/*
 * Walks to path, which may have symlinks (those are followed, and the folders on their way are
 * among the places) and may be relative. Quotas are those of uid. 0, also if the walk ended early;
 * -ENOMEM. facts must be zeroed; facts_free() is right after either.
 */
int facts_gather(struct facts *facts, const struct facts_source *source, const char *path,
		 uint32_t uid);
/*
 * Looks again at the last place, which fd (O_PATH is enough) refers to, and walks on from there,
 * along names that are no symlinks. What was gathered above it stays as it is. -ENOMEM, or as
 * stat(2).
 */
int facts_below(struct facts *facts, const struct facts_source *source, int fd, const char *path,
		uint32_t uid);
/* Forgets the places after the first n. */
void facts_cut(struct facts *facts, size_t n);
void facts_free(struct facts *facts);
/* Whether only the path's last name is not there, so that it could be created. */
bool facts_is_next(const struct facts *facts);

/* The mount that a place is on; NULL: not known. */
const struct mount_fact *facts_mount(const struct facts *facts, const struct place *place);

#endif
