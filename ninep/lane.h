/* SPDX-License-Identifier: MIT */
/*
 * Queues of operations that may wait, one for each file system, and a number of places in which
 * they do so: the workers, or the kernel's threads behind the ring.
 *
 * A file system that does not answer must not keep those of others waiting. So each has a lane of
 * its own, which gets one more place only while it has fewer than are free: one alone gets half of
 * them, a second one half of the rest, and so on. Lanes take turns.
 *
 * None of this has a lock of its own: whose the places are, his is the lock, or the only thread.
 */
#ifndef NINEP_LANE_H
#define NINEP_LANE_H

#include <stdbool.h>

struct p9_io;

/* A file system has one of each kind. */
enum p9_lane_kind {
	P9_LANE_RING,
	P9_LANE_WORKER,
	P9_LANE_KINDS,
};

struct p9_lane {
	struct p9_io *first, **end; /* what waits for a place */
	unsigned int busy;	    /* places that it has */
	struct p9_lane *next;	    /* in the list of those in which something waits */
};

struct p9_lanes {
	enum p9_lane_kind kind;
	unsigned int places, busy;
	struct p9_lane other;			/* of what falls on no file system in particular */
	struct p9_lane *waiting, **waiting_end; /* the lanes in which something waits, by turns */
};

void p9_lanes_init(struct p9_lanes *lanes, enum p9_lane_kind kind, unsigned int places);
/* The lane of io, to be asked for while io is there. */
struct p9_lane *p9_lane_of(struct p9_lanes *lanes, struct p9_io *io);
/* Puts io behind what waits in its lane. */
void p9_lanes_add(struct p9_lanes *lanes, struct p9_io *io);
/* Whether the lane may have one more place. */
bool p9_lane_may_start(const struct p9_lanes *lanes, const struct p9_lane *lane);
/* Where the lane that has its turn is linked: its first operation is next. NULL: there is none. */
struct p9_lane **p9_lanes_next(struct p9_lanes *lanes);
/* Takes that operation out of it, and gives it a place. */
struct p9_io *p9_lanes_take(struct p9_lanes *lanes, struct p9_lane **at);
/* Gives the place back. */
void p9_lanes_leave(struct p9_lanes *lanes, struct p9_lane *lane);
/* Takes all out that were flushed and may be dropped, and drops them: a list. */
struct p9_io *p9_lanes_drop(struct p9_lanes *lanes);

#endif
