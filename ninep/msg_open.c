// SPDX-License-Identifier: MIT
/* Tlopen, Tlcreate. */
#include <errno.h>
#include <fcntl.h>

#include "ninep/atime.h"
#include "ninep/msg.h"
#include "ninep/owner.h"
#include "ninep/refusal.h"

/*
 * What has no meaning for a server is left out: O_NONBLOCK, O_NOCTTY, FASYNC, O_LARGEFILE,
 * O_CLOEXEC; O_CREAT and O_EXCL, which Tlopen carries too, are Tlcreate's; a fid is never a
 * symbolic link's target, so O_NOFOLLOW says nothing.
 */
static uint64_t host_flags(uint32_t flags)
{
	static const struct {
		uint32_t ours;
		uint64_t host;
	} map[] = {
		{P9_OPEN_TRUNC, O_TRUNC},     {P9_OPEN_APPEND, O_APPEND},
		{P9_OPEN_DSYNC, O_DSYNC},     {P9_OPEN_SYNC, O_SYNC},
		{P9_OPEN_DIRECT, O_DIRECT},   {P9_OPEN_DIRECTORY, O_DIRECTORY},
		{P9_OPEN_NOATIME, O_NOATIME},
	};
	uint64_t host = flags & P9_OPEN_ACCMODE;

	for (size_t i = 0; i < sizeof(map) / sizeof(*map); i++)
		if (flags & map[i].ours)
			host |= map[i].host;
	return host;
}

/*
 * O_NOATIME and O_DIRECT are wishes: who does not own the file may not have the first (EPERM), not
 * every file system has the other (EINVAL).
 */
static bool give_up_a_wish(int err, uint64_t *flags)
{
	uint64_t wish = err == -EPERM ? O_NOATIME : err == -EINVAL ? O_DIRECT : 0;

	if (!(*flags & wish))
		return false;
	*flags &= ~wish;
	return true;
}

/* Opens a node for data; anything but a file or a folder is never opened. */
static int open_node(struct p9_req *req, struct p9_node *node, uint32_t flags)
{
	uint64_t host = host_flags(flags);
	int fd;

	if (S_ISLNK(node->type))
		return -ELOOP;
	if (!S_ISREG(node->type) && !S_ISDIR(node->type))
		return -ENXIO;
	if (S_ISDIR(node->type))
		host |= O_DIRECTORY;
	do {
		fd = p9_reopen(req, node->fs, node->fd, host);
	} while (fd < 0 && give_up_a_wish(fd, &host));
	return fd;
}

/* Makes num, which means old, the open fid. fd is taken over. */
static int make_open(struct p9_req *req, struct p9_fid *old, struct p9_node *node, int fd,
		     uint32_t flags)
{
	const struct p9_fid_of of = {
		.node = node,
		.root = old->root,
		.uid = old->uid,
		.fd = fd,
		.flags = flags,
	};
	int err = p9_fid_replace(req, old, &of);

	if (err)
		p9_close(req, node->fs, fd, flags & P9_OPEN_ACCMODE);
	return err;
}

/*
 * Linux's client asks for as much of a folder as iounit says, or as much as a message may have; and
 * whatever comes, all the memory for that is pinned, and has a descriptor for each page. This is
 * room for hundreds of entries.
 */
#define DIR_IOUNIT (32u << 10)

/*
 * size[4] Tlopen tag[2] fid[4] flags[4]; Rlopen qid[13] iounit[4]
 *
 * Of a file, iounit 0: as much as a message may have.
 */
int p9_t_lopen(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint32_t flags = p9_get32(&req->in);
	struct p9_fid *fid;
	struct p9_qid qid;
	struct statx stx;
	int fd;
	int err = p9_get_end(&req->in);

	if (!err && (flags & P9_OPEN_ACCMODE) == P9_OPEN_ACCMODE)
		err = -EINVAL;
	if (!err && (flags & (P9_OPEN_ACCMODE | P9_OPEN_TRUNC)))
		err = p9_may_change(req);
	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	err = -EBUSY;
	if (fid->fd >= 0)
		goto out;
	fd = open_node(req, fid->node, flags);
	err = p9_refused(req, P9_REFUSED_OPEN, fid->node, NULL, fd);
	if (fd < 0)
		goto out;
	/* Of the open descriptor: O_TRUNC changed it just now. */
	err = p9_node_statx(req, fid->node, fd, false, &stx);
	if (!err)
		err = p9_node_qid(req, fid->node, &stx, &qid);
	if (err) {
		p9_close(req, fid->node->fs, fd, false);
		goto out;
	}
	p9_atime_opened(req, fid->node, fd, flags, &stx);
	err = make_open(req, fid, fid->node, fd, flags);
	p9_put_qid(&req->out, &qid);
	p9_put32(&req->out, S_ISDIR(fid->node->type) ? DIR_IOUNIT : 0);
out:
	p9_fid_put(req, fid);
	return err;
}

/* A new file at name in dir, with its owner. */
static int create(struct p9_req *req, struct p9_fid *fid, const char *name, uint64_t *host,
		  uint32_t mode, uint32_t gid)
{
	struct p9_node *dir = fid->node;
	int fd, err;

	do {
		fd = p9_open(req, dir->fs, dir->fd, name, *host | O_CREAT | O_EXCL | O_NOFOLLOW,
			     p9_owner_new_mode(req, mode) & 07777,
			     RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
	} while (fd < 0 && give_up_a_wish(fd, host));
	if (fd < 0)
		return fd;
	err = p9_owner_made(req, dir->fs, fd, "", fid->uid, gid, mode, P9_NO_RDEV);
	if (!err)
		return fd;
	p9_unlinkat(req, dir->fs, dir->fd, name, 0);
	p9_close(req, dir->fs, fd, true);
	return err;
}

/* Creates name, or opens what is there unless the client asked for a new file (O_EXCL). */
static int create_or_open(struct p9_req *req, struct p9_fid *fid, const char *name, uint32_t flags,
			  uint32_t mode, uint32_t gid, struct p9_node **node, struct statx *stx)
{
	uint64_t host = host_flags(flags) & ~(uint64_t)O_DIRECTORY;
	struct p9_node *dir = fid->node;
	int fd, err;

	/* Between the two attempts the host may create or delete: a few rounds settle it. */
	for (int round = 0; round < 8; round++) {
		fd = create(req, fid, name, &host, S_IFREG | (mode & 07777), gid);
		if (fd >= 0) {
			err = p9_node_of_fd(req, dir, name, fd, node, stx);
			if (err)
				p9_close(req, dir->fs, fd, true);
			return err ?: fd;
		}
		if (fd != -EEXIST || (flags & P9_OPEN_EXCL))
			return fd;
		err = p9_node_step(req, fid->root, dir, name, node, stx);
		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		/* Rights over the folder are none over what is in it. */
		p9_owner_act(req, fid->uid, *node);
		/* As open(2) with O_CREAT has it for a folder. */
		fd = S_ISDIR((*node)->type) ? -EISDIR : open_node(req, *node, flags);
		if (fd < 0)
			p9_node_release(req, *node);
		return fd;
	}
	return -ENOENT;
}

/*
 * size[4] Tlcreate tag[2] fid[4] name[s] flags[4] mode[4] gid[4]; Rlcreate qid[13] iounit[4]
 *
 * The fid was the folder, and is the open file from then on.
 */
int p9_t_lcreate(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	const char *name = p9_get_name(&req->in);
	uint32_t flags = p9_get32(&req->in);
	uint32_t mode = p9_get32(&req->in);
	uint32_t gid = p9_get32(&req->in);
	struct p9_node *node;
	struct p9_fid *fid;
	struct p9_qid qid;
	struct statx stx;
	int fd;
	int err = p9_get_end(&req->in);

	if (!err && (flags & P9_OPEN_ACCMODE) == P9_OPEN_ACCMODE)
		err = -EINVAL;
	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	err = fid->fd >= 0 ? -EBUSY : S_ISDIR(fid->node->type) ? 0 : -ENOTDIR;
	err = err ?: p9_may_make(fid->node, name);
	if (err)
		goto out;
	fd = p9_owner_act_create(req, fid->uid, gid);
	if (fd >= 0)
		fd = create_or_open(req, fid, name, flags, mode, gid, &node, &stx);
	err = p9_refused(req, P9_REFUSED_CREATE, fid->node, name, fd);
	if (fd < 0)
		goto out;
	err = p9_node_qid(req, node, &stx, &qid);
	if (!err)
		p9_atime_opened(req, node, fd, flags, &stx);
	if (!err)
		err = make_open(req, fid, node, fd, flags);
	else
		p9_close(req, node->fs, fd, true);
	p9_node_release(req, node);
	p9_put_qid(&req->out, &qid);
	p9_put32(&req->out, 0);
out:
	p9_fid_put(req, fid);
	return err;
}
