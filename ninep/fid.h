/* SPDX-License-Identifier: MIT */
/* Fids: the client's numbers for files. A fid never changes, only what a number means does. */
#ifndef NINEP_FID_H
#define NINEP_FID_H

#include <pthread.h>
#include <stdint.h>

#include "ninep/io.h"
#include "ninep/node.h"

struct p9_session;

struct p9_fid {
	unsigned int refs; /* guarded by the table's lock */
	uint32_t num;
	struct p9_node *node;	 /* holds a reference */
	struct p9_node *root;	 /* of its attach: holds a reference */
	uint32_t uid;		 /* 9P's n_uname */
	int fd;			 /* of an open fid, else -1 */
	unsigned int flags;	 /* P9_OPEN_… it was opened with */
	struct p9_dirpos dirpos; /* of an open folder */
	struct p9_fid *next;
};

#define P9_FID_BUCKETS 1024u

struct p9_fids {
	pthread_mutex_t lock;
	unsigned int n;
	struct p9_fid *bucket[P9_FID_BUCKETS];
};

/*
 * A fid that is not yet in the table, with one reference. Takes references to both nodes; fd (or
 * -1) is the fid's from then on if this succeeds. NULL: out of memory.
 */
struct p9_fid *p9_fid_new(struct p9_req *req, struct p9_node *root, struct p9_node *node,
			  uint32_t uid, int fd, unsigned int flags);
/* Gives back a reference; the last one closes. Waits. */
int p9_fid_put(struct p9_req *req, struct p9_fid *fid);

/* A reference to what num means; the request acts as its user from now on. EBADF. */
int p9_fid_get(struct p9_req *req, uint32_t num, struct p9_fid **fid);
/* Makes num mean fid, if it means nothing yet. The table has its own reference. EBADF, EMFILE. */
int p9_fid_add(struct p9_req *req, uint32_t num, struct p9_fid *fid);
/* Makes old's number mean fid instead. EBADF if it no longer means old. */
int p9_fid_replace(struct p9_req *req, struct p9_fid *old, struct p9_fid *fid);
/* Takes num out of the table and hands its reference to the caller; EBADF. */
int p9_fid_remove(struct p9_req *req, uint32_t num, struct p9_fid **fid);
/* Takes all out. Waits if req is not NULL, else closes in place. */
void p9_fid_clear(struct p9_session *session, struct p9_req *req);

#endif
