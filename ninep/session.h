/* SPDX-License-Identifier: MIT */
/* Sessions and the requests in flight on them. */
#ifndef NINEP_SESSION_H
#define NINEP_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninep/co.h"
#include "ninep/fid.h"
#include "ninep/io.h"
#include "ninep/lock.h"
#include "ninep/node.h"
#include "ninep/p9.h"
#include "ninep/server.h"
#include "ninep/stats.h"
#include "ninep/wire.h"

/* The kind of thread a request is being carried on by. */
enum p9_place {
	P9_ON_CALLER, /* of p9_submit(): must not wait */
	P9_ON_RING,   /* must not wait */
	P9_ON_WORKER, /* may */
};

/*
 * One thread owns a request at a time: the one that runs its coroutine, or the executor that
 * carries out its p9_io.
 */
struct p9_req {
	struct p9_session *session;
	p9_done done;
	void *opaque;
	struct p9_co co;
	struct p9_io *io; /* what the coroutine waits for */
	enum p9_place place;
	struct p9_who who; /* the identity it acts as */
	bool lesser;	   /* it is about a file over which the guest's root has no rights */
	struct p9_counted counted;

	uint8_t type;
	uint16_t tag;
	int refused; /* an error that it is answered with, unread */
	/*
	 * Tflush and reset set `flushed`. Whoever is about to carry out an operation of such a
	 * request drops it instead; once `acted`, it goes on to its end: it has changed something,
	 * on the host or of what the session's fids mean.
	 */
	atomic_bool flushed;
	bool acted;
	bool dropped;
	/*
	 * Set before the reply is seen: from then on its tag means nothing and may be used again. Who
	 * flushes it still has to wait for done().
	 */
	atomic_bool answered;

	/* guarded by the session's lock */
	bool tagged; /* in the tag table */
	struct p9_req *next_tag;
	struct p9_req *flushers; /* wait for this one's end */

	struct p9_req *next; /* in a list: free, flushers, to be run */

	struct p9_in in;
	struct p9_out out;
	size_t payload; /* bytes of the reply that the host itself wrote behind what is in out */
	size_t reply_len;
	struct p9_pieces t, r; /* of these: */
	struct iovec t_iov[P9_MAX_IOV], r_iov[P9_MAX_IOV];
	struct iovec data[P9_MAX_IOV]; /* the part of one of them that is Tread's or Twrite's payload */
	size_t t_size;		       /* the T-message's size field */
	uint8_t t_buf[P9_T_MAX];
};

/* A request that was answered keeps its slot until done() has returned, one on each thread. */
#define P9_SLOTS (P9_MAX_REQS + 64u)
#define P9_TAG_BUCKETS 256u

struct p9_session {
	struct p9_share *share;
	struct p9_fids fids;
	struct p9_locks locks;
	atomic_uint lock_waits; /* requests that wait for a lock */
	atomic_uint xattrs;	/* attributes under way */
	atomic_uint msize;	/* 0: there was no Tversion yet */

	void (*round)(void *arg, bool begins); /* may be NULL */
	void *round_arg;

	pthread_mutex_t lock;
	pthread_cond_t idle;
	unsigned int active; /* requests whose done() has not returned; and a round */
	atomic_uint unanswered;
	unsigned int resetting;
	struct p9_req *version; /* a Tversion is waiting for the others to end, or at work */
	struct p9_req *version_waits; /* it, while it waits */
	struct p9_req *by_tag[P9_TAG_BUCKETS];
	struct p9_req *free; /* the last one used first: its memory is warm */
	struct p9_stats stats;
	unsigned int fresh;  /* req[] from here on was never used, and takes no memory yet */
	struct p9_req req[P9_SLOTS];
};

static inline struct p9_server *p9_req_server(const struct p9_req *req)
{
	return req->session->share->server;
}

static inline struct p9_share *p9_req_share(const struct p9_req *req)
{
	return req->session->share;
}

/* On the request's coroutine: has io carried out and returns its result. Waits. */
long p9_await(struct p9_req *req, struct p9_io *io);
/* Carries a request on, on this thread, which may wait if `place` says so. */
void p9_req_run(struct p9_req *req, enum p9_place place);
/*
 * Around several requests of the session that the ring's thread carries on one after the other. The
 * session stays meanwhile.
 */
void p9_round_begin(struct p9_session *session);
void p9_round_end(struct p9_session *session);
/* Drops a request that was flushed before it began: true, and io->res is ECANCELED. */
bool p9_req_drop(struct p9_io *io);
/* Whether that would be so. */
bool p9_req_may_drop(const struct p9_io *io);

/* msg.c: one whole message, on its coroutine: leaves the reply in r. Returns its length. */
size_t p9_message(struct p9_req *req);
/* Writes an Rlerror into r; its length, 0 if it does not fit. */
size_t p9_error(struct p9_req *req, int err);

#endif
