/* SPDX-License-Identifier: MIT */
/* Inside a server: file systems and their classes, the ring, the workers. */
#ifndef NINEP_SERVER_H
#define NINEP_SERVER_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ninep/io.h"
#include "ninep/p9.h"
#include "ninep/wire.h"

enum p9_fs_class {
	P9_FS_OTHER,  /* may wait for anything: nfs, fuse, 9p, overlay, whatever is not known */
	P9_FS_LOCAL,  /* waits for a disk, and can be asked not to */
	P9_FS_MEMORY, /* never waits */
};

/*
 * A file system that nodes were found on, by st_dev. Its index, in the upper bits of qid.path,
 * stays for the server's life. A mounted file system keeps its st_dev only while something holds
 * it, so the class holds only while there are nodes: it is asked for anew with the first of them.
 */
struct p9_fs {
	struct p9_fs *next;
	uint64_t dev;
	uint32_t index;
	enum p9_fs_class class;
	unsigned int nodes;
};

/* exec_ring.c */
struct p9_ring {
	struct io_uring uring;
	bool has[P9_IO_HOST_OPS]; /* the kernel has an opcode for it, and it is used */
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

struct p9_server {
	enum p9_executor executor;
	int procfd;	     /* /proc/self/fd */
	bool identities;     /* may act as somebody else */
	struct p9_who own;   /* what the process itself is */
	bool resolve_cached; /* openat2 knows RESOLVE_CACHED */
	struct p9_ring ring;
	struct p9_workers workers;
	pthread_mutex_t fs_lock;
	struct p9_fs *fs;
	uint32_t fs_count;
};

/* As whoever the 9P user `uid` is; `gid` for what is created. */
struct p9_who p9_identity(const struct p9_server *server, uint32_t uid, uint32_t gid);

/* The entry of st_dev, made if need be; NULL: out of memory. Says nothing of the class. */
struct p9_fs *p9_fs_find(struct p9_server *server, uint64_t dev);
/* Counts one more node on it if its class is known, else returns NULL. */
struct p9_fs *p9_fs_get_known(struct p9_server *server, uint64_t dev);
/* Counts one more node and sets the class if it was not known; NULL: out of memory. */
struct p9_fs *p9_fs_get(struct p9_server *server, uint64_t dev, enum p9_fs_class class);
void p9_fs_put(struct p9_server *server, struct p9_fs *fs);
/* By statfs(2)'s f_type. */
enum p9_fs_class p9_fs_classify(uint64_t f_type);
uint64_t p9_qid_path(const struct p9_fs *fs, uint64_t ino);

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

#endif
