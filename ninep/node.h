/* SPDX-License-Identifier: MIT */
/*
 * Nodes: the files and folders that fids refer to, in a tree that the server remembers by itself.
 * `..` is answered from that tree, never by the host.
 */
#ifndef NINEP_NODE_H
#define NINEP_NODE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ninep/p9.h"
#include "ninep/proto.h"
#include "ninep/wire.h"

struct p9_fs;
struct p9_req;

/* References, place and table are guarded by the share's lock; the rest never changes. */
struct p9_node {
	unsigned int refs;
	int fd; /* O_PATH */
	struct p9_fs *fs;
	uint64_t ino;
	uint32_t type; /* S_IF… */

	struct p9_node *parent; /* holds a reference; NULL: the share's root */
	char *name;		/* in the parent; NULL: the share's root */
	bool placed; /* in the table: as far as is known, it is where parent and name say */
	struct p9_node *next; /* in the table */
};

#define P9_NODE_BUCKETS 1024u

struct p9_share {
	atomic_uint refs;
	struct p9_server *server;
	unsigned int flags; /* P9_SHARE_… */
	struct p9_node *root;
	pthread_mutex_t lock;
	struct p9_node *bucket[P9_NODE_BUCKETS]; /* by parent and name */
};

/* A copy of a node's place in the tree. */
struct p9_place_name {
	struct p9_node *parent; /* holds a reference, NULL if there is no such place */
	char name[P9_NAME_LEN + 1];
};

struct p9_node *p9_node_get(struct p9_share *share, struct p9_node *node);
/* Waits: the last reference closes the descriptor. With req NULL it does so in place. */
void p9_node_put(struct p9_share *share, struct p9_req *req, struct p9_node *node);

/*
 * One step of a walk: name, which is valid, or "..", which does not lead above root. Gives a
 * reference, and what statx says. Waits. As openat2(2): ENOENT, EACCES, ENOTDIR, …
 */
int p9_node_step(struct p9_req *req, struct p9_node *root, struct p9_node *dir, const char *name,
		 struct p9_node **node, struct statx *stx);
/*
 * The node of the file behind fd, which was just created as name in dir. fd stays the caller's.
 */
int p9_node_of_fd(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		  struct p9_node **node, struct statx *stx);

/* Where a node is. parent is NULL if it is the root or is known to have been removed. */
void p9_node_where(struct p9_share *share, struct p9_node *node, struct p9_place_name *place);
/* The parent, or the node itself if it is the root: a reference. */
struct p9_node *p9_node_parent(struct p9_share *share, struct p9_node *node);
/* name in dir was removed or has become something else. */
void p9_node_removed(struct p9_req *req, struct p9_node *dir, const char *name);
/* oldname in olddir was renamed: the remembered tree follows. Waits. */
void p9_node_renamed(struct p9_req *req, struct p9_node *olddir, const char *oldname,
		     struct p9_node *newdir, const char *newname);

/* The file at name in dir is this node: 0, or ENOENT. Waits. */
int p9_node_check(struct p9_req *req, const struct p9_node *node, const struct p9_node *dir,
		  const char *name);

uint64_t p9_stx_dev(const struct statx *stx);
/* A qid by what statx says. -ENOMEM. */
int p9_qid(struct p9_req *req, const struct statx *stx, struct p9_qid *qid);

#endif
