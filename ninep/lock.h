/* SPDX-License-Identifier: MIT */
/*
 * Byte-range locks (Tlock, Tgetlock).
 *
 * The owner of a lock is (client_id, proc_id). A session keeps, for each file with locks, the
 * ranges of all owners, and on the host one open file description that has their union locked: so
 * the owners exclude each other here, and they, another session and the host's processes there.
 * Where somebody has a whole file, which is what flock(2) in a guest comes as, the description has
 * the host's flock(2) too, so that the two exclude each other as well.
 */
#ifndef NINEP_LOCK_H
#define NINEP_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninep/hash.h"

struct p9_fid;
struct p9_node;
struct p9_req;
struct p9_session;
struct p9_lock_file;

/* Offsets are the host's: the last byte that can be locked, and so "to the end, however it grows".
 */
#define P9_LOCK_END	   INT64_MAX
#define P9_LOCK_CLIENT_MAX 255u

struct p9_lock_range {
	int64_t start, end; /* both included */
	bool write;
};

/* The files of a session with locks. */
struct p9_locks {
	pthread_mutex_t lock;
	struct p9_hash files;
	unsigned int n; /* ranges, of all files */
};

/* -ENOMEM. */
int p9_locks_init(struct p9_locks *locks);
void p9_locks_exit(struct p9_locks *locks);

/* What is asked of a file's locks; the executor carries it out, as one step. */
struct p9_lock_op {
	enum {
		P9_LOCK_TAKE,	  /* range, for the owner; replaces what the owner had there */
		P9_LOCK_GIVE,	  /* range, of the owner */
		P9_LOCK_GIVE_FID, /* whatever was taken through fid */
		P9_LOCK_TEST,	  /* who stands in the way of range? */
	} what;
	struct p9_lock_file *file;
	struct p9_lock_range range;
	const struct p9_fid *fid;
	uint32_t proc; /* the owner: this and client */
	const char *client;
	/* GIVE: whole files that were locked through fid are given back, whoever owns them */
	bool by_fid;

	/* of TEST */
	bool free;
	struct p9_lock_range held;
	uint32_t holder_proc;
	char *holder_client; /* malloc'd; NULL: the host */
};

static inline bool p9_lock_gives(const struct p9_lock_op *op)
{
	return op->what == P9_LOCK_GIVE || op->what == P9_LOCK_GIVE_FID;
}

/* Carries op out, here and now. -EAGAIN: somebody has it; -ENOLCK, -ENOMEM, or as fcntl(2). */
int p9_lock_call(struct p9_lock_op *op);

/* The locks of fid's file, opened if need be: a reference. Waits. */
int p9_lock_file_get(struct p9_req *req, const struct p9_fid *fid, struct p9_lock_file **file);
/* The last reference closes it, if there are no locks. Waits; with req NULL, in place. */
void p9_lock_file_put(struct p9_session *session, struct p9_req *req, struct p9_lock_file *file);
/* Gives back what was locked through fid. Waits; with req NULL, in place. */
void p9_lock_release_fid(struct p9_session *session, struct p9_req *req, const struct p9_fid *fid);

#endif
