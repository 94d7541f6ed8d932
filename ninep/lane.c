// SPDX-License-Identifier: MIT
#include "ninep/lane.h"

#include "ninep/fs.h"
#include "ninep/io.h"
#include "ninep/session.h"

void p9_lanes_init(struct p9_lanes *lanes, enum p9_lane_kind kind, unsigned int places)
{
	*lanes = (struct p9_lanes){.kind = kind, .places = places};
	lanes->waiting_end = &lanes->waiting;
}

struct p9_lane *p9_lane_of(struct p9_lanes *lanes, struct p9_io *io)
{
	return io->fs ? &io->fs->lane[lanes->kind] : &lanes->other;
}

static void enqueue(struct p9_lanes *lanes, struct p9_lane *lane)
{
	lane->next = NULL;
	*lanes->waiting_end = lane;
	lanes->waiting_end = &lane->next;
}

static void dequeue(struct p9_lanes *lanes, struct p9_lane **at)
{
	struct p9_lane *lane = *at;

	*at = lane->next;
	if (!lane->next)
		lanes->waiting_end = at;
}

void p9_lanes_add(struct p9_lanes *lanes, struct p9_io *io)
{
	struct p9_lane *lane = p9_lane_of(lanes, io);

	io->next = NULL;
	if (!lane->first) {
		lane->end = &lane->first;
		enqueue(lanes, lane);
	}
	*lane->end = io;
	lane->end = &io->next;
}

bool p9_lane_may_start(const struct p9_lanes *lanes, const struct p9_lane *lane)
{
	return lane->busy < lanes->places - lanes->busy;
}

struct p9_lane **p9_lanes_next(struct p9_lanes *lanes)
{
	struct p9_lane **at;

	for (at = &lanes->waiting; *at; at = &(*at)->next)
		if (p9_lane_may_start(lanes, *at))
			return at;
	return NULL;
}

struct p9_io *p9_lanes_take(struct p9_lanes *lanes, struct p9_lane **at)
{
	struct p9_lane *lane = *at;
	struct p9_io *io = lane->first;

	dequeue(lanes, at);
	lane->first = io->next;
	if (lane->first)
		enqueue(lanes, lane);
	lane->busy++;
	lanes->busy++;
	return io;
}

void p9_lanes_leave(struct p9_lanes *lanes, struct p9_lane *lane)
{
	lane->busy--;
	lanes->busy--;
}

/* Moves what is dropped from the lane to the end of a list, and returns the end of that. */
static struct p9_io **drop(struct p9_lane *lane, struct p9_io **end)
{
	struct p9_io **at = &lane->first, *io;

	while ((io = *at)) {
		if (p9_req_drop(io)) {
			*at = io->next;
			*end = io;
			end = &io->next;
		} else {
			at = &io->next;
		}
	}
	lane->end = at;
	return end;
}

struct p9_io *p9_lanes_drop(struct p9_lanes *lanes)
{
	struct p9_lane **at = &lanes->waiting, *lane;
	struct p9_io *first, **end = &first;

	while ((lane = *at)) {
		end = drop(lane, end);
		if (lane->first)
			at = &lane->next;
		else
			dequeue(lanes, at);
	}
	*end = NULL;
	return first;
}
