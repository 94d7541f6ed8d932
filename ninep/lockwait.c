// SPDX-License-Identifier: MIT
/*
 * Waiting for a lock that somebody else has. A lock of this process is known to be free as soon as
 * it is given back; that the host gave one back nobody tells, so the waiting ask from time to time.
 * One thread does it, whatever the executor, since none of the others may wait so long.
 */
#include <errno.h>
#include <signal.h>
#include <time.h>

#include "ninep/server.h"
#include "ninep/session.h"

#define ASK_EVERY_MS 20

static struct timespec soon(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += ASK_EVERY_MS * 1000000l;
	if (t.tv_nsec >= 1000000000l) {
		t.tv_nsec -= 1000000000l;
		t.tv_sec++;
	}
	return t;
}

/* The lock is held. All that wait are carried on; those who still have to come back. */
static void take_turn(struct p9_lockwait *wait)
{
	struct p9_io *io = wait->waiting, *next;

	wait->waiting = NULL;
	wait->poke = false;
	pthread_mutex_unlock(&wait->lock);
	for (; io; io = next) {
		struct p9_req *req = io->req;

		next = io->next;
		/* It has not got the lock: a flushed one may end as if it had never begun. */
		if (atomic_load(&req->flushed)) {
			req->dropped = true;
			io->res = -ECANCELED;
		}
		p9_req_run(req, P9_ON_WORKER);
	}
	pthread_mutex_lock(&wait->lock);
}

static void *lockwait(void *arg)
{
	struct p9_lockwait *wait = arg;
	struct timespec until;

	pthread_mutex_lock(&wait->lock);
	while (!wait->stop) {
		if (!wait->waiting) {
			pthread_cond_wait(&wait->wake, &wait->lock);
			continue;
		}
		until = soon();
		while (!wait->poke && !wait->stop)
			if (pthread_cond_timedwait(&wait->wake, &wait->lock, &until) == ETIMEDOUT)
				break;
		take_turn(wait);
	}
	pthread_mutex_unlock(&wait->lock);
	return NULL;
}

void p9_lockwait_init(struct p9_lockwait *wait)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&wait->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&wait->wake, &attr);
	pthread_condattr_destroy(&attr);
}

int p9_lockwait_start(struct p9_lockwait *wait)
{
	sigset_t all, old;
	int err;

	if (wait->started)
		return -EALREADY;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = -pthread_create(&wait->thread, NULL, lockwait, wait);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	wait->started = !err;
	return err;
}

void p9_lockwait_stop(struct p9_lockwait *wait)
{
	pthread_mutex_lock(&wait->lock);
	wait->stop = true;
	pthread_cond_broadcast(&wait->wake);
	pthread_mutex_unlock(&wait->lock);
	if (wait->started)
		pthread_join(wait->thread, NULL);
	pthread_cond_destroy(&wait->wake);
	pthread_mutex_destroy(&wait->lock);
}

void p9_lockwait_give(struct p9_lockwait *wait, struct p9_io *io)
{
	pthread_mutex_lock(&wait->lock);
	io->next = wait->waiting;
	wait->waiting = io;
	pthread_cond_signal(&wait->wake);
	pthread_mutex_unlock(&wait->lock);
}

void p9_lockwait_poke(struct p9_lockwait *wait)
{
	pthread_mutex_lock(&wait->lock);
	wait->poke = true;
	pthread_cond_signal(&wait->wake);
	pthread_mutex_unlock(&wait->lock);
}
