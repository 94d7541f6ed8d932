// SPDX-License-Identifier: MIT
/* Tread, Twrite, Tfsync. */
#include <errno.h>

#include "ninep/atime.h"
#include "ninep/msg.h"
#include "ninep/owner.h"
#include "ninep/xattr.h"

static int check_file(const struct p9_fid *fid, uint64_t off)
{
	if (fid->fd < 0)
		return -EBADF;
	if (S_ISDIR(fid->node->type))
		return -EISDIR;
	/* Above all, not the -1 that means "where the descriptor stands". */
	return off <= INT64_MAX ? 0 : -EINVAL;
}

/* The len bytes of a message behind the first skip, which are there. */
static struct p9_pieces part(struct p9_req *req, const struct p9_pieces *message, size_t skip,
			     size_t len)
{
	/* As a rule the payload has descriptors of its own: those as they are. */
	if (message->n && message->iov->iov_len == skip && message->len - skip == len)
		return (struct p9_pieces){.iov = message->iov + 1, .n = message->n - 1, .len = len};
	return p9_iov_part(message, skip, len, req->data);
}

/*
 * Moves len bytes between the file at off and the payload. A short transfer is carried on, so that
 * where an executor stopped does not show. Bytes moved, or an error if there are none.
 */
static ssize_t transfer(struct p9_req *req, struct p9_fid *fid, bool write, size_t len, uint64_t off)
{
	ssize_t (*const move)(struct p9_req *, struct p9_fs *, int, const struct p9_pieces *,
			      uint64_t, unsigned int) = write ? p9_writev : p9_readv;
	unsigned int how = (fid->flags & P9_OPEN_DIRECT ? P9_RW_DIRECT : 0) |
			   (fid->flags & P9_OPEN_APPEND ? P9_RW_APPEND : 0);
	struct p9_pieces data;
	size_t done = 0;
	ssize_t n;

	if (!write && p9_atime_due(fid->node) && !(fid->flags & P9_OPEN_NOATIME))
		how |= P9_RW_ATIME;
	while (done < len) {
		data = write ? part(req, &req->t, P9_TWRITE_DATA + done, len - done)
			     : part(req, &req->r, P9_RREAD_DATA + done, len - done);
		n = move(req, fid->node->fs, fid->fd, &data, off + done, how);
		if (n == -EINVAL && (how & P9_RW_DIRECT)) {
			/* The guest's alignment is not the host's: as good as O_DIRECT gets. */
			how &= ~P9_RW_DIRECT;
			n = p9_buffered(req, fid->node->fs, fid->fd);
			if (!n)
				continue;
		}
		if (n < 0)
			return done ? (ssize_t)done : n;
		if (!n)
			break;
		done += (size_t)n;
		if (write) {
			p9_atime_written(fid->node);
		} else if (how & P9_RW_ATIME) {
			p9_atime_read(fid->node);
			how &= ~P9_RW_ATIME;
		}
	}
	return (ssize_t)done;
}

/* size[4] Tread tag[2] fid[4] offset[8] count[4]; Rread count[4] data[count] */
int p9_t_read(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint64_t off = p9_get64(&req->in);
	uint32_t count = p9_get32(&req->in);
	struct p9_fid *fid;
	ssize_t n;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get_any(req, num, &fid);
	if (err)
		return err;
	if (fid->xattr) {
		err = p9_xattr_read(req, fid, off, count);
		goto out;
	}
	err = check_file(fid, off);
	if (err)
		goto out;
	if (count > p9_out_room(&req->out) - 4)
		count = (uint32_t)(p9_out_room(&req->out) - 4);
	n = transfer(req, fid, false, count, off);
	if (n < 0) {
		err = (int)n;
		goto out;
	}
	p9_put32(&req->out, (uint32_t)n);
	req->payload = (size_t)n;
out:
	p9_fid_put(req, fid);
	return err;
}

/* size[4] Twrite tag[2] fid[4] offset[8] count[4] data[count]; Rwrite count[4] */
int p9_t_write(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint64_t off = p9_get64(&req->in);
	uint32_t count = p9_get32(&req->in);
	struct p9_fid *fid;
	ssize_t n;
	int err = p9_get_end(&req->in);

	if (!err && count != req->t_size - P9_TWRITE_DATA)
		err = -EPROTO;
	if (!err)
		err = p9_fid_get_any(req, num, &fid);
	if (err)
		return err;
	if (fid->xattr) {
		err = p9_xattr_write(req, fid, off, count);
		goto out;
	}
	err = check_file(fid, off);
	if (err)
		goto out;
	err = p9_owner_write(req, fid);
	if (err)
		goto out;
	n = transfer(req, fid, true, count, off);
	if (n < 0)
		err = (int)n;
	else
		p9_put32(&req->out, (uint32_t)n);
out:
	p9_fid_put(req, fid);
	return err;
}

/* size[4] Tfsync tag[2] fid[4] datasync[4]; Rfsync. The last field came later than the message. */
int p9_t_fsync(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint32_t data_only = req->in.p == req->in.end ? 0 : p9_get32(&req->in);
	struct p9_fid *fid;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	err = fid->fd < 0 ? -EBADF : p9_fsync(req, fid->node->fs, fid->fd, data_only);
	p9_fid_put(req, fid);
	return err;
}
