// SPDX-License-Identifier: MIT
/* Txattrwalk, Txattrcreate, and what Tread, Twrite and Tclunk do with their fids. */
#include <errno.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "ninep/msg.h"
#include "ninep/owner.h"
#include "ninep/xattr.h"

_Static_assert(XATTR_NAME_MAX <= P9_NAME_LEN, "a name fits");

/* NULL: as many as may be are under way, or out of memory. */
static struct p9_xattr *xattr_new(struct p9_session *session, const char *name, size_t size)
{
	struct p9_xattr *xattr = NULL;

	if (atomic_fetch_add(&session->xattrs, 1) < P9_MAX_XATTRS)
		xattr = calloc(1, sizeof(*xattr) + size);
	if (!xattr) {
		atomic_fetch_sub(&session->xattrs, 1);
		return NULL;
	}
	pthread_mutex_init(&xattr->lock, NULL);
	xattr->size = size;
	memcpy(xattr->name, name, strlen(name) + 1);
	return xattr;
}

void p9_xattr_free(struct p9_session *session, struct p9_xattr *xattr)
{
	pthread_mutex_destroy(&xattr->lock);
	free(xattr);
	atomic_fetch_sub(&session->xattrs, 1);
}

/* The kernel's own error for a name that is too long. */
static int check_name(const char *name)
{
	return strlen(name) > XATTR_NAME_MAX ? -ERANGE : 0;
}

static struct p9_fid_of fid_of(const struct p9_fid *fid, struct p9_xattr *xattr)
{
	return (struct p9_fid_of){
		.node = fid->node,
		.root = fid->root,
		.uid = fid->uid,
		.fd = -1,
		.xattr = xattr,
	};
}

/* Most values are. The host clears as much memory as it is asked for, so not all at once. */
#define SMALL 256

static ssize_t get_value(struct p9_req *req, const struct p9_node *node, const char *name, void *buf,
			 size_t room)
{
	return *name ? p9_owner_getxattr(req, node, name, buf, room)
		     : p9_owner_listxattr(req, node, buf, room);
}

/*
 * size[4] Txattrwalk tag[2] fid[4] newfid[4] name[s]; Rxattrwalk size[8]
 *
 * newfid stands for the attribute, or for the list of all names if name is "", and is read by
 * Tread.
 */
int p9_t_xattrwalk(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint32_t newnum = p9_get32(&req->in);
	const char *name = p9_get_string(&req->in);
	struct p9_fid *fid = NULL;
	struct p9_fid_of of;
	_Alignas(4) char small[SMALL]; /* an ACL has words in it */
	void *large = NULL;
	ssize_t n;
	int err = p9_get_end(&req->in);

	if (!err)
		err = check_name(name);
	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	n = get_value(req, fid->node, name, small, sizeof(small));
	err = -ENOMEM;
	if (n == -ERANGE) {
		large = malloc(XATTR_SIZE_MAX); /* a list is no longer either */
		if (!large)
			goto out;
		n = get_value(req, fid->node, name, large, XATTR_SIZE_MAX);
	}
	if (n < 0) {
		err = (int)n;
		goto out;
	}
	of = fid_of(fid, xattr_new(req->session, name, (size_t)n));
	if (!of.xattr)
		goto out;
	memcpy(of.xattr->value, large ?: small, (size_t)n);
	err = p9_fid_add(req, newnum, &of);
	if (err)
		p9_xattr_free(req->session, of.xattr);
	p9_put64(&req->out, (uint64_t)n);
out:
	free(large);
	p9_fid_put(req, fid);
	return err;
}

/*
 * size[4] Txattrcreate tag[2] fid[4] name[s] attr_size[8] flags[4]; Rxattrcreate
 *
 * fid stands for the attribute from then on: Twrite gives its value, and Tclunk sets it.
 */
int p9_t_xattrcreate(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	const char *name = p9_get_string(&req->in);
	uint64_t size = p9_get64(&req->in);
	uint32_t flags = p9_get32(&req->in);
	struct p9_fid_of of;
	struct p9_fid *fid;
	int err = p9_get_end(&req->in);

	if (!err && (!*name || (flags & ~(uint32_t)(XATTR_CREATE | XATTR_REPLACE))))
		err = -EINVAL;
	if (!err)
		err = check_name(name);
	if (!err && size > XATTR_SIZE_MAX)
		err = -E2BIG;
	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	err = -EBUSY; /* an open fid stays what it is */
	if (fid->fd >= 0)
		goto out;
	err = -ENOMEM;
	of = fid_of(fid, xattr_new(req->session, name, (size_t)size));
	if (!of.xattr)
		goto out;
	of.xattr->set = true;
	of.xattr->flags = flags;
	err = p9_fid_replace(req, fid, &of);
	if (err)
		p9_xattr_free(req->session, of.xattr);
out:
	p9_fid_put(req, fid);
	return err;
}

/*
 * Linux's client has no message for removal: it replaces by nothing. An ACL without a size is
 * removed, too, since no ACL is empty; of other attributes, an empty one is a value.
 */
static bool is_removal(const struct p9_xattr *xattr)
{
	return !xattr->size &&
	       ((xattr->flags & XATTR_REPLACE) || !strncmp(xattr->name, "system.posix_acl_", 17));
}

int p9_xattr_apply(struct p9_req *req, struct p9_fid *fid)
{
	struct p9_xattr *xattr = fid->xattr;
	bool whole;

	pthread_mutex_lock(&xattr->lock);
	whole = xattr->written == xattr->size;
	xattr->over = true;
	pthread_mutex_unlock(&xattr->lock);
	if (!whole)
		return -EINVAL;
	p9_owner_act(req, fid->uid, fid->node);
	if (is_removal(xattr))
		return p9_owner_removexattr(req, fid->node, xattr->name);
	return p9_owner_setxattr(req, fid->node, xattr->name, xattr->value, xattr->size,
				 xattr->flags);
}

int p9_xattr_read(struct p9_req *req, const struct p9_fid *fid, uint64_t off, uint32_t count)
{
	const struct p9_xattr *xattr = fid->xattr;
	size_t n = 0;

	if (xattr->set)
		return -EINVAL;
	if (off < xattr->size)
		n = xattr->size - (size_t)off;
	if (n > count)
		n = count;
	if (n > p9_out_room(&req->out) - 4)
		n = p9_out_room(&req->out) - 4;
	p9_put32(&req->out, (uint32_t)n);
	p9_put(&req->out, xattr->value + (n ? off : 0), n);
	return 0;
}

int p9_xattr_write(struct p9_req *req, struct p9_fid *fid, uint64_t off, uint32_t count)
{
	struct p9_xattr *xattr = fid->xattr;
	int err = 0;

	pthread_mutex_lock(&xattr->lock);
	if (!xattr->set || xattr->over || off > xattr->written)
		err = -EINVAL;
	else if (count > xattr->size - off)
		err = -ENOSPC;
	if (!err) {
		p9_iov_copy(&req->t, P9_TWRITE_DATA, xattr->value + off, count);
		if (off + count > xattr->written)
			xattr->written = (size_t)off + count;
	}
	pthread_mutex_unlock(&xattr->lock);
	if (!err)
		p9_put32(&req->out, count);
	return err;
}
