// SPDX-License-Identifier: MIT
#include "ninep/fid.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "ninep/session.h"

struct p9_fid *p9_fid_new(struct p9_req *req, struct p9_node *root, struct p9_node *node,
			  uint32_t uid, int fd, unsigned int flags)
{
	struct p9_fid *fid = malloc(sizeof(*fid));

	if (!fid)
		return NULL;
	*fid = (struct p9_fid){
		.refs = 1,
		.root = p9_node_get(p9_req_share(req), root),
		.node = p9_node_get(p9_req_share(req), node),
		.uid = uid,
		.fd = fd,
		.flags = flags,
	};
	pthread_mutex_init(&fid->dirpos.lock, NULL);
	return fid;
}

/* The last reference is gone. */
static int destroy(struct p9_share *share, struct p9_req *req, struct p9_fid *fid)
{
	int err = 0;

	if (fid->fd >= 0)
		err = p9_close(req, fid->node->fs, fid->fd, fid->flags & P9_OPEN_ACCMODE);
	p9_node_put(share, req, fid->node);
	p9_node_put(share, req, fid->root);
	pthread_mutex_destroy(&fid->dirpos.lock);
	free(fid);
	return err;
}

int p9_fid_put(struct p9_req *req, struct p9_fid *fid)
{
	struct p9_fids *fids = &req->session->fids;
	bool last;

	if (!fid)
		return 0;
	pthread_mutex_lock(&fids->lock);
	last = !--fid->refs;
	pthread_mutex_unlock(&fids->lock);
	return last ? destroy(p9_req_share(req), req, fid) : 0;
}

/* The link that points to num's fid, or to NULL. The table's lock is held. */
static struct p9_fid **find(struct p9_fids *fids, uint32_t num)
{
	struct p9_fid **at = &fids->bucket[num % P9_FID_BUCKETS];

	while (*at && (*at)->num != num)
		at = &(*at)->next;
	return at;
}

int p9_fid_get(struct p9_req *req, uint32_t num, struct p9_fid **fid)
{
	struct p9_fids *fids = &req->session->fids;

	pthread_mutex_lock(&fids->lock);
	*fid = *find(fids, num);
	if (*fid)
		(*fid)->refs++;
	pthread_mutex_unlock(&fids->lock);
	if (!*fid)
		return -EBADF;
	/* A user's groups never travel: without better knowledge, the group of the same number. */
	req->who = p9_identity(p9_req_server(req), (*fid)->uid, (*fid)->uid);
	return 0;
}

int p9_fid_add(struct p9_req *req, uint32_t num, struct p9_fid *fid)
{
	struct p9_fids *fids = &req->session->fids;
	struct p9_fid **at;
	int err = 0;

	if (num == P9_NOFID)
		return -EBADF;
	fid->num = num;
	pthread_mutex_lock(&fids->lock);
	at = find(fids, num);
	if (*at) {
		err = -EBADF;
	} else if (fids->n >= P9_MAX_FIDS) {
		err = -EMFILE;
	} else {
		fids->n++;
		fid->refs++;
		*at = fid;
	}
	pthread_mutex_unlock(&fids->lock);
	return err;
}

int p9_fid_replace(struct p9_req *req, struct p9_fid *old, struct p9_fid *fid)
{
	struct p9_fids *fids = &req->session->fids;
	struct p9_fid **at;
	bool same;

	fid->num = old->num;
	pthread_mutex_lock(&fids->lock);
	at = find(fids, old->num);
	same = *at == old;
	if (same) {
		fid->refs++;
		fid->next = old->next;
		*at = fid;
	}
	pthread_mutex_unlock(&fids->lock);
	if (!same)
		return -EBADF;
	p9_fid_put(req, old); /* the table's reference */
	return 0;
}

int p9_fid_remove(struct p9_req *req, uint32_t num, struct p9_fid **fid)
{
	struct p9_fids *fids = &req->session->fids;
	struct p9_fid **at;

	pthread_mutex_lock(&fids->lock);
	at = find(fids, num);
	*fid = *at;
	if (*fid) {
		*at = (*fid)->next;
		fids->n--;
	}
	pthread_mutex_unlock(&fids->lock);
	return *fid ? 0 : -EBADF;
}

void p9_fid_clear(struct p9_session *session, struct p9_req *req)
{
	struct p9_fids *fids = &session->fids;
	struct p9_fid *fid;

	/* No other request is in flight: the table's references are the only ones. */
	for (unsigned int i = 0; i < P9_FID_BUCKETS; i++) {
		while ((fid = fids->bucket[i])) {
			fids->bucket[i] = fid->next;
			destroy(session->share, req, fid);
		}
	}
	fids->n = 0;
}
