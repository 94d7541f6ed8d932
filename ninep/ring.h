/* SPDX-License-Identifier: MIT */
/* The ring: host operations through io_uring, and where its thread sleeps. */
#ifndef NINEP_RING_H
#define NINEP_RING_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninep/io.h"
#include "ninep/lane.h"

struct p9_workers;

#define P9_RING_ENTRIES 256u
/* Of the completion queue. With no more in flight it cannot overflow. */
#define P9_RING_CQES (2 * P9_RING_ENTRIES)
/* Identities that the kernel holds ready; each is a set of credentials, some 200 bytes. */
#define P9_PERSONALITIES 64u
/*
 * Threads of the kernel's that carry out what waits; one file system may keep half of them busy.
 * Nothing tells whether an operation takes one, so each that has begun is taken for one that does.
 */
#define P9_RING_THREADS 64u

/* What is not atomic is the ring's thread's alone once that has begun, or does not change. */
struct p9_ring {
	struct io_uring uring;
	bool has[P9_IO_HOST_OPS];   /* the kernel has an opcode for it, and it is used */
	bool has_writeout;	    /* and one for sync_file_range(2) */
	pthread_t thread;	    /* the only one that touches uring */
	struct p9_workers *workers; /* for what the ring cannot do after all */

	unsigned int in_flight;		   /* entries; the spare ones are not counted */
	struct p9_io *begun[P9_RING_CQES]; /* operations: those in the ring, in no order */
	unsigned int n_begun;
	struct p9_lanes lanes; /* those that wait to begin, and a place for each thread */
	bool listening;	       /* to the eventfd */
	bool watching;	       /* the owner's descriptor, until it polls readable */

	struct p9_personality {
		struct p9_who who;
		int id; /* 0: none */
		uint64_t used;
	} personality[P9_PERSONALITIES];
	uint64_t uses;

	int event;			/* an eventfd that wakes the thread; nobody reads it */
	_Atomic(struct p9_io *) posted; /* handed over by other threads, the last one first */
	atomic_bool called;		/* there is something else to see to */
	atomic_bool away; /* the thread looks at these two only after it has been woken */
};

/* What p9_server_new() and p9_server_free() do for the ring. -ENOSYS: the kernel's is too old. */
int p9_ring_init(struct p9_ring *ring, struct p9_workers *workers);
void p9_ring_exit(struct p9_ring *ring);
/* The ring can carry this out. */
bool p9_ring_takes(const struct p9_ring *ring, const struct p9_io *io);
/* Whether this is the ring's thread. */
bool p9_ring_here(const struct p9_ring *ring);
/* Takes io, on any thread. On the ring's own, p9_ring_run() or p9_ring_wait() has to follow. */
void p9_ring_give(struct p9_ring *ring, struct p9_io *io);
/* As p9_server_run() and p9_server_wait(); fd may be -1. */
void p9_ring_run(struct p9_ring *ring);
int p9_ring_wait(struct p9_ring *ring, int fd);
/*
 * On any thread: p9_ring_wait() returns soon, and requests that have been flushed by now are
 * cancelled if they have not acted and wait for the ring or for a worker, or in the ring.
 */
void p9_ring_call(struct p9_ring *ring);

/* ---- ring_op.c ---- */

/* Which operations this kernel's io_uring has. 0, or -ENOSYS. */
int p9_ring_probe(struct p9_ring *ring);
/* How many entries io takes: 1, or 2 that are linked. */
unsigned int p9_ring_entries(const struct p9_io *io);
/*
 * Fills that many entries of the submission queue, in which there must be room. Their data is the
 * operation's address, and of a second one P9_RING_SECOND as well.
 */
void p9_ring_prepare(struct p9_ring *ring, struct p9_io *io, int personality);
#define P9_RING_SECOND 1u

/* ---- ring_identity.c ---- */

/*
 * The number by which entries name who, 0 for the process's own identity. Negative: the kernel has
 * none to give. What lies in the submission queue must have been submitted if it has to register
 * one more: -EAGAIN if not.
 */
int p9_ring_personality(struct p9_ring *ring, struct p9_who who);

#endif
