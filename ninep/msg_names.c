// SPDX-License-Identifier: MIT
/* Tmkdir, Tsymlink, Tmknod, Treadlink, Tlink, Trename, Trenameat, Tunlinkat, Tremove. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "ninep/msg.h"
#include "ninep/owner.h"
#include "ninep/refusal.h"

/* A fid that names can be made in, as the user that makes them. */
static int get_dir(struct p9_req *req, uint32_t num, struct p9_fid **fid)
{
	int err = p9_fid_get(req, num, fid);

	if (!err && !S_ISDIR((*fid)->node->type)) {
		p9_fid_put(req, *fid);
		*fid = NULL;
		err = -ENOTDIR;
	}
	return err;
}

/* Something new: what it is besides its name. */
struct newcomer {
	uint32_t mode; /* with its type */
	uint32_t gid;
	dev_t dev;
	const char *target;
};

static bool is_special(uint32_t mode)
{
	return !S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode);
}

static int make(struct p9_req *req, const struct p9_node *dir, const char *name,
		const struct newcomer *new)
{
	uint32_t mode = p9_owner_new_mode(req, new->mode);

	if (S_ISDIR(new->mode))
		return p9_mkdirat(req, dir->fs, dir->fd, name, mode & 07777);
	if (S_ISLNK(new->mode))
		return p9_owner_symlink(req, dir, name, new->target);
	return p9_mknodat(req, dir->fs, dir->fd, name, mode, new->dev);
}

/* Makes it in the folder that dirnum means, and puts its qid. */
static int make_in(struct p9_req *req, uint32_t dirnum, const char *name, const struct newcomer *new)
{
	struct p9_node *dir;
	struct p9_fid *fid;
	struct p9_qid qid;
	struct statx stx;
	int err = get_dir(req, dirnum, &fid);

	if (err)
		return err;
	dir = fid->node;
	err = p9_may_make(dir, name);
	if (err) {
		p9_fid_put(req, fid);
		return err;
	}
	err = p9_owner_act_create(req, fid->uid, new->gid);
	if (!err)
		err = make(req, dir, name, new);
	if (err)
		goto out;
	err = p9_owner_made(req, dir->fs, dir->fd, name, fid->uid, new->gid, new->mode, new->dev);
	if (err) {
		p9_unlinkat(req, dir->fs, dir->fd, name, S_ISDIR(new->mode) ? AT_REMOVEDIR : 0);
		goto out;
	}
	err = p9_statx(req, dir->fs, dir->fd, name, &stx);
	if (!err)
		err = p9_qid(req, &stx, &qid);
	if (!err)
		p9_put_qid(&req->out, &qid);
out:
	p9_refused(req, is_special(new->mode) ? P9_REFUSED_MKNOD : P9_REFUSED_CREATE, dir, name, err);
	p9_fid_put(req, fid);
	return err;
}

/* size[4] Tmkdir tag[2] dfid[4] name[s] mode[4] gid[4]; Rmkdir qid[13] */
int p9_t_mkdir(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	const char *name = p9_get_name(&req->in);
	uint32_t mode = p9_get32(&req->in);
	const struct newcomer new = {
		.mode = S_IFDIR | (mode & 07777),
		.dev = P9_NO_RDEV,
		.gid = p9_get32(&req->in),
	};

	return p9_get_end(&req->in) ?: make_in(req, num, name, &new);
}

/* size[4] Tsymlink tag[2] dfid[4] name[s] symtgt[s] gid[4]; Rsymlink qid[13] */
int p9_t_symlink(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	const char *name = p9_get_name(&req->in);
	const char *target = p9_get_string(&req->in);
	const struct newcomer new = {
		.mode = S_IFLNK | 0777,
		.dev = P9_NO_RDEV,
		.gid = p9_get32(&req->in),
		.target = target,
	};
	int err = p9_get_end(&req->in);

	if (!err && strlen(target) >= P9_PATH_SIZE)
		err = -ENAMETOOLONG;
	return err ?: make_in(req, num, name, &new);
}

/* size[4] Tmknod tag[2] dfid[4] name[s] mode[4] major[4] minor[4] gid[4]; Rmknod qid[13] */
int p9_t_mknod(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	const char *name = p9_get_name(&req->in);
	uint32_t mode = p9_get32(&req->in) & (S_IFMT | 07777);
	uint32_t major = p9_get32(&req->in);
	uint32_t minor = p9_get32(&req->in);
	const struct newcomer new = {
		.mode = mode & S_IFMT ? mode : S_IFREG | mode,
		.gid = p9_get32(&req->in),
		.dev = makedev(major, minor),
	};
	int err = p9_get_end(&req->in);

	/* As mknod(2) has it for what has a call of its own. */
	if (!err && S_ISDIR(new.mode))
		err = -EPERM;
	if (!err && S_ISLNK(new.mode))
		err = -EINVAL;
	return err ?: make_in(req, num, name, &new);
}

/* size[4] Treadlink tag[2] fid[4]; Rreadlink target[s] */
int p9_t_readlink(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	char target[P9_PATH_SIZE];
	struct p9_fid *fid;
	ssize_t n;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (err)
		return err;
	n = S_ISLNK(fid->node->type)
		    ? p9_owner_readlink(req, fid->node, target, sizeof(target) - 1)
		    : -EINVAL;
	p9_fid_put(req, fid);
	if (n < 0)
		return (int)n;
	target[n] = 0;
	p9_put_string(&req->out, target);
	return 0;
}

/* size[4] Tlink tag[2] dfid[4] fid[4] name[s]; Rlink */
int p9_t_link(struct p9_req *req)
{
	uint32_t dirnum = p9_get32(&req->in);
	uint32_t num = p9_get32(&req->in);
	const char *name = p9_get_name(&req->in);
	struct p9_fid *fid = NULL, *dir = NULL;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (!err)
		err = get_dir(req, dirnum, &dir);
	if (!err)
		err = p9_may_make(dir->node, name);
	if (err)
		goto out;
	err = S_ISDIR(fid->node->type)
		      ? -EPERM
		      : p9_linkat(req, dir->node->fs, fid->node->fd, dir->node->fd, name);
	p9_refused(req, P9_REFUSED_CREATE, dir->node, name, err);
out:
	p9_fid_put(req, dir);
	p9_fid_put(req, fid);
	return err;
}

static int rename_in(struct p9_req *req, struct p9_node *olddir, const char *oldname,
		     struct p9_node *newdir, const char *newname)
{
	struct p9_node *node, *over;
	int err = p9_may_rename(olddir, oldname, newdir, newname);

	if (err)
		return err;
	/*
	 * Both have their descriptors, so that nobody looks for them by a name that is not theirs
	 * any more; and a file that loses its name this way stays the file of its fids.
	 */
	node = p9_node_at(req, olddir, oldname);
	over = p9_node_at(req, newdir, newname);
	p9_owner_act_move(req, olddir, oldname);
	err = p9_renameat(req, olddir->fs, olddir->fd, oldname, newdir->fd, newname);

	if (!err)
		p9_node_renamed(req, olddir, oldname, newdir, newname);
	p9_node_release(req, over);
	p9_node_release(req, node);
	return err;
}

/* The place of a node that is to lose its name: it is really there. place->parent is held. */
static int where(struct p9_req *req, struct p9_node *node, struct p9_place_name *place)
{
	int err = p9_node_where(req, node, place);

	if (err)
		return err;
	if (!place->parent)
		return node == p9_req_share(req)->root ? -EBUSY : -ENOENT;
	return p9_node_check(req, node, place->parent, place->name);
}

/* size[4] Trename tag[2] fid[4] dfid[4] name[s]; Rrename */
int p9_t_rename(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	uint32_t dirnum = p9_get32(&req->in);
	const char *name = p9_get_name(&req->in);
	struct p9_place_name at = {0};
	struct p9_fid *fid = NULL, *dir = NULL;
	int err = p9_get_end(&req->in);

	if (!err)
		err = p9_fid_get(req, num, &fid);
	if (!err)
		err = get_dir(req, dirnum, &dir);
	if (err)
		goto out;
	err = where(req, fid->node, &at);
	if (err)
		goto out;
	p9_owner_act(req, fid->uid, at.parent);
	err = rename_in(req, at.parent, at.name, dir->node, name);
out:
	p9_node_release(req, at.parent);
	p9_fid_put(req, dir);
	p9_fid_put(req, fid);
	return err;
}

/* size[4] Trenameat tag[2] olddirfid[4] oldname[s] newdirfid[4] newname[s]; Rrenameat */
int p9_t_renameat(struct p9_req *req)
{
	uint32_t oldnum = p9_get32(&req->in);
	const char *oldname = p9_get_name(&req->in);
	uint32_t newnum = p9_get32(&req->in);
	const char *newname = p9_get_name(&req->in);
	struct p9_fid *olddir = NULL, *newdir = NULL;
	int err = p9_get_end(&req->in);

	if (!err)
		err = get_dir(req, oldnum, &olddir);
	if (!err)
		err = get_dir(req, newnum, &newdir);
	if (!err)
		err = rename_in(req, olddir->node, oldname, newdir->node, newname);
	p9_fid_put(req, newdir);
	p9_fid_put(req, olddir);
	return err;
}

static int unlink_in(struct p9_req *req, struct p9_node *dir, const char *name, bool is_dir)
{
	struct p9_node *node;
	int err;

	if (p9_is_hidden(dir, name))
		return -ENOENT;
	node = p9_node_at(req, dir, name);
	err = p9_unlinkat(req, dir->fs, dir->fd, name, is_dir ? AT_REMOVEDIR : 0);
	if (!err)
		p9_node_removed(req, dir, name);
	p9_node_release(req, node);
	return err;
}

/* size[4] Tunlinkat tag[2] dirfid[4] name[s] flags[4]; Runlinkat */
int p9_t_unlinkat(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	const char *name = p9_get_name(&req->in);
	uint32_t flags = p9_get32(&req->in);
	struct p9_fid *fid;
	int err = p9_get_end(&req->in);

	if (!err && (flags & ~P9_UNLINK_REMOVEDIR))
		err = -EINVAL;
	if (!err)
		err = get_dir(req, num, &fid);
	if (err)
		return err;
	err = unlink_in(req, fid->node, name, flags & P9_UNLINK_REMOVEDIR);
	p9_fid_put(req, fid);
	return err;
}

/* size[4] Tremove tag[2] fid[4]; Rremove. The fid is gone, whatever the answer. */
int p9_t_remove(struct p9_req *req)
{
	uint32_t num = p9_get32(&req->in);
	struct p9_place_name at = {0};
	struct p9_fid *fid = NULL;
	int err = p9_get_end(&req->in), gone;

	if (err)
		return err;
	err = p9_fid_get_any(req, num, &fid);
	if (req->dropped)
		return err;
	req->acted = true;
	gone = p9_fid_clunk(req, num);
	if (!err && fid->xattr)
		err = gone ?: -EBADF;
	if (!err)
		err = p9_may_change(req);
	if (err)
		goto out;
	err = where(req, fid->node, &at);
	if (err)
		goto out;
	/* It is the folder that has to allow it. */
	p9_owner_act_on(req, fid->uid, at.parent);
	err = unlink_in(req, at.parent, at.name, S_ISDIR(fid->node->type));
out:
	p9_node_release(req, at.parent);
	p9_fid_put(req, fid);
	return err;
}
