// SPDX-License-Identifier: MIT
/* Threads for what would wait and has no place in the ring. */
#include <errno.h>
#include <signal.h>

#include "ninep/server.h"
#include "ninep/session.h"

static void *worker(void *arg)
{
	struct p9_workers *workers = arg;
	struct p9_io *io;

	for (;;) {
		pthread_mutex_lock(&workers->lock);
		while (!workers->queue && !workers->stop)
			pthread_cond_wait(&workers->wake, &workers->lock);
		io = workers->queue;
		if (io) {
			workers->queue = io->next;
			if (!workers->queue)
				workers->queue_end = &workers->queue;
		}
		pthread_mutex_unlock(&workers->lock);
		if (!io)
			return NULL;
		if (!p9_req_drop(io))
			p9_io_call(io);
		p9_req_run(io->req, P9_ON_WORKER);
	}
}

void p9_workers_init(struct p9_workers *workers)
{
	pthread_mutex_init(&workers->lock, NULL);
	pthread_cond_init(&workers->wake, NULL);
	workers->queue_end = &workers->queue;
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
	while (workers->n < P9_WORKERS && !err) {
		err = -pthread_create(&workers->thread[workers->n], NULL, worker, workers);
		if (!err)
			workers->n++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

void p9_workers_stop(struct p9_workers *workers)
{
	pthread_mutex_lock(&workers->lock);
	workers->stop = true;
	pthread_cond_broadcast(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
	while (workers->n)
		pthread_join(workers->thread[--workers->n], NULL);
	pthread_cond_destroy(&workers->wake);
	pthread_mutex_destroy(&workers->lock);
}

void p9_workers_give(struct p9_workers *workers, struct p9_io *io)
{
	io->next = NULL;
	pthread_mutex_lock(&workers->lock);
	*workers->queue_end = io;
	workers->queue_end = &io->next;
	pthread_cond_signal(&workers->wake);
	pthread_mutex_unlock(&workers->lock);
}
