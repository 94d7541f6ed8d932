/* SPDX-License-Identifier: MIT */
/*
 * What a session's requests took: from taken (p9_submit() is called) to published (done() has
 * returned: the transport has put the reply where its client finds it), by message and by how far
 * the request had to go. Always counted.
 */
#ifndef NINEP_STATS_H
#define NINEP_STATS_H

#include <stdbool.h>

#include "ninep/hist.h"

struct p9_session;

/* A request counts where it went last of these. */
enum p9_path {
	P9_PATH_IN_PLACE, /* the thread that took it did all; or waited for another request */
	P9_PATH_RING,	  /* through io_uring */
	P9_PATH_WORKER,	  /* through a thread that may wait, for a lock too */
	P9_PATHS,
};

/* Requests that were answered, errors too. */
struct p9_stat {
	struct p9_hist ns;
	_Atomic uint64_t errors;   /* Rlerror */
	_Atomic uint64_t received; /* bytes of T-messages, by their size field */
	_Atomic uint64_t sent;	   /* bytes of R-messages */
};

/* By T-message: types are even numbers below 128, and 0 stands for every one that is none. */
#define P9_STAT_TYPES 64u

struct p9_stats {
	struct p9_stat stat[P9_STAT_TYPES][P9_PATHS];
	_Atomic uint64_t dropped; /* ended without a reply: flushed, reset, or no message at all */
};

/*
 * A session's numbers, from its beginning on, resets included. Large, but only what was counted
 * takes memory. They live as long as the session and change while they are read.
 */
const struct p9_stats *p9_session_stats(const struct p9_session *session);
/* Adds all of `from`; no other thread may write to `to`. */
void p9_stats_merge(struct p9_stats *to, const struct p9_stats *from);
/* "getattr" for stat[P9_TGETATTR / 2]; "unknown" for what is no message. */
const char *p9_stat_name(unsigned int index);

/* ---- session.c's ---- */

struct p9_counted {
	uint8_t type;	   /* of the T-message */
	enum p9_path path;
	uint64_t taken_ns, published_ns;
	uint32_t received, sent; /* bytes; sent 0: dropped */
	bool failed;
};
/* One at a time for the same stats. */
void p9_stats_add(struct p9_stats *stats, const struct p9_counted *one);

#endif
