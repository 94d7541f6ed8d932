/* SPDX-License-Identifier: MIT */
/* Inside a server: file systems and their classes, the ring, the workers. */
#ifndef NINEP_SERVER_H
#define NINEP_SERVER_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninep/fs.h"
#include "ninep/io.h"
#include "ninep/p9.h"
#include "ninep/wire.h"

/* exec_ring.c */
struct p9_ring {
	struct io_uring uring;
	bool has[P9_IO_HOST_OPS]; /* the kernel has an opcode for it, and it is used */
	bool has_writeout;	  /* and one for sync_file_range(2) */
	pthread_t thread;	  /* the only one that touches uring */
	int event;		  /* an eventfd: something to do for that thread */
	unsigned int in_flight;	  /* in the ring; never more than its completion queue holds */
	struct p9_io *backlog, **backlog_end; /* of that thread, waiting for room in the ring */

	pthread_mutex_t lock;
	struct p9_io *posted, **posted_end; /* handed over by other threads */
};

/* worker.c */
struct p9_workers {
	pthread_t thread[P9_WORKERS];
	unsigned int n;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct p9_io *queue, **queue_end;
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

/* What p9_server_new() and p9_server_free() do for the ring. */
int p9_ring_init(struct p9_ring *ring);
void p9_ring_exit(struct p9_ring *ring);
/* The ring can carry this out. */
bool p9_ring_takes(const struct p9_ring *ring, const struct p9_io *io);
/* Whether this is the ring's thread. */
bool p9_ring_here(const struct p9_ring *ring);
/* Takes io, on any thread. On the ring's own, p9_ring_submit() has to follow. */
void p9_ring_give(struct p9_ring *ring, struct p9_io *io);
void p9_ring_submit(struct p9_ring *ring);
void p9_ring_run(struct p9_ring *ring);
/* Makes the eventfd readable. */
void p9_ring_kick(struct p9_ring *ring);

void p9_workers_init(struct p9_workers *workers);
int p9_workers_start(struct p9_workers *workers);
void p9_workers_stop(struct p9_workers *workers);
void p9_workers_give(struct p9_workers *workers, struct p9_io *io);

void p9_lockwait_init(struct p9_lockwait *wait);
int p9_lockwait_start(struct p9_lockwait *wait);
void p9_lockwait_stop(struct p9_lockwait *wait);
/* Carries io's request on a little later, after p9_lockwait_poke(), or when it is flushed. */
void p9_lockwait_give(struct p9_lockwait *wait, struct p9_io *io);
void p9_lockwait_poke(struct p9_lockwait *wait);

#endif
