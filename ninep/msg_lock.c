// SPDX-License-Identifier: MIT
/* Tlock, Tgetlock. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ninep/clock.h"
#include "ninep/lock.h"
#include "ninep/msg.h"

/* How long a lock is waited for before the client is told to come again. */
#define HOLD_NS 1000000000ull

/* The bytes from start on, all of them if length is 0. */
static int set_range(struct p9_lock_op *op, uint64_t start, uint64_t length)
{
	struct p9_lock_range *range = &op->range;

	if (start > P9_LOCK_END || strlen(op->client) > P9_LOCK_CLIENT_MAX)
		return -EINVAL;
	range->start = (int64_t)start;
	range->end = P9_LOCK_END;
	if (length && length - 1 < (uint64_t)P9_LOCK_END - start)
		range->end = (int64_t)(start + length - 1);
	return 0;
}

/* False: it has waited long enough, or too many do, or was flushed. */
static bool wait_for_lock(struct p9_req *req, uint64_t until)
{
	struct p9_session *session = req->session;
	bool waited = false;

	if (p9_now_ns() >= until)
		return false;
	if (atomic_fetch_add(&session->lock_waits, 1) < P9_MAX_LOCK_WAITS)
		waited = p9_await_lock(req);
	atomic_fetch_sub(&session->lock_waits, 1);
	return waited;
}

static int carry_out(struct p9_req *req, struct p9_fid *fid, struct p9_lock_op *op, bool wait)
{
	uint64_t until = p9_now_ns() + HOLD_NS;
	int err;

	/* Before it is taken: whoever ends the fid must know. */
	if (op->what == P9_LOCK_TAKE)
		atomic_store(&fid->locked, true);
	do {
		err = p9_lock(req, fid->node->fs, op);
	} while (err == -EAGAIN && wait && wait_for_lock(req, until));
	if (op->what == P9_LOCK_GIVE)
		p9_lockwait_poke(&p9_req_server(req)->lockwait);
	return err;
}

/* An open fid, held, and the locks of its file. */
static int get_file(struct p9_req *req, uint32_t num, struct p9_fid **fid,
		    struct p9_lock_file **file)
{
	int err = p9_fid_get(req, num, fid);

	if (err)
		return err;
	err = (*fid)->fd < 0 ? -EBADF : p9_lock_file_get(req, *fid, file);
	if (err)
		p9_fid_put(req, *fid);
	return err;
}

/*
 * size[4] Tlock tag[2] fid[4] type[1] flags[4] start[8] length[8] proc_id[4] client_id[s];
 * Rlock status[1]
 *
 * When a process ends or closes one of its descriptors, Linux's client gives back, without the flag
 * to wait, all that the process has locked in the file, whether or not it is the last to use the
 * descriptor. With that flag it is somebody's wish, flock(2)'s too: that one concerns what was
 * locked through the descriptor, perhaps by a parent.
 */
int p9_t_lock(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint8_t type = p9_get8(&req->in);
	uint32_t flags = p9_get32(&req->in);
	uint64_t start = p9_get64(&req->in), length = p9_get64(&req->in);
	uint32_t proc = p9_get32(&req->in);
	const char *client = p9_get_string(&req->in);
	struct p9_lock_op op = {
		.what = type == P9_LOCK_TYPE_UNLCK ? P9_LOCK_GIVE : P9_LOCK_TAKE,
		.range.write = type == P9_LOCK_TYPE_WRLCK,
		.proc = proc,
		.client = client,
	};
	struct p9_fid *fid;
	int err = p9_get_end(&req->in);

	if (!err && type > P9_LOCK_TYPE_UNLCK)
		err = -EINVAL;
	if (!err)
		err = set_range(&op, start, length);
	if (!err)
		err = get_file(req, num, &fid, &op.file);
	if (err)
		return err;
	op.fid = fid;
	op.by_fid = op.what == P9_LOCK_GIVE && (flags & P9_LOCK_FLAGS_BLOCK) && !start && !length;
	err = carry_out(req, fid, &op, flags & P9_LOCK_FLAGS_BLOCK);
	p9_lock_file_put(req->session, req, op.file);
	p9_fid_put(req, fid);
	p9_put8(&req->out, err ? P9_LOCK_BLOCKED : P9_LOCK_SUCCESS);
	return err == -EAGAIN ? 0 : err;
}

/*
 * size[4] Tgetlock tag[2] fid[4] type[1] start[8] length[8] proc_id[4] client_id[s];
 * Rgetlock type[1] start[8] length[8] proc_id[4] client_id[s]
 *
 * Who would refuse such a lock; if nobody, the type is unlock and the question is sent back. A lock
 * of the host's has no client_id. Linux's client always asks with type unlock: for any lock at all.
 */
int p9_t_getlock(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint8_t type = p9_get8(&req->in);
	uint64_t start = p9_get64(&req->in), length = p9_get64(&req->in);
	uint32_t proc = p9_get32(&req->in);
	const char *client = p9_get_string(&req->in);
	struct p9_lock_op op = {
		.what = P9_LOCK_TEST,
		.range.write = type != P9_LOCK_TYPE_RDLCK,
		.proc = proc,
		.client = client,
	};
	const struct p9_lock_range *held = &op.held;
	struct p9_fid *fid;
	int err = p9_get_end(&req->in);

	if (!err && type > P9_LOCK_TYPE_UNLCK)
		err = -EINVAL;
	if (!err)
		err = set_range(&op, start, length);
	if (!err)
		err = get_file(req, num, &fid, &op.file);
	if (err)
		return err;
	err = p9_lock(req, fid->node->fs, &op);
	p9_lock_file_put(req->session, req, op.file);
	p9_fid_put(req, fid);
	if (err)
		return err;
	if (op.free) {
		p9_put8(&req->out, P9_LOCK_TYPE_UNLCK);
		p9_put64(&req->out, start);
		p9_put64(&req->out, length);
		p9_put32(&req->out, proc);
		p9_put_string(&req->out, client);
	} else {
		p9_put8(&req->out, held->write ? P9_LOCK_TYPE_WRLCK : P9_LOCK_TYPE_RDLCK);
		p9_put64(&req->out, (uint64_t)held->start);
		p9_put64(&req->out,
			 held->end == P9_LOCK_END ? 0 : (uint64_t)(held->end - held->start) + 1);
		p9_put32(&req->out, op.holder_proc);
		p9_put_string(&req->out, op.holder_client ?: "");
	}
	free(op.holder_client);
	return 0;
}
