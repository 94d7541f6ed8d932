// SPDX-License-Identifier: MIT
/* From a T-message to its function, and from that to the R-message. */
#include "ninep/msg.h"

/* `body` is the least room that the reply needs behind its header, checked before all else. */
static const struct {
	int (*handle)(struct p9_req *req);
	size_t body;
	bool changes; /* always a change: EROFS on a read-only share */
} messages[256] = {
	[P9_TSTATFS] = {p9_t_statfs, 60},
	[P9_TLOPEN] = {p9_t_lopen, P9_QID_SIZE + 4},
	[P9_TLCREATE] = {p9_t_lcreate, P9_QID_SIZE + 4, true},
	[P9_TSYMLINK] = {p9_t_symlink, P9_QID_SIZE, true},
	[P9_TMKNOD] = {p9_t_mknod, P9_QID_SIZE, true},
	[P9_TRENAME] = {p9_t_rename, 0, true},
	[P9_TREADLINK] = {p9_t_readlink, 2},
	[P9_TGETATTR] = {p9_t_getattr, 153},
	[P9_TSETATTR] = {p9_t_setattr, 0, true},
	[P9_TXATTRWALK] = {p9_t_xattrwalk, 8},
	[P9_TXATTRCREATE] = {p9_t_xattrcreate, 0, true},
	[P9_TREADDIR] = {p9_t_readdir, 4},
	[P9_TFSYNC] = {p9_t_fsync, 0},
	[P9_TLOCK] = {p9_t_lock, 1},
	[P9_TGETLOCK] = {p9_t_getlock, 1 + 8 + 8 + 4 + 2},
	[P9_TLINK] = {p9_t_link, 0, true},
	[P9_TMKDIR] = {p9_t_mkdir, P9_QID_SIZE, true},
	[P9_TRENAMEAT] = {p9_t_renameat, 0, true},
	[P9_TUNLINKAT] = {p9_t_unlinkat, 0, true},
	[P9_TVERSION] = {p9_t_version, 4 + 2 + sizeof(P9_VERSION) - 1},
	[P9_TAUTH] = {p9_t_auth, 0},
	[P9_TATTACH] = {p9_t_attach, P9_QID_SIZE},
	[P9_TFLUSH] = {p9_t_flush, 0},
	[P9_TWALK] = {p9_t_walk, 2},
	[P9_TREAD] = {p9_t_read, 4},
	[P9_TWRITE] = {p9_t_write, 4, true},
	[P9_TCLUNK] = {p9_t_clunk, 0},
	[P9_TREMOVE] = {p9_t_remove, 0},
};

int p9_may_change(const struct p9_req *req)
{
	return req->session->share->config.flags & P9_SHARE_RO ? -EROFS : 0;
}

void p9_put_at(struct p9_req *req, size_t at, const void *data, size_t len)
{
	const struct iovec *iov = req->r_iov;
	const uint8_t *from = data;

	for (; at >= iov->iov_len; iov++)
		at -= iov->iov_len;
	while (len) {
		size_t piece = iov->iov_len - at < len ? iov->iov_len - at : len;

		memcpy((uint8_t *)iov->iov_base + at, from, piece);
		from += piece;
		len -= piece;
		at = 0;
		iov++;
	}
}

static size_t finish(struct p9_req *req, uint8_t type)
{
	size_t len = p9_out_len(&req->out) + req->payload;
	uint32_t size = htole32((uint32_t)len);
	uint8_t header[P9_HEADER] = {[4] = type, (uint8_t)req->tag, (uint8_t)(req->tag >> 8)};

	memcpy(header, &size, sizeof(size));
	p9_put_at(req, 0, header, sizeof(header));
	return len;
}

/* The room for a reply: the buffer's or the session's, with the header passed. */
static void begin(struct p9_req *req)
{
	static const uint8_t header[P9_HEADER];
	unsigned int msize = atomic_load_explicit(&req->session->msize, memory_order_relaxed);

	if (!msize)
		msize = P9_MSIZE_MAX;
	p9_out_init(&req->out, req->r_iov, req->r.len < msize ? req->r.len : msize);
	req->payload = 0;
	p9_put(&req->out, header, sizeof(header));
}

size_t p9_error(struct p9_req *req, int err)
{
	begin(req);
	req->counted.failed = true;
	p9_put32(&req->out, (uint32_t)-err);
	return req->out.full ? 0 : finish(req, P9_RLERROR);
}

static int handle(struct p9_req *req)
{
	if (req->refused)
		return req->refused;
	if (!messages[req->type].handle)
		return -EOPNOTSUPP;
	if (p9_out_room(&req->out) < messages[req->type].body)
		return -EMSGSIZE;
	if (messages[req->type].changes && p9_may_change(req))
		return -EROFS;
	return messages[req->type].handle(req);
}

size_t p9_message(struct p9_req *req)
{
	int err;

	begin(req);
	err = handle(req);
	if (!err && req->out.full)
		err = -EMSGSIZE;
	if (req->dropped)
		return 0;
	return err ? p9_error(req, err) : finish(req, (uint8_t)(req->type + 1));
}
