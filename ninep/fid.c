// SPDX-License-Identifier: MIT
#include "ninep/fid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ninep/lock.h"
#include "ninep/owner.h"
#include "ninep/session.h"
#include "ninep/xattr.h"

/* What an open file or an attribute is about must not be lost, whatever becomes of its name. */
static bool keeps_pin(const struct p9_fid *fid)
{
	return fid->fd >= 0 || fid->xattr;
}

/* The table's lock is held. The new fid's only reference is the table's. */
static int add(struct p9_fids *fids, uint32_t num, const struct p9_fid_of *of)
{
	struct p9_fid *fid = p9_pool_take(&fids->pool, sizeof(*fid));

	if (!fid)
		return -ENOMEM;
	*fid = (struct p9_fid){
		.num = num,
		.node = p9_node_get(of->node),
		.root = p9_node_get(of->root),
		.uid = of->uid,
		.fd = of->fd,
		.flags = of->flags,
		.xattr = of->xattr,
		.dirpos.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	atomic_init(&fid->refs, 1);
	if (keeps_pin(fid))
		p9_node_pin_again(fid->node);
	p9_hash_add(&fids->table, &fid->link, p9_hash_mix(num));
	return 0;
}

/* The last reference is gone. */
static int destroy(struct p9_session *session, struct p9_req *req, struct p9_fid *fid)
{
	int err = 0;

	if (atomic_load(&fid->locked))
		p9_lock_release_fid(session, req, fid);
	if (fid->fd >= 0)
		err = p9_close_held(req, fid->node->fs, fid->fd, fid->flags & P9_OPEN_ACCMODE);
	if (keeps_pin(fid))
		p9_node_unpin(fid->node);
	if (fid->xattr)
		p9_xattr_free(session, fid->xattr);
	p9_node_put(session->share, req, fid->node);
	p9_node_put(session->share, req, fid->root);
	pthread_mutex_destroy(&fid->dirpos.lock);
	p9_pool_give(&session->fids.pool, fid);
	return err;
}

/* Gives back a reference without a pin. Nobody finds one any more that has none. */
static int unref(struct p9_req *req, struct p9_fid *fid)
{
	return atomic_fetch_sub(&fid->refs, 1) == 1 ? destroy(req->session, req, fid) : 0;
}

void p9_fid_put(struct p9_req *req, struct p9_fid *fid)
{
	if (!fid)
		return;
	p9_node_unpin(fid->node);
	unref(req, fid);
}

/* The table's lock is held. */
static struct p9_fid *find(const struct p9_fids *fids, uint32_t num)
{
	/* The hash is the number's own: none other has it. */
	struct p9_link *link = p9_hash_find(&fids->table, p9_hash_mix(num));

	return link ? p9_entry(link, struct p9_fid, link) : NULL;
}

/* A reference to what num means; NULL: nothing. */
static struct p9_fid *get(struct p9_fids *fids, uint32_t num)
{
	struct p9_fid *fid;

	pthread_mutex_lock(&fids->lock);
	fid = find(fids, num);
	if (fid)
		atomic_fetch_add(&fid->refs, 1);
	pthread_mutex_unlock(&fids->lock);
	return fid;
}

int p9_fid_get_any(struct p9_req *req, uint32_t num, struct p9_fid **out)
{
	struct p9_fid *fid = get(&req->session->fids, num);
	int err;

	*out = NULL;
	if (!fid)
		return -EBADF;
	err = p9_node_pin(req, fid->node);
	if (err) {
		unref(req, fid);
		return err;
	}
	p9_owner_act(req, fid->uid, fid->node);
	/* That may have waited: a request that is dropped there has no effect. */
	if (req->dropped) {
		p9_fid_put(req, fid);
		return -ECANCELED;
	}
	*out = fid;
	return 0;
}

int p9_fid_get(struct p9_req *req, uint32_t num, struct p9_fid **fid)
{
	int err = p9_fid_get_any(req, num, fid);

	if (err || !(*fid)->xattr)
		return err;
	p9_fid_put(req, *fid);
	*fid = NULL;
	return -EBADF;
}

int p9_fid_add(struct p9_req *req, uint32_t num, const struct p9_fid_of *of)
{
	struct p9_fids *fids = &req->session->fids;
	int err;

	if (num == P9_NOFID)
		return -EBADF;
	if (req->dropped)
		return -ECANCELED;
	pthread_mutex_lock(&fids->lock);
	if (find(fids, num))
		err = -EBADF;
	else if (fids->table.n >= P9_MAX_FIDS)
		err = -EMFILE;
	else
		err = add(fids, num, of);
	pthread_mutex_unlock(&fids->lock);
	if (!err)
		req->acted = true;
	return err;
}

int p9_fid_replace(struct p9_req *req, struct p9_fid *old, const struct p9_fid_of *of)
{
	struct p9_fids *fids = &req->session->fids;
	int err = -EBADF;

	if (req->dropped)
		return -ECANCELED;
	pthread_mutex_lock(&fids->lock);
	if (find(fids, old->num) == old)
		err = add(fids, old->num, of);
	if (!err)
		p9_hash_del(&fids->table, &old->link);
	pthread_mutex_unlock(&fids->lock);
	if (!err) {
		req->acted = true;
		unref(req, old);
	}
	return err;
}

int p9_fid_clunk(struct p9_req *req, uint32_t num)
{
	struct p9_fids *fids = &req->session->fids;
	struct p9_fid *fid;
	int set = 0, err;

	pthread_mutex_lock(&fids->lock);
	fid = find(fids, num);
	if (fid)
		p9_hash_del(&fids->table, &fid->link);
	pthread_mutex_unlock(&fids->lock);
	if (!fid)
		return -EBADF;
	if (fid->xattr && fid->xattr->set)
		set = p9_xattr_apply(req, fid);
	err = unref(req, fid);
	return set ?: err;
}

void p9_fid_clear(struct p9_session *session, struct p9_req *req)
{
	struct p9_hash *table = &session->fids.table;

	/* No other request is in flight: the table's references are the only ones. */
	for (size_t i = 0; i < table->buckets; i++) {
		struct p9_link *link;

		while ((link = table->bucket[i])) {
			p9_hash_del(table, link);
			destroy(session, req, p9_entry(link, struct p9_fid, link));
		}
	}
}
