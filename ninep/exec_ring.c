// SPDX-License-Identifier: MIT
/*
 * Host operations through io_uring. One thread owns the ring; others hand over by a list and an
 * eventfd, which the ring too makes readable when something completes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ninep/server.h"
#include "ninep/session.h"

#define RING_ENTRIES 256u
/* Rounds in one p9_ring_run() before the thread's other duties get their turn. */
#define RING_ROUNDS 16

/*
 * No opcode is used for closing: the last close of a file happens on the way out of the system
 * call, which is to say on the ring's own thread.
 */
static const int opcode[P9_IO_HOST_OPS] = {
	[P9_IO_OPEN] = IORING_OP_OPENAT2,    [P9_IO_STATX] = IORING_OP_STATX,
	[P9_IO_MKDIR] = IORING_OP_MKDIRAT,   [P9_IO_SYMLINK] = IORING_OP_SYMLINKAT,
	[P9_IO_LINK] = IORING_OP_LINKAT,     [P9_IO_RENAME] = IORING_OP_RENAMEAT,
	[P9_IO_UNLINK] = IORING_OP_UNLINKAT, [P9_IO_READ] = IORING_OP_READV,
	[P9_IO_WRITE] = IORING_OP_WRITEV,    [P9_IO_FSYNC] = IORING_OP_FSYNC,
};

static void prepare(struct io_uring_sqe *sqe, struct p9_io *io)
{
	switch (io->op) {
	case P9_IO_OPEN:
		io_uring_prep_openat2(sqe, io->fd, io->name, &io->how);
		break;
	case P9_IO_STATX:
		io_uring_prep_statx(sqe, io->fd, io->name, (int)io->flags,
				    STATX_BASIC_STATS | STATX_BTIME, io->stx);
		break;
	case P9_IO_MKDIR:
		io_uring_prep_mkdirat(sqe, io->fd, io->name, io->mode);
		break;
	case P9_IO_SYMLINK:
		io_uring_prep_symlinkat(sqe, io->name, io->fd2, io->name2);
		break;
	case P9_IO_LINK:
		io_uring_prep_linkat(sqe, io->fd, io->name, io->fd2, io->name2, (int)io->flags);
		break;
	case P9_IO_RENAME:
		io_uring_prep_renameat(sqe, io->fd, io->name, io->fd2, io->name2, 0);
		break;
	case P9_IO_UNLINK:
		io_uring_prep_unlinkat(sqe, io->fd, io->name, (int)io->flags);
		break;
	case P9_IO_READ:
		io_uring_prep_readv(sqe, io->fd, io->iov, io->niov, io->off);
		break;
	case P9_IO_WRITE:
		io_uring_prep_writev(sqe, io->fd, io->iov, io->niov, io->off);
		break;
	case P9_IO_FSYNC:
		io_uring_prep_fsync(sqe, io->fd, io->flags ? IORING_FSYNC_DATASYNC : 0);
		break;
	default:
		io_uring_prep_nop(sqe);
		break;
	}
	io_uring_sqe_set_data(sqe, io);
}

/* Two entries: the write, and then writing out. A hard link holds after a short write, too. */
static bool follows_write(const struct p9_io *io)
{
	return io->op == P9_IO_WRITE && (io->flags & P9_RW_WRITEOUT);
}

/* The operation's address is even. */
#define FOLLOWER 1u

static void prepare_writeout(struct io_uring_sqe *sqe, struct p9_io *io)
{
	bool append = io->flags & P9_RW_APPEND; /* then all of the file: a length of 0 */
	size_t len = 0;

	for (unsigned int i = 0; i < io->niov && !append; i++)
		len += io->iov[i].iov_len;
	io_uring_prep_sync_file_range(sqe, io->fd, (unsigned int)len, append ? 0 : io->off,
				      P9_WRITEOUT_FLAGS);
	io_uring_sqe_set_data64(sqe, (uintptr_t)io | FOLLOWER);
}

int p9_ring_init(struct p9_ring *ring)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, /* Linux 6.1 */
		IORING_SETUP_COOP_TASKRUN,				 /* 5.19 */
		0,
	};
	struct io_uring_probe *probe;
	int err = -EINVAL;

	*ring = (struct p9_ring){.thread = pthread_self()};
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags) && err == -EINVAL; i++)
		err = io_uring_queue_init(RING_ENTRIES, &ring->uring, flags[i]);
	if (err)
		return err;
	err = -ENOSYS;
	probe = io_uring_get_probe_ring(&ring->uring);
	if (!probe)
		goto out_exit;
	for (int op = 0; op < P9_IO_HOST_OPS; op++)
		ring->has[op] = opcode[op] && io_uring_opcode_supported(probe, opcode[op]);
	ring->has_writeout = io_uring_opcode_supported(probe, IORING_OP_SYNC_FILE_RANGE);
	io_uring_free_probe(probe);
	ring->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->event < 0) {
		err = -errno;
		goto out_exit;
	}
	err = io_uring_register_eventfd(&ring->uring, ring->event);
	if (err)
		goto out_close;
	pthread_mutex_init(&ring->lock, NULL);
	ring->posted_end = &ring->posted;
	ring->backlog_end = &ring->backlog;
	return 0;

out_close:
	close(ring->event);
	ring->event = -1;
out_exit:
	io_uring_queue_exit(&ring->uring);
	return err;
}

void p9_ring_exit(struct p9_ring *ring)
{
	io_uring_queue_exit(&ring->uring);
	close(ring->event);
	pthread_mutex_destroy(&ring->lock);
}

bool p9_ring_takes(const struct p9_ring *ring, const struct p9_io *io)
{
	/* The ring acts as its thread. Here is the place for personalities (sqe->personality). */
	return ring->has[io->op] && io->who.uid == P9_OWN &&
	       (!follows_write(io) || ring->has_writeout);
}

__attribute__((noinline)) bool p9_ring_here(const struct p9_ring *ring)
{
	return pthread_equal(ring->thread, pthread_self());
}

void p9_ring_kick(struct p9_ring *ring)
{
	uint64_t one = 1;

	/* Fails only if the counter is full, and then the descriptor is readable anyway. */
	if (write(ring->event, &one, sizeof(one)) < 0)
		return;
}

static void append(struct p9_io ***end, struct p9_io *io)
{
	io->next = NULL;
	**end = io;
	*end = &io->next;
}

/* Submits, and fetches what has completed. */
static void enter(struct p9_ring *ring)
{
	/* The kernel remembers who submitted. */
	p9_wear_own();
	if (io_uring_submit_and_get_events(&ring->uring) < 0)
		p9_ring_kick(ring); /* what was not taken stays queued: try again soon */
}

void p9_ring_submit(struct p9_ring *ring)
{
	if (io_uring_sq_ready(&ring->uring))
		enter(ring);
}

/* Room for n entries, which will be submitted together. */
static bool have_room(struct p9_ring *ring, unsigned int n)
{
	/* With no more in flight than the completion queue holds, it cannot overflow. */
	if (ring->in_flight + n > *ring->uring.cq.kring_entries)
		return false;
	if (io_uring_sq_space_left(&ring->uring) < n)
		enter(ring);
	return io_uring_sq_space_left(&ring->uring) >= n;
}

/* On the ring's thread: into the submission queue, false if there is no room for it now. */
static bool start(struct p9_ring *ring, struct p9_io *io)
{
	unsigned int n = follows_write(io) ? 2 : 1;
	struct io_uring_sqe *sqe;

	if (!have_room(ring, n))
		return false;
	sqe = io_uring_get_sqe(&ring->uring);
	prepare(sqe, io);
	if (n == 2) {
		sqe->flags |= IOSQE_IO_HARDLINK;
		prepare_writeout(io_uring_get_sqe(&ring->uring), io);
	}
	io->to_come = n;
	io->after = 0;
	ring->in_flight += n;
	return true;
}

void p9_ring_give(struct p9_ring *ring, struct p9_io *io)
{
	bool first;

	if (p9_ring_here(ring)) {
		if (ring->backlog || !start(ring, io))
			append(&ring->backlog_end, io);
		return;
	}
	pthread_mutex_lock(&ring->lock);
	first = !ring->posted;
	append(&ring->posted_end, io);
	pthread_mutex_unlock(&ring->lock);
	if (first)
		p9_ring_kick(ring);
}

/* Takes what other threads posted, behind what is waiting already, and starts what it can. */
static bool start_all(struct p9_ring *ring)
{
	struct p9_io *posted, *io;
	bool any = false;

	pthread_mutex_lock(&ring->lock);
	posted = ring->posted;
	ring->posted = NULL;
	ring->posted_end = &ring->posted;
	pthread_mutex_unlock(&ring->lock);
	while ((io = posted)) {
		posted = io->next;
		append(&ring->backlog_end, io);
	}
	while ((io = ring->backlog)) {
		struct p9_io *next = io->next;
		bool drop = p9_req_drop(io);

		if (!drop && !start(ring, io))
			break;
		ring->backlog = next;
		if (!next)
			ring->backlog_end = &ring->backlog;
		if (drop)
			p9_req_run(io->req, P9_ON_RING);
		any = true;
	}
	return any;
}

static bool complete_all(struct p9_ring *ring)
{
	struct io_uring_cqe *cqe;
	bool any = false;

	while (!io_uring_peek_cqe(&ring->uring, &cqe)) {
		uint64_t data = io_uring_cqe_get_data64(cqe);
		struct p9_io *io = (struct p9_io *)(uintptr_t)(data & ~(uint64_t)FOLLOWER);

		*(data & FOLLOWER ? &io->after : &io->res) = cqe->res;
		io_uring_cqe_seen(&ring->uring, cqe);
		ring->in_flight--;
		any = true;
		if (--io->to_come)
			continue;
		if (io->after < 0 && io->res > 0)
			io->res = io->after;
		p9_req_run(io->req, P9_ON_RING);
	}
	return any;
}

void p9_ring_run(struct p9_ring *ring)
{
	uint64_t count;
	bool more;

	/* Emptied first, so that what comes from now on makes it readable again. */
	if (read(ring->event, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return;
	for (int round = 0; round < RING_ROUNDS; round++) {
		more = start_all(ring);
		enter(ring);
		more |= complete_all(ring);
		if (!more)
			return;
	}
	p9_ring_kick(ring);
}
