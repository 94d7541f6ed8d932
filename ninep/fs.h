/* SPDX-License-Identifier: MIT */
/*
 * The file systems that files of a share are on: whether they can wait, and how inode numbers of
 * several become one space of qid.path.
 */
#ifndef NINEP_FS_H
#define NINEP_FS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninep/hash.h"
#include "ninep/lane.h"

enum p9_fs_class {
	P9_FS_OTHER,  /* may wait for anything: nfs, fuse, 9p, overlay, whatever is not known */
	P9_FS_LOCAL,  /* waits for a disk, and can be asked not to */
	P9_FS_MEMORY, /* never waits */
};

/*
 * A file system that nodes were found on, by st_dev; it stays for the server's life. A mounted file
 * system keeps its st_dev only while something holds it, so the class holds only while there are
 * nodes: it is asked for anew with the first of them.
 */
struct p9_fs {
	struct p9_fs *next;
	uint64_t dev;
	enum p9_fs_class class;
	atomic_uint nodes;
	/* The prefix of inode numbers whose upper bits are 0, and 1 more; 0: there is none yet. */
	atomic_uint low_prefix;
	struct p9_lane lane[P9_LANE_KINDS];
	atomic_bool writes_wait; /* it cannot be asked to write without waiting */
	atomic_int atime;	 /* atime.c */
};

struct p9_filesystems {
	pthread_mutex_t lock;
	struct p9_fs *first;
	struct p9_hash prefixes; /* of qid.path, by file system and upper bits of inode number */
};

/* -ENOMEM. */
int p9_filesystems_init(struct p9_filesystems *all);
void p9_filesystems_exit(struct p9_filesystems *all);

/* The entry of st_dev, made if need be; NULL: out of memory. Says nothing of the class. */
struct p9_fs *p9_fs_find(struct p9_filesystems *all, uint64_t dev);
/* Counts one more node on it if its class is known, else returns NULL. */
struct p9_fs *p9_fs_get_known(struct p9_filesystems *all, uint64_t dev);
/* Counts one more on a file system that has one. */
struct p9_fs *p9_fs_get_more(struct p9_fs *fs);
/* Counts one more node and sets the class if it was not known; NULL: out of memory. */
struct p9_fs *p9_fs_get(struct p9_filesystems *all, uint64_t dev, enum p9_fs_class class);
void p9_fs_put(struct p9_fs *fs);
/* By statfs(2)'s f_type. */
enum p9_fs_class p9_fs_classify(uint64_t f_type);

/* One number for each (file system, inode). -ENOMEM. */
int p9_qid_path(struct p9_filesystems *all, struct p9_fs *fs, uint64_t ino, uint64_t *path);

#endif
