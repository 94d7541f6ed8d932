// SPDX-License-Identifier: MIT
/* Tversion, Tauth, Tattach, Tflush, Tclunk. */
#include <errno.h>
#include <string.h>

#include "ninep/msg.h"
#include "ninep/owner.h"

/* size[4] Tversion tag[2] msize[4] version[s]; Rversion msize[4] version[s] */
int p9_t_version(struct p9_req *req)
{
	uint32_t msize = p9_get32(&req->in);
	const char *version = p9_get_string(&req->in);
	bool ours = !strcmp(version, P9_VERSION);
	int err = p9_get_end(&req->in);

	if (err)
		return err;
	if (msize < P9_MSIZE_MIN)
		return -EMSGSIZE;
	if (msize > P9_MSIZE_MAX)
		msize = P9_MSIZE_MAX;
	/* Whatever the answer, the old session is over. */
	req->acted = true;
	p9_await_all(req);
	p9_fid_clear(req->session, req);
	atomic_store(&req->session->msize, ours ? msize : 0);
	p9_put32(&req->out, msize);
	p9_put_string(&req->out, ours ? P9_VERSION : P9_VERSION_NONE);
	return 0;
}

/*
 * size[4] Tauth tag[2] afid[4] uname[s] aname[s] n_uname[4]; Rauth aqid[13]
 *
 * There is nothing to authenticate to. The error by which clients know that (diod's, for one), and
 * go on to Tattach.
 */
int p9_t_auth(struct p9_req *req)
{
	(void)req;
	return -ENOENT;
}

/*
 * size[4] Tattach tag[2] fid[4] afid[4] uname[s] aname[s] n_uname[4]; Rattach qid[13]
 *
 * aname is a folder below the share, "" and "/" the share itself.
 */
int p9_t_attach(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint32_t afid = p9_get32(&req->in);
	const char *uname = p9_get_string(&req->in);
	const char *aname = p9_get_string(&req->in);
	uint32_t uid = p9_get32(&req->in);
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node, *next;
	struct p9_fid_of of = {.uid = uid, .fd = -1};
	char name[P9_NAME_LEN + 1];
	struct p9_qid qid;
	struct statx stx;
	int err = p9_get_end(&req->in);

	(void)uname;
	if (err)
		return err;
	if (afid != P9_NOFID)
		return -EBADF; /* there is no Tauth */
	node = p9_node_get(share->root);
	p9_node_pin_again(node);
	err = p9_node_statx(req, node, node->fd, false, &stx);
	while (!err) {
		size_t len = strcspn(aname += strspn(aname, "/"), "/");

		if (!len)
			break;
		err = -ENAMETOOLONG;
		if (len > P9_NAME_LEN)
			break;
		memcpy(name, aname, len);
		name[len] = 0;
		aname += len;
		p9_owner_act_on(req, uid, node);
		err = p9_check_name(name);
		if (!err)
			err = p9_node_step(req, share->root, node, name, &next, &stx);
		if (!err) {
			p9_node_release(req, node);
			node = next;
		}
	}
	if (!err && !S_ISDIR(node->type))
		err = -ENOTDIR;
	if (!err)
		err = p9_node_qid(req, node, &stx, &qid);
	if (err)
		goto out;

	of.node = of.root = node;
	err = p9_fid_add(req, num, &of);
	p9_put_qid(&req->out, &qid);
out:
	p9_node_release(req, node);
	return err;
}

/* size[4] Tflush tag[2] oldtag[2]; Rflush */
int p9_t_flush(struct p9_req *req)
{
	uint16_t tag = p9_get16(&req->in);
	int err = p9_get_end(&req->in);

	if (err)
		return err;
	p9_await_tag(req, tag);
	return 0;
}

/*
 * size[4] Tclunk tag[2] fid[4]; Rclunk
 *
 * An attribute is set now. The fid is gone even on an error, which is the host's.
 */
int p9_t_clunk(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	int err = p9_get_end(&req->in);

	if (err)
		return err;
	req->acted = true;
	return p9_fid_clunk(req, num);
}
