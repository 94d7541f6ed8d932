// SPDX-License-Identifier: MIT
/*
 * Host operations through io_uring. One thread owns the ring and sleeps in it; others hand over by
 * a list, and by an eventfd if that thread is not awake.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ninep/server.h"
#include "ninep/session.h"

/* Rounds in one p9_ring_run() before the thread's other duties get their turn. */
#define ROUNDS 16

/* The data of entries that are no operation's: no operation is at such an address. */
enum {
	EVENT = 2,   /* the eventfd was written to */
	WATCHED = 4, /* the owner's descriptor polls readable */
	CANCEL = 6,
};
/* Places in the queues for the first two. */
#define SPARE 4u

bool p9_ring_takes(const struct p9_ring *ring, const struct p9_io *io)
{
	/* Its thread must not wait, and reads what is in memory at once. */
	if (io->op == P9_IO_READ && (io->flags & P9_RW_ATIME))
		return false;
	return ring->has[io->op] && (p9_ring_entries(io) == 1 || ring->has_writeout);
}

__attribute__((noinline)) bool p9_ring_here(const struct p9_ring *ring)
{
	return pthread_equal(ring->thread, pthread_self());
}

/* ---- waking ---- */

static void kick(struct p9_ring *ring)
{
	uint64_t one = 1;

	/* Full only after 2^64 - 2 of them. */
	(void)!write(ring->event, &one, sizeof(one));
}

/*
 * What there is to see is written before `away` is read; the thread writes `away` before it looks
 * for the last time. So one of the two sees what the other did.
 */
static void wake(struct p9_ring *ring)
{
	if (atomic_load(&ring->away) && atomic_exchange(&ring->away, false))
		kick(ring);
}

void p9_ring_call(struct p9_ring *ring)
{
	atomic_store(&ring->called, true);
	wake(ring);
}

static void post(struct p9_ring *ring, struct p9_io *io)
{
	io->next = atomic_load_explicit(&ring->posted, memory_order_relaxed);
	while (!atomic_compare_exchange_weak(&ring->posted, &io->next, io))
		;
	wake(ring);
}

/* ---- entries; all on the ring's thread ---- */

/* Submits, and fetches what has completed; sleeps until something has if `wait` says so. */
static bool enter(struct p9_ring *ring, bool wait)
{
	int err;

	/* The kernel remembers who submitted. */
	p9_wear_own();
	if (wait)
		err = io_uring_submit_and_wait(&ring->uring, 1);
	else
		err = io_uring_submit_and_get_events(&ring->uring);
	/* What was not taken stays queued. */
	return err >= 0 && !io_uring_sq_ready(&ring->uring);
}

/* Room for n entries, which will be submitted together. */
static bool have_room(struct p9_ring *ring, unsigned int n)
{
	if (ring->in_flight + n > P9_RING_CQES - SPARE)
		return false;
	if (io_uring_sq_space_left(&ring->uring) < n)
		enter(ring, false);
	return io_uring_sq_space_left(&ring->uring) >= n;
}

/* What io needs in order to begin: room, and the number of an identity. -EAGAIN: not now. */
static int get_ready(struct p9_ring *ring, const struct p9_io *io)
{
	int personality = p9_ring_personality(ring, io->who);

	if (personality == -EAGAIN && enter(ring, false))
		personality = p9_ring_personality(ring, io->who);
	return have_room(ring, p9_ring_entries(io)) ? personality : -EAGAIN;
}

/* Into the submission queue. */
static void begin(struct p9_ring *ring, struct p9_io *io, int personality)
{
	unsigned int n = p9_ring_entries(io);

	p9_ring_prepare(ring, io, personality);
	io->to_come = (uint8_t)n;
	io->cancelled = false;
	io->after = 0;
	io->at = ring->n_begun;
	ring->begun[ring->n_begun++] = io;
	ring->in_flight += n;
}

/* Begins what may begin now. What was flushed it leaves to cancel_flushed(). */
static void start_all(struct p9_ring *ring)
{
	struct p9_lane **at;

	while ((at = p9_lanes_next(&ring->lanes))) {
		struct p9_lane *lane = *at;
		struct p9_io *io = lane->first;
		int ready;

		if (p9_req_may_drop(io)) {
			atomic_store(&ring->called, true);
			break;
		}
		ready = get_ready(ring, io);
		if (ready == -EAGAIN)
			break;
		p9_lanes_take(&ring->lanes, at);
		if (ready >= 0) {
			begin(ring, io, ready);
			continue;
		}
		p9_lanes_leave(&ring->lanes, lane);
		io->req->counted.path = P9_PATH_WORKER;
		p9_workers_give(ring->workers, io);
	}
}

/* It may have been flushed before it could be found in its lane. */
static void add(struct p9_ring *ring, struct p9_io *io)
{
	p9_lanes_add(&ring->lanes, io);
	if (p9_req_may_drop(io))
		atomic_store(&ring->called, true);
}

void p9_ring_give(struct p9_ring *ring, struct p9_io *io)
{
	if (!p9_ring_here(ring)) {
		post(ring, io);
		return;
	}
	add(ring, io);
	start_all(ring);
}

/* Puts what other threads posted into its lanes, in the order in which it came. */
static void take_posted(struct p9_ring *ring)
{
	struct p9_io *last = NULL, *next, *io;

	if (!atomic_load_explicit(&ring->posted, memory_order_relaxed))
		return;
	for (io = atomic_exchange(&ring->posted, NULL); io; io = next) {
		next = io->next;
		io->next = last;
		last = io;
	}
	for (io = last; io; io = next) {
		next = io->next;
		add(ring, io);
	}
}

static void carry_on(struct p9_io *io)
{
	struct p9_io *next;

	for (; io; io = next) {
		next = io->next;
		p9_req_run(io->req, P9_ON_RING);
	}
}

/*
 * Cancels what was flushed: what has not begun will not, and what waits and can be interrupted is.
 * Of a write and what follows it, only the write: if it has acted, the request goes on to its end.
 */
static bool cancel_flushed(struct p9_ring *ring)
{
	if (!atomic_load_explicit(&ring->called, memory_order_relaxed) ||
	    !atomic_exchange(&ring->called, false))
		return false;
	carry_on(p9_lanes_drop(&ring->lanes));
	carry_on(p9_workers_drop(ring->workers));
	for (unsigned int i = 0; i < ring->n_begun; i++) {
		struct p9_io *io = ring->begun[i];
		struct io_uring_sqe *sqe;

		if (io->cancelled || !p9_req_may_drop(io))
			continue;
		if (!have_room(ring, 1)) {
			atomic_store(&ring->called, true);
			break;
		}
		sqe = io_uring_get_sqe(&ring->uring);
		io_uring_prep_cancel64(sqe, (uintptr_t)io, 0);
		io_uring_sqe_set_data64(sqe, CANCEL);
		ring->in_flight++;
		io->cancelled = true;
	}
	return true;
}

/* These two use the spare places. */
static void watch_event(struct p9_ring *ring)
{
	struct io_uring_sqe *sqe = ring->listening ? NULL : io_uring_get_sqe(&ring->uring);

	if (!sqe)
		return;
	/* Each write is an edge, and makes an entry complete: so nobody need read. */
	io_uring_prep_poll_multishot(sqe, ring->event, POLLIN);
	io_uring_sqe_set_data64(sqe, EVENT);
	ring->listening = true;
}

static void watch(struct p9_ring *ring, int fd)
{
	struct io_uring_sqe *sqe = ring->watching ? NULL : io_uring_get_sqe(&ring->uring);

	if (!sqe)
		return;
	io_uring_prep_poll_add(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, WATCHED);
	ring->watching = true;
}

/* Some opcodes let out what the kernel has in place of EINTR for calls that it may begin again. */
static bool interrupted(long res)
{
	return res == -EINTR || (res <= -512 && res >= -516);
}

static void complete(struct p9_ring *ring, struct p9_io *io)
{
	struct p9_io *last = ring->begun[--ring->n_begun];

	ring->begun[io->at] = last;
	last->at = io->at;
	p9_lanes_leave(&ring->lanes, p9_lane_of(&ring->lanes, io));
	if (io->after < 0 && io->res > 0)
		io->res = io->after;
	if (interrupted(io->res))
		io->res = -EINTR;
	if (io->cancelled && (io->res == -ECANCELED || io->res == -EINTR))
		p9_req_drop(io);
}

/* Empties the completion queue. Returns the operations that are complete, in that order. */
static struct p9_io *take_completed(struct p9_ring *ring, bool *any)
{
	struct p9_io *first = NULL, **end = &first;
	struct io_uring_cqe *cqe;

	while (!io_uring_peek_cqe(&ring->uring, &cqe)) {
		uint64_t data = io_uring_cqe_get_data64(cqe);
		struct p9_io *io = (struct p9_io *)(uintptr_t)(data & ~(uint64_t)P9_RING_SECOND);
		int res = cqe->res;
		bool more = cqe->flags & IORING_CQE_F_MORE;

		io_uring_cqe_seen(&ring->uring, cqe);
		*any = true;
		switch (data) {
		case EVENT:
			ring->listening = more;
			break;
		case WATCHED:
			ring->watching = false;
			break;
		case CANCEL:
			ring->in_flight--;
			break;
		default:
			ring->in_flight--;
			*(data & P9_RING_SECOND ? &io->after : &io->res) = res;
			if (--io->to_come)
				break;
			complete(ring, io);
			*end = io;
			end = &io->next;
		}
	}
	*end = NULL;
	return first;
}

/* Requests in a row of one session are a round of it. */
static bool complete_all(struct p9_ring *ring)
{
	bool any = false;
	struct p9_io *io = take_completed(ring, &any), *next;

	while (io) {
		struct p9_session *session = io->req->session;
		bool round = io->next && io->next->req->session == session;

		if (round)
			p9_round_begin(session);
		do {
			/* With its end the operation is gone, and perhaps the session. */
			next = io->next;
			p9_req_run(io->req, P9_ON_RING);
			io = next;
		} while (round && io && io->req->session == session);
		if (round)
			p9_round_end(session);
	}
	return any;
}

/* ---- the thread ---- */

/* Is there something that no completion will tell of? */
static bool nothing_to_see(struct p9_ring *ring)
{
	return !atomic_load(&ring->posted) && !atomic_load(&ring->called);
}

int p9_ring_wait(struct p9_ring *ring, int fd)
{
	bool busy;

	take_posted(ring);
	busy = cancel_flushed(ring);
	start_all(ring);
	watch_event(ring);
	busy |= !ring->listening;
	if (fd >= 0) {
		watch(ring, fd);
		busy |= !ring->watching;
	}
	atomic_store(&ring->away, true);
	enter(ring, !busy && nothing_to_see(ring));
	atomic_store(&ring->away, false);
	complete_all(ring);
	return fd >= 0 && !ring->watching;
}

void p9_ring_run(struct p9_ring *ring)
{
	bool more = true;

	atomic_store(&ring->away, false);
	for (int round = 0; round < ROUNDS && more; round++) {
		take_posted(ring);
		more = cancel_flushed(ring);
		start_all(ring);
		enter(ring, false);
		more |= complete_all(ring);
	}
}

/* ---- life ---- */

/*
 * Each sleeps for a device or a server, not for a processor, and ends some seconds after it had
 * nothing to do; the kernel's own bound of four for each processor would let a few slow files hold
 * up all the rest. The second kind is for what is neither a file nor a folder, and nothing of that
 * kind is opened.
 */
static void bound_threads(struct p9_ring *ring)
{
	unsigned int max[2] = {P9_RING_THREADS, 1};

	io_uring_register_iowq_max_workers(&ring->uring, max); /* Linux 5.15 */
}

int p9_ring_init(struct p9_ring *ring, struct p9_workers *workers)
{
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, /* Linux 6.1 */
		IORING_SETUP_COOP_TASKRUN,				 /* 5.19 */
		0,
	};
	int err = -EINVAL;

	*ring = (struct p9_ring){.thread = pthread_self(), .away = true, .workers = workers};
	p9_lanes_init(&ring->lanes, P9_LANE_RING, P9_RING_THREADS);
	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags) && err == -EINVAL; i++)
		err = io_uring_queue_init(P9_RING_ENTRIES, &ring->uring, flags[i]);
	if (err)
		return err;
	/* A poll that stays came with Linux 5.13, as this did. */
	err = ring->uring.features & IORING_FEAT_RSRC_TAGS ? p9_ring_probe(ring) : -ENOSYS;
	if (err)
		goto out_exit;
	ring->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ring->event < 0) {
		err = -errno;
		goto out_exit;
	}
	io_uring_register_ring_fd(&ring->uring); /* 5.18; one look-up less for each call */
	bound_threads(ring);
	watch_event(ring);
	if (enter(ring, false))
		return 0;
	err = -EIO;
	close(ring->event);
out_exit:
	io_uring_queue_exit(&ring->uring);
	return err;
}

void p9_ring_exit(struct p9_ring *ring)
{
	io_uring_queue_exit(&ring->uring);
	close(ring->event);
}
