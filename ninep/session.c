// SPDX-License-Identifier: MIT
/* The life of a request: taken, run, handed over, ended; and what waits for that. */
#include "ninep/session.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/clock.h"
#include "ninep/proto.h"

/* ---- tags; the session's lock is held ---- */

static struct p9_req **tag_bucket(struct p9_session *session, uint16_t tag)
{
	return &session->by_tag[tag % P9_TAG_BUCKETS];
}

/* Who has this tag now, or else whose reply is just being seen. */
static struct p9_req *find_tag(struct p9_session *session, uint16_t tag)
{
	struct p9_req *answered = NULL;

	for (struct p9_req *req = *tag_bucket(session, tag); req; req = req->next_tag) {
		if (req->tag != tag)
			continue;
		if (!atomic_load(&req->answered))
			return req;
		answered = req;
	}
	return answered;
}

static void add_tag(struct p9_session *session, struct p9_req *req)
{
	struct p9_req **head = tag_bucket(session, req->tag);

	req->next_tag = *head;
	*head = req;
	req->tagged = true;
}

static void del_tag(struct p9_session *session, struct p9_req *req)
{
	struct p9_req **at = tag_bucket(session, req->tag);

	while (*at != req)
		at = &(*at)->next_tag;
	*at = req->next_tag;
	req->tagged = false;
}

/* ---- waiting ---- */

/* Tries io on this thread, as far as the thread may wait. */
static bool in_place(struct p9_req *req, struct p9_io *io)
{
	struct p9_server *server = p9_req_server(req);

	switch (server->executor) {
	case P9_EXEC_AUTO:
		if (req->place != P9_ON_WORKER)
			return p9_io_try(server, io);
		break;
	case P9_EXEC_RING:
		if (req->place != P9_ON_WORKER || p9_ring_takes(&server->ring, io))
			return false;
		break;
	case P9_EXEC_SYNC:
		break;
	}
	p9_io_call(io);
	return true;
}

/*
 * A descriptor is closed come what may, and what was locked is given back: the client has forgotten
 * it by then.
 */
static bool gives_back(const struct p9_io *io)
{
	return io->op == P9_IO_CLOSE || (io->op == P9_IO_LOCK && p9_lock_gives(io->lock));
}

/*
 * Whether, once it was carried out, it could not be said that nothing was. A look at something leaves
 * nothing behind, and a descriptor that a message opened it closes on an error.
 */
static bool acts(const struct p9_io *io)
{
	switch (io->op) {
	case P9_IO_OPEN:
		return io->how.flags & (O_CREAT | O_TRUNC);
	case P9_IO_STATX:
	case P9_IO_GETXATTR:
	case P9_IO_LISTXATTR:
	case P9_IO_GET_CREDS:
	case P9_IO_READ:
	case P9_IO_CLOSE:
	case P9_IO_GETDENTS:
	case P9_IO_READLINK:
	case P9_IO_STATFS:
	case P9_IO_HANDLE:
	case P9_IO_OPEN_HANDLE:
		return false;
	default:
		return true;
	}
}

long p9_await(struct p9_req *req, struct p9_io *io)
{
	bool hosts = io->op < P9_IO_HOST_OPS;

	io->req = req;
	io->res = 0;
	/* What could go on after an error must not, where the client is told that nothing was done. */
	if (hosts && req->dropped && !gives_back(io))
		return io->res = -ECANCELED;
	if (!hosts || !in_place(req, io)) {
		req->io = io;
		p9_co_wait(&req->co);
	}
	if (hosts && !req->dropped && acts(io))
		req->acted = true;
	return io->res;
}

bool p9_req_may_drop(const struct p9_io *io)
{
	const struct p9_req *req = io->req;

	return !gives_back(io) && !req->acted && atomic_load(&req->flushed);
}

bool p9_req_drop(struct p9_io *io)
{
	if (!p9_req_may_drop(io))
		return false;
	io->req->dropped = true;
	io->res = -ECANCELED;
	return true;
}

/* Requests were flushed: those that wait for a lock, or in the ring, need not. */
static void tell_of_flushed(struct p9_server *server)
{
	p9_lockwait_poke(&server->lockwait);
	if (server->executor != P9_EXEC_SYNC)
		p9_ring_call(&server->ring);
}

/* Tflush: waits for a tag's end. False: there is nothing to wait for. */
static bool await_tag(struct p9_session *session, struct p9_req *req, uint16_t tag)
{
	struct p9_server *server = session->share->server;
	struct p9_req *other;
	bool waits;

	pthread_mutex_lock(&session->lock);
	other = find_tag(session, tag);
	waits = other && other != req;
	if (waits) {
		atomic_store(&other->flushed, true);
		req->next = other->flushers;
		other->flushers = req;
	}
	pthread_mutex_unlock(&session->lock);
	/* `req` and its session may be gone by now. */
	if (waits)
		tell_of_flushed(server);
	return waits;
}

/* The session's lock is held. None of the requests begins any more, but for `but`. */
static void flush_all(struct p9_session *session, const struct p9_req *but)
{
	for (unsigned int i = 0; i < P9_TAG_BUCKETS; i++)
		for (struct p9_req *req = session->by_tag[i]; req; req = req->next_tag)
			if (req != but)
				atomic_store(&req->flushed, true);
}

/* Tversion: waits for all others' end. */
static bool await_all(struct p9_session *session, struct p9_req *version)
{
	struct p9_server *server = session->share->server;
	bool others;

	pthread_mutex_lock(&session->lock);
	others = session->active > 1;
	session->version_waits = others ? version : NULL;
	flush_all(session, version);
	pthread_mutex_unlock(&session->lock);
	if (others)
		tell_of_flushed(server);
	return others;
}

/* Where the request has been: further than before, never less far. */
static void took_path(struct p9_req *req, enum p9_path path)
{
	if (req->counted.path < path)
		req->counted.path = path;
}

/*
 * What the request waits for is given to whoever carries it out; from then on another thread may
 * own the request. False: it need not wait after all.
 */
static bool hand_over(struct p9_req *req)
{
	struct p9_server *server = p9_req_server(req);
	struct p9_io *io = req->io;

	if (io->op == P9_IO_AWAIT_TAG)
		return await_tag(req->session, req, io->tag);
	if (io->op == P9_IO_AWAIT_ALL)
		return await_all(req->session, req);
	if (io->op == P9_IO_AWAIT_LOCK) {
		took_path(req, P9_PATH_WORKER);
		p9_lockwait_give(&server->lockwait, io);
		return true;
	}
	if (p9_ring_takes(&server->ring, io)) {
		took_path(req, P9_PATH_RING);
		p9_ring_give(&server->ring, io);
	} else {
		took_path(req, P9_PATH_WORKER);
		p9_workers_give(&server->workers, io);
	}
	return true;
}

/*
 * One less is at work; the session's lock is held. Returns the requests that go on now: `waiters`, and
 * a Tversion that waited for the last one.
 */
static struct p9_req *leave(struct p9_session *session, struct p9_req *waiters)
{
	struct p9_server *server = session->share->server;

	session->active--;
	if (session->active == 1 && session->version_waits) {
		session->version_waits->next = waiters;
		waiters = session->version_waits;
		session->version_waits = NULL;
	}
	if (!session->active && session->resetting) {
		/* Not after the lock: the session may be freed then. */
		pthread_cond_broadcast(&session->idle);
		if (server->executor != P9_EXEC_SYNC)
			p9_ring_call(&server->ring);
	}
	return waiters;
}

/* Ends a request. Returns the requests that waited for this. */
static struct p9_req *end(struct p9_req *req, size_t len)
{
	struct p9_session *session = req->session;
	struct p9_req *waiters;

	atomic_fetch_sub(&session->unanswered, 1);
	atomic_store(&req->answered, true);
	req->done(req->opaque, len);
	req->counted.published_ns = p9_now_ns();
	req->counted.sent = (uint32_t)len;

	pthread_mutex_lock(&session->lock);
	p9_stats_add(&session->stats, &req->counted);
	if (req->tagged)
		del_tag(session, req);
	if (session->version == req)
		session->version = NULL;
	waiters = req->flushers;
	req->flushers = NULL;
	req->next = session->free;
	session->free = req;
	waiters = leave(session, waiters);
	pthread_mutex_unlock(&session->lock);
	return waiters;
}

void p9_req_run(struct p9_req *req, enum p9_place place)
{
	struct p9_req *more;

	/* A loop, not a recursion, over those that waited for the end of those before them. */
	for (; req; req = more) {
		struct p9_req *waiters = NULL, **last = &waiters;
		bool done;

		more = req->next;
		req->next = NULL;
		req->place = place;
		do {
			p9_co_resume(&req->co);
			done = req->co.done;
		} while (!done && !hand_over(req));
		/* If it was handed over, another thread may own it already. */
		if (done)
			waiters = end(req, req->reply_len);
		while (*last)
			last = &(*last)->next;
		*last = more;
		more = waiters;
	}
}

void p9_round_begin(struct p9_session *session)
{
	pthread_mutex_lock(&session->lock);
	session->active++;
	pthread_mutex_unlock(&session->lock);
	if (session->round)
		session->round(session->round_arg, true);
}

void p9_round_end(struct p9_session *session)
{
	struct p9_req *waiters;

	if (session->round)
		session->round(session->round_arg, false);
	pthread_mutex_lock(&session->lock);
	waiters = leave(session, NULL);
	pthread_mutex_unlock(&session->lock);
	p9_req_run(waiters, P9_ON_RING);
}

static void req_main(void *arg)
{
	struct p9_req *req = arg;

	req->reply_len = p9_message(req);
}

/* ---- taking a request ---- */

/* What is wrong with a T-message by its header alone. */
static int check_header(const struct p9_session *session, uint8_t type, uint32_t size, size_t len)
{
	unsigned int msize = atomic_load(&session->msize);

	if (size < P9_HEADER || size > len)
		return -EPROTO;
	if (!msize && type != P9_TVERSION)
		return -EPROTO;
	if (msize && size > msize)
		return -EMSGSIZE;
	if (type != P9_TWRITE && size > P9_T_MAX)
		return -EMSGSIZE;
	return 0;
}

/* The session's lock is held. */
static struct p9_req *take_slot(struct p9_session *session)
{
	struct p9_req *req = session->free;

	if (atomic_load(&session->unanswered) >= P9_MAX_REQS)
		return NULL;
	if (req) {
		session->free = req->next;
	} else if (session->fresh < P9_SLOTS) {
		req = &session->req[session->fresh++];
		req->session = session;
	} else {
		return NULL;
	}
	atomic_fetch_add(&session->unanswered, 1);
	atomic_store(&req->answered, false);
	return req;
}

/* The session's lock is held. */
static int enter(struct p9_session *session, struct p9_req *req)
{
	const struct p9_req *same = find_tag(session, req->tag);

	/* Tversion ends a session: nothing may follow before its reply */
	if (session->version && !atomic_load(&session->version->answered))
		return -EBUSY;
	if (same && !atomic_load(&same->answered))
		return -EPROTO;
	add_tag(session, req);
	if (req->type == P9_TVERSION)
		session->version = req;
	return 0;
}

/*
 * Copies the T-message, but for Twrite's payload, which is left for the host to take, and for the
 * header, which is not read a second time.
 */
static void copy_message(struct p9_req *req, const uint8_t *header, size_t got, uint32_t size)
{
	size_t n = got < size ? got : size;

	memcpy(req->t_buf, header, n);
	if (req->type != P9_TWRITE)
		n += p9_iov_copy(&req->t, n, req->t_buf + n, size - n);
	req->in = (struct p9_in){.p = req->t_buf + P9_HEADER, .end = req->t_buf + n};
	req->t_size = size;
}

/* The same memory by a copy of its list. */
static struct p9_pieces keep(const struct p9_pieces *from, struct iovec *iov)
{
	for (size_t i = 0; i < from->n; i++)
		iov[i] = from->iov[i];
	return (struct p9_pieces){.iov = iov, .n = from->n, .len = from->len};
}

int p9_submit(struct p9_session *session, const struct p9_pieces *t, const struct p9_pieces *r,
	      p9_done done, void *opaque)
{
	struct p9_counted counted = {.taken_ns = p9_now_ns()};
	uint8_t header[P9_TWRITE_DATA] = {0};
	struct p9_req *req;
	uint32_t size;
	size_t got;
	bool drop;
	int err;

	if (t->n > P9_MAX_IOV || r->n > P9_MAX_IOV)
		return -EINVAL;
	got = p9_iov_copy(t, 0, header, sizeof(header));
	drop = got < P9_HEADER || r->len < P9_RLERROR_SIZE;
	memcpy(&size, header, sizeof(size));
	size = le32toh(size);
	counted.type = header[4];
	counted.received = size < t->len ? size : (uint32_t)t->len;
	err = check_header(session, header[4], size, t->len);

	pthread_mutex_lock(&session->lock);
	req = take_slot(session);
	if (!req) {
		pthread_mutex_unlock(&session->lock);
		return -EAGAIN;
	}
	session->active++;
	req->next = NULL;
	req->done = done;
	req->opaque = opaque;
	req->type = header[4];
	req->counted = counted;
	req->tag = (uint16_t)(header[5] | header[6] << 8);
	req->acted = req->dropped = false;
	atomic_store(&req->flushed, false);
	drop |= session->resetting > 0;
	if (!drop && !err)
		err = enter(session, req);
	pthread_mutex_unlock(&session->lock);

	req->refused = err;
	req->who = (struct p9_who){.uid = P9_OWN};
	req->lesser = false;
	req->t = keep(t, req->t_iov);
	req->r = keep(r, req->r_iov);
	if (drop) {
		p9_req_run(end(req, 0), P9_ON_CALLER);
		return 0;
	}
	if (!err)
		copy_message(req, header, got, size);
	if (!req->co.map && p9_co_init(&req->co, req_main, req))
		p9_req_run(end(req, p9_error(req, -ENOMEM)), P9_ON_CALLER);
	else
		p9_req_run(req, P9_ON_CALLER);
	p9_wear_own();
	return 0;
}

/* ---- sessions ---- */

int p9_session_new(struct p9_session **out, struct p9_share *share)
{
	struct p9_session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	if (p9_hash_init(&session->fids.table) || p9_locks_init(&session->locks)) {
		p9_hash_exit(&session->fids.table);
		free(session);
		return -ENOMEM;
	}
	session->share = p9_share_get(share);
	pthread_mutex_init(&session->lock, NULL);
	pthread_mutex_init(&session->fids.lock, NULL);
	pthread_cond_init(&session->idle, NULL);
	*out = session;
	return 0;
}

void p9_session_on_round(struct p9_session *session, void (*round)(void *arg, bool begins),
			 void *arg)
{
	session->round = round;
	session->round_arg = arg;
}

/* On the ring's thread: does that thread's work until nothing is in flight. */
static void drain_here(struct p9_session *session)
{
	while (session->active) {
		pthread_mutex_unlock(&session->lock);
		p9_server_wait(session->share->server, -1);
		pthread_mutex_lock(&session->lock);
	}
}

void p9_session_reset(struct p9_session *session)
{
	struct p9_server *server = session->share->server;

	pthread_mutex_lock(&session->lock);
	session->resetting++;
	flush_all(session, NULL);
	tell_of_flushed(server);
	if (server->executor != P9_EXEC_SYNC && p9_ring_here(&server->ring))
		drain_here(session);
	while (session->active)
		pthread_cond_wait(&session->idle, &session->lock);
	pthread_mutex_unlock(&session->lock);

	p9_fid_clear(session, NULL);
	atomic_store(&session->msize, 0);

	pthread_mutex_lock(&session->lock);
	session->resetting--;
	pthread_mutex_unlock(&session->lock);
}

void p9_session_free(struct p9_session *session)
{
	if (!session)
		return;
	p9_session_reset(session);
	for (unsigned int i = 0; i < session->fresh; i++)
		p9_co_destroy(&session->req[i].co);
	p9_locks_exit(&session->locks);
	p9_hash_exit(&session->fids.table);
	p9_pool_exit(&session->fids.pool);
	p9_share_put(session->share);
	pthread_cond_destroy(&session->idle);
	pthread_mutex_destroy(&session->fids.lock);
	pthread_mutex_destroy(&session->lock);
	free(session);
}
