/* SPDX-License-Identifier: MIT */
/*
 * Nodes: the files and folders that fids refer to, in a tree that the server remembers by itself.
 * `..` is answered from that tree, never by the host.
 *
 * A node is kept by references. Its descriptor is there only while it is pinned: one that nobody
 * uses just now may be given up when descriptors become scarce, and is opened anew when it is
 * needed (node_fd.c). Holding a node is both, a reference and a pin: what a request works with.
 */
#ifndef NINEP_NODE_H
#define NINEP_NODE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "ninep/creds.h"
#include "ninep/fs.h"
#include "ninep/hash.h"
#include "ninep/hide.h"
#include "ninep/p9.h"
#include "ninep/pool.h"
#include "ninep/proto.h"
#include "ninep/wire.h"

struct p9_req;

enum p9_btime {
	P9_BTIME_UNASKED,
	P9_BTIME_NONE, /* the file system has none */
	P9_BTIME_KNOWN,
};

/* A name up to here needs no memory of its own. */
#define P9_SHORT_NAME 40u

/* Place, table and clock are guarded by the share's lock. */
struct p9_node {
	atomic_uint refs; /* the last one goes under the lock: what is in the table has some */
	int fd;		  /* O_PATH; while it is pinned */
	atomic_int pins;  /* users of fd; far below 0 while it is given up */
	atomic_bool used; /* since the clock's hand last came by */
	struct p9_fs *fs;
	uint64_t ino;
	uint32_t type;	   /* S_IF…, as the guest knows it */
	atomic_bool setid; /* set-user-id bits that the host does not know of were seen */
	atomic_bool atime_due; /* atime.h */
	const struct p9_hide *hide; /* what is hidden in or below it (hide.h); NULL: nothing */

	struct p9_node *parent; /* holds a reference; NULL: the share's root */
	char *name;		/* in the parent; NULL: the share's root */
	atomic_bool placed;  /* in the table: as far as is known, it is where parent and name say */
	struct p9_link link; /* in the table */

	struct p9_node *clock_next, *clock_prev; /* NULL: its descriptor must stay */
	/* What its file must have when it is opened anew. */
	struct file_handle *handle; /* set before the descriptor is given up; NULL: there is none */
	struct statx_timestamp btime; /* does not change once it is known */
	_Atomic enum p9_btime btime_is;
	struct p9_seen_creds seen_creds; /* guarded by the share's lock */

	char short_name[P9_SHORT_NAME];
};

/* A host folder. */
struct p9_share {
	unsigned int refs;     /* guarded by the server's shares_lock */
	struct p9_share *next; /* of the server's shares */
	struct p9_server *server;
	struct p9_share_config config;
	atomic_bool said_multidevs;
	int handle_fd;	      /* the folder, for open_by_handle_at(2); -1: not allowed */
	struct p9_node *root; /* its descriptor always stays */
	struct p9_hide *hide; /* NULL: nothing is hidden */

	pthread_mutex_t lock;
	struct p9_hash table; /* of placed nodes, by parent and name */
	struct p9_pool pool;  /* of nodes; the lock is for taking */
	unsigned int nodes;
	struct p9_node *clock; /* the hand: the next one that is asked to give up its descriptor */
	unsigned int clock_n;
};

struct p9_share *p9_share_get(struct p9_share *share);

/* A copy of a node's place in the tree. */
struct p9_place_name {
	struct p9_node *parent; /* held, NULL if there is no such place */
	char name[P9_NAME_LEN + 1];
};

/* ---- references and pins ---- */

/* One more reference of a node that the caller has one of. */
struct p9_node *p9_node_get(struct p9_node *node);
/* Waits: the last reference closes the descriptor. With req NULL it does so in place. */
void p9_node_put(struct p9_share *share, struct p9_req *req, struct p9_node *node);

/*
 * Pins a node that the caller has a reference of. May wait. -ESTALE: the host has removed or moved
 * the file since its descriptor was given up; or as openat2(2).
 */
int p9_node_pin(struct p9_req *req, struct p9_node *node);
/* One more pin of a node that is pinned. */
void p9_node_pin_again(struct p9_node *node);
void p9_node_unpin(struct p9_node *node);
/* Gives back a node that is held. Waits. */
void p9_node_release(struct p9_req *req, struct p9_node *node);

/*
 * What statx says of a node's file, by fd, which is its descriptor or another that is open on it:
 * as the guest is to know it (owner.h), with STATX_BTIME only if `btime` asks for it and there is
 * one. Waits. As fstat(2).
 */
int p9_node_statx(struct p9_req *req, struct p9_node *node, int fd, bool btime, struct statx *stx);

/* ---- finding nodes ---- */

/*
 * One step of a walk from a dir that is held: name, which is valid, or "..", which does not lead
 * above root. The node is held. Also gives what statx says. Waits. As openat2(2): ENOENT (of what is
 * hidden, too), EACCES, ENOTDIR, …; ENODEV for another file system with P9_SHARE_FORBID_MULTIDEVS; ENFILE.
 */
int p9_node_step(struct p9_req *req, struct p9_node *root, struct p9_node *dir, const char *name,
		 struct p9_node **node, struct statx *stx);
/*
 * The node of the file behind fd, which was just created as name in dir. It is held; fd stays the
 * caller's.
 */
int p9_node_of_fd(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		  struct p9_node **node, struct statx *stx);
/* The node that is known as name in dir, held, so that it outlives its name; NULL if none is. */
struct p9_node *p9_node_at(struct p9_req *req, struct p9_node *dir, const char *name);

/* Where a node is; place->parent is NULL if it is the root or known to have been removed. Waits. */
int p9_node_where(struct p9_req *req, struct p9_node *node, struct p9_place_name *place);
/* The parent, or the node itself if it is the root: a reference, no pin. */
struct p9_node *p9_node_parent(struct p9_share *share, struct p9_node *node);

/* The file at name in dir, which is held, is this node: 0, or ENOENT. Waits. */
int p9_node_check(struct p9_req *req, const struct p9_node *node, const struct p9_node *dir,
		  const char *name);

/* ---- the remembered tree follows what happens ---- */

/* name in dir was removed or has become something else. */
void p9_node_removed(struct p9_req *req, struct p9_node *dir, const char *name);
/* oldname in olddir was renamed. Waits. */
void p9_node_renamed(struct p9_req *req, struct p9_node *olddir, const char *oldname,
		     struct p9_node *newdir, const char *newname);

/* ---- qids ---- */

uint64_t p9_stx_dev(const struct statx *stx);
/* The qid of a node's file, by what statx says of it. -ENOMEM. */
int p9_node_qid(struct p9_req *req, const struct p9_node *node, const struct statx *stx,
		struct p9_qid *qid);
/* A qid by what statx says. -ENOMEM. */
int p9_qid(struct p9_req *req, const struct statx *stx, struct p9_qid *qid);
/* The path of a qid alone, for an inode of a file system. -ENOMEM. */
int p9_node_qid_path(struct p9_req *req, struct p9_fs *fs, uint64_t ino, uint64_t *path);

/* ---- node_fd.c, for node.c and io.c ---- */

/* Sets node->btime_is, if it is not yet. Waits. */
void p9_node_ask_btime(struct p9_req *req, struct p9_share *share, struct p9_node *node);
/* Pins a node if its descriptor is there. */
bool p9_node_try_pin(struct p9_node *node);
/*
 * fd may be the descriptor that node gave up: 0, it is (fd is taken over), node is pinned; or a
 * negative errno, -ESTALE if it is another file. Waits.
 */
int p9_node_adopt(struct p9_req *req, struct p9_node *node, int fd, const struct statx *stx);
/* A node's descriptor came or went. */
void p9_node_count_fd(struct p9_share *share, int n);
/* Gives up descriptors while there are too many. Waits. */
void p9_node_trim(struct p9_req *req);
/* Gives up some, since the process has no more; false if none could be. Waits. */
bool p9_node_make_room(struct p9_req *req);
/* In and out of the clock; the share's lock is held. */
void p9_clock_add(struct p9_share *share, struct p9_node *node);
void p9_clock_del(struct p9_share *share, struct p9_node *node);

#endif
