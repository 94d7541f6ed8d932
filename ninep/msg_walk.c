// SPDX-License-Identifier: MIT
/* Twalk. */
#include <errno.h>

#include "ninep/msg.h"
#include "ninep/owner.h"

/*
 * size[4] Twalk tag[2] fid[4] newfid[4] nwname[2] nwname*(wname[s]);
 * Rwalk nwqid[2] nwqid*(wqid[13])
 *
 * If the first name fails, the answer is its error; if a later one does, the qids up to there, and
 * newfid is not made.
 */
int p9_t_walk(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint32_t newnum = p9_get32(&req->in);
	uint16_t n = p9_get16(&req->in);
	const char *name[P9_MAX_WALK];
	struct p9_qid qid[P9_MAX_WALK];
	struct p9_fid *fid = NULL;
	struct p9_fid_of of;
	struct p9_node *node, *next;
	struct statx stx;
	uint16_t done = 0;
	int err;

	if (n > P9_MAX_WALK)
		return -EPROTO;
	for (uint16_t i = 0; i < n; i++)
		name[i] = p9_get_step(&req->in);
	err = p9_get_end(&req->in);
	if (!err && p9_out_room(&req->out) < 2 + (size_t)n * P9_QID_SIZE)
		err = -EMSGSIZE;
	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	node = fid->node; /* held by the fid; those behind it are by themselves */
	if (num == newnum && fid->fd >= 0 && n) {
		err = -EBUSY; /* an open fid stays what it is */
		goto out;
	}

	while (done < n) {
		if (done)
			p9_owner_act_on(req, fid->uid, node);
		err = p9_node_step(req, fid->root, node, name[done], &next, &stx);
		if (err)
			break;
		if (done)
			p9_node_release(req, node);
		node = next;
		err = p9_node_qid(req, node, &stx, &qid[done++]);
		if (err)
			goto out;
	}
	if (err && !done)
		goto out;

	if (done == n && (n || num != newnum)) {
		of = (struct p9_fid_of){
			.node = node,
			.root = fid->root,
			.uid = fid->uid,
			.fd = -1,
		};
		err = num == newnum ? p9_fid_replace(req, fid, &of) : p9_fid_add(req, newnum, &of);
		if (err)
			goto out;
	}
	err = 0;
	p9_put16(&req->out, done);
	for (uint16_t i = 0; i < done; i++)
		p9_put_qid(&req->out, &qid[i]);
out:
	if (done)
		p9_node_release(req, node);
	p9_fid_put(req, fid);
	return err;
}
