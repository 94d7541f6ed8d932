// SPDX-License-Identifier: MIT
/*
 * Threads for what would wait and has no place in the ring.
 *
 * A file system that does not answer must not keep those of others waiting. So each has a lane of its
 * own, which gets one more worker only while it has fewer than are free: one alone gets half of them,
 * a second one half of the rest, and so on. Lanes take turns.
 */
#include <errno.h>
#include <signal.h>

#include "ninep/server.h"
#include "ninep/session.h"

/* ---- lanes; the lock is held ---- */

static struct p9_lane *lane_of(struct p9_workers *workers, struct p9_io *io)
{
	return io->fs ? &io->fs->lane : &workers->lane;
}

static void enqueue(struct p9_workers *workers, struct p9_lane *lane)
{
	lane->next = NULL;
	*workers->waiting_end = lane;
	workers->waiting_end = &lane->next;
}

static bool may_start(const struct p9_workers *workers, const struct p9_lane *lane)
{
	return lane->busy < workers->n - workers->busy;
}

/* Where the first lane that may start something is linked; NULL: there is none. */
static struct p9_lane **find(struct p9_workers *workers)
{
	struct p9_lane **at;

	for (at = &workers->waiting; *at; at = &(*at)->next)
		if (may_start(workers, *at))
			return at;
	return NULL;
}

/* NULL: nothing may be started now. */
static struct p9_io *take(struct p9_workers *workers)
{
	struct p9_lane **at = find(workers), *lane;
	struct p9_io *io;

	if (!at)
		return NULL;
	lane = *at;
	*at = lane->next;
	if (!lane->next)
		workers->waiting_end = at;
	io = lane->first;
	lane->first = io->next;
	if (lane->first)
		enqueue(workers, lane);
	lane->busy++;
	workers->busy++;
	/* What this worker was at before may have been in the way of more than one. */
	if (find(workers))
		pthread_cond_signal(&workers->wake);
	return io;
}

/* ---- threads ---- */

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
		lane = lane_of(workers, io);
		if (!p9_req_drop(io))
			p9_io_call(io);
		p9_req_run(io->req, P9_ON_WORKER);
		pthread_mutex_lock(&workers->lock);
		lane->busy--;
		workers->busy--;
	}
	pthread_mutex_unlock(&workers->lock);
	return NULL;
}

void p9_workers_init(struct p9_workers *workers)
{
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wake, NULL);
	workers->waiting_end = &workers->waiting;
}

int p9_workers_start(struct p9_workers *workers)
{
	sigset_t all, old;
	int err = 0;

	if (workers->n)
		return -EALREADY;
	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&workers->lock);
	while (workers->n < P9_WORKERS && !err) {
		err = -pthread_create(&workers->thread[workers->n], NULL, worker, workers);
		if (!err)
			workers->n++;
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
	for (unsigned int i = 0; i < workers->n; i++)
		pthread_join(workers->thread[i], NULL);
	workers->n = 0;
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
}

void p9_workers_give(struct p9_workers *workers, struct p9_io *io)
{
	struct p9_lane *lane = lane_of(workers, io);

	io->next = NULL;
	pthread_mutex_lock(&workers->lock);
	if (!lane->first) {
		lane->end = &lane->first;
		enqueue(workers, lane);
	}
	*lane->end = io;
	lane->end = &io->next;
	if (may_start(workers, lane))
		pthread_cond_signal(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
}
