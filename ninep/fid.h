/* SPDX-License-Identifier: MIT */
/* Fids: the client's numbers for files. A fid never changes, only what a number means does. */
#ifndef NINEP_FID_H
#define NINEP_FID_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ninep/hash.h"
#include "ninep/io.h"
#include "ninep/node.h"
#include "ninep/pool.h"

struct p9_session;

/* An extended attribute, or the list of their names, between Txattrwalk or -create and Tclunk. */
struct p9_xattr {
	char name[P9_NAME_LEN + 1];
	bool set;	/* to be set at Tclunk; else it is only read */
	uint32_t flags; /* XATTR_CREATE, XATTR_REPLACE */
	size_t size;
	pthread_mutex_t lock; /* of these, and of the value of one that is to be set */
	size_t written;
	bool over; /* it is being set: no more writes */
	_Alignas(4) uint8_t value[]; /* an ACL has words in it */
};

/* What a fid is made of. */
struct p9_fid_of {
	struct p9_node *node;
	struct p9_node *root; /* of its attach */
	uint32_t uid;	      /* 9P's n_uname */
	int fd;		      /* of an open fid, else -1 */
	unsigned int flags;   /* P9_OPEN_… it was opened with */
	struct p9_xattr *xattr;
};

struct p9_fid {
	atomic_uint refs; /* while it is in the table, that has one */
	uint32_t num;
	struct p9_node *node;	 /* holds a reference; a pin too if the fid is open or an xattr */
	struct p9_node *root;	 /* of its attach: holds a reference */
	uint32_t uid;		 /* 9P's n_uname */
	int fd;			 /* of an open fid, else -1 */
	unsigned int flags;	 /* P9_OPEN_… it was opened with */
	struct p9_xattr *xattr;	 /* it stands for an attribute of the node, not for the node */
	atomic_bool locked;	 /* there may be locks that were taken through it */
	struct p9_dirpos dirpos; /* of an open folder */
	struct p9_link link;
};

struct p9_fids {
	pthread_mutex_t lock; /* also for taking from the pool */
	struct p9_hash table;
	struct p9_pool pool;
};

/*
 * A hold on what num means: a reference, and its node is pinned; the request acts as its user from
 * now on. Waits. EBADF, also if it stands for an attribute; or as p9_node_pin().
 */
int p9_fid_get(struct p9_req *req, uint32_t num, struct p9_fid **fid);
/* The same, and attributes are welcome. */
int p9_fid_get_any(struct p9_req *req, uint32_t num, struct p9_fid **fid);
/* Gives back a hold; the last reference closes. Waits. */
void p9_fid_put(struct p9_req *req, struct p9_fid *fid);

/*
 * Makes num mean a new fid, if it means nothing yet. Its node is held by the caller; takes
 * references to both nodes. fd and xattr are the fid's from then on if this succeeds. EBADF,
 * EMFILE, ENOMEM.
 */
int p9_fid_add(struct p9_req *req, uint32_t num, const struct p9_fid_of *of);
/* The same, in place of old. EBADF if its number no longer means old; ENOMEM. Waits. */
int p9_fid_replace(struct p9_req *req, struct p9_fid *old, const struct p9_fid_of *of);
/*
 * num means nothing any more. Waits. EBADF if it meant nothing; or what closing the file, or
 * setting the attribute, says.
 */
int p9_fid_clunk(struct p9_req *req, uint32_t num);
/* Takes all out. Waits if req is not NULL, else closes in place. */
void p9_fid_clear(struct p9_session *session, struct p9_req *req);

#endif
