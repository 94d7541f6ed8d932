// SPDX-License-Identifier: MIT
/* Threads for what would wait and has no place in the ring. */
#include <errno.h>
#include <signal.h>

#include "ninep/server.h"
#include "ninep/session.h"

/* The lock is held. NULL: nothing may be started now. */
static struct p9_io *take(struct p9_workers *workers)
{
	struct p9_lane **at = p9_lanes_next(&workers->lanes);
	struct p9_io *io = at ? p9_lanes_take(&workers->lanes, at) : NULL;

	/* What this worker was at before may have been in the way of more than one. */
	if (io && p9_lanes_next(&workers->lanes))
		pthread_cond_signal(&workers->wake);
	return io;
}

static void *worker(void *arg)
{
	struct p9_workers *workers = arg;
	struct p9_lane *lane;
	struct p9_io *io;

	pthread_mutex_lock(&workers->lock);
	for (;;) {
		while (!(io = take(workers)) && !workers->stop)
			pthread_cond_wait(&workers->wake, &workers->lock);
		if (!io)
			break;
		pthread_mutex_unlock(&workers->lock);
		lane = p9_lane_of(&workers->lanes, io);
		if (!p9_req_drop(io))
			p9_io_call(io);
		p9_req_run(io->req, P9_ON_WORKER);
		pthread_mutex_lock(&workers->lock);
		p9_lanes_leave(&workers->lanes, lane);
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

void p9_workers_init(struct p9_workers *workers)
{
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wake, NULL);
	p9_lanes_init(&workers->lanes, P9_LANE_WORKER, 0);
}

int p9_workers_start(struct p9_workers *workers)
{
	unsigned int *n = &workers->lanes.places;
	sigset_t all, old;
	int err = 0;

	if (*n)
		return -EALREADY;
	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&workers->lock);
	while (*n < P9_WORKERS && !err) {
		err = -pthread_create(&workers->thread[*n], NULL, worker, workers);
		if (!err)
			(*n)++;
	}
	pthread_mutex_unlock(&workers->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

void p9_workers_stop(struct p9_workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stop = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	for (unsigned int i = 0; i < workers->lanes.places; i++)
		pthread_join(workers->thread[i], NULL);
	workers->lanes.places = 0;
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
}

void p9_workers_give(struct p9_workers *workers, struct p9_io *io)
{
	struct p9_server *server = p9_req_server(io->req);
	struct p9_lane *lane = p9_lane_of(&workers->lanes, io);
	bool flushed;

	pthread_mutex_lock(&workers->lock);
	p9_lanes_add(&workers->lanes, io);
	flushed = p9_req_may_drop(io);
	if (p9_lane_may_start(&workers->lanes, lane))
		pthread_cond_signal(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	if (flushed)
		p9_ring_call(&server->ring);
}

struct p9_io *p9_workers_drop(struct p9_workers *workers)
{
	struct p9_io *dropped;

	pthread_mutex_lock(&workers->lock);
	dropped = p9_lanes_drop(&workers->lanes);
	pthread_mutex_unlock(&workers->lock);
	return dropped;
}
