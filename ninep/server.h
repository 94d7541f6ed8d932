/* SPDX-License-Identifier: MIT */
/* Inside a server: file systems and their classes, the workers, and who waits for locks. */
#ifndef NINEP_SERVER_H
#define NINEP_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninep/fs.h"
#include "ninep/io.h"
#include "ninep/p9.h"
#include "ninep/ring.h"
#include "ninep/wire.h"

/* worker.c */
struct p9_workers {
	pthread_t thread[P9_WORKERS];
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct p9_lanes lanes; /* a place for each thread */
	bool stop;
};

/* lockwait.c */
struct p9_lockwait {
	pthread_t thread;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct p9_io *waiting;
	bool poke; /* a lock was given back, or a request flushed: look at once */
	bool stop;
};

struct p9_server {
	enum p9_executor executor;
	int procfd;	     /* /proc/self/fd */
	bool identities;     /* may act as somebody else */
	struct p9_who own;   /* what the process itself is */
	bool resolve_cached; /* openat2 knows RESOLVE_CACHED */
	unsigned int callers; /* threads that wait for one another while p9_submit() is at work */
	struct p9_ring ring;
	struct p9_workers workers;
	struct p9_lockwait lockwait;
	struct p9_filesystems filesystems;

	/* Descriptors of nodes that are open, of all shares, and how many may be. */
	atomic_uint node_fds;
	unsigned int node_fds_max;
	pthread_mutex_t shares_lock;
	struct p9_share *shares; /* the references of each are guarded by this lock, too */

	void (*say)(void *arg, const char *sentence); /* may be NULL */
	void *say_arg;
	void (*refused)(void *arg, const struct p9_refusal *refusal); /* may be NULL */
	void *refused_arg;
};

void p9_workers_init(struct p9_workers *workers);
int p9_workers_start(struct p9_workers *workers);
void p9_workers_stop(struct p9_workers *workers);
void p9_workers_give(struct p9_workers *workers, struct p9_io *io);
/* Drops what was flushed and has not begun: a list of what is to be carried on. */
struct p9_io *p9_workers_drop(struct p9_workers *workers);

void p9_lockwait_init(struct p9_lockwait *wait);
int p9_lockwait_start(struct p9_lockwait *wait);
void p9_lockwait_stop(struct p9_lockwait *wait);
/* Carries io's request on a little later, after p9_lockwait_poke(), or when it is flushed. */
void p9_lockwait_give(struct p9_lockwait *wait, struct p9_io *io);
void p9_lockwait_poke(struct p9_lockwait *wait);

#endif
