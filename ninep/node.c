// SPDX-License-Identifier: MIT
#include "ninep/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ninep/io.h"
#include "ninep/owner.h"
#include "ninep/server.h"
#include "ninep/session.h"

/* ---- the table; the share's lock is held ---- */

static uint64_t hash_of(const struct p9_node *parent, const char *name)
{
	uint64_t hash = (uint64_t)(uintptr_t)parent;

	for (; *name; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3ull;
	return p9_hash_mix(hash);
}

static struct p9_node *find(struct p9_share *share, const struct p9_node *parent, const char *name)
{
	struct p9_link *link = p9_hash_find(&share->table, hash_of(parent, name));

	for (; link; link = p9_hash_more(link)) {
		struct p9_node *node = p9_entry(link, struct p9_node, link);

		if (node->parent == parent && !strcmp(node->name, name))
			return node;
	}
	return NULL;
}

/* A node that has a descriptor may give it up from now on, since its place leads back to it. */
static void insert(struct p9_share *share, struct p9_node *node)
{
	p9_hash_add(&share->table, &node->link, hash_of(node->parent, node->name));
	node->placed = true;
	if (atomic_load(&node->pins) >= 0)
		p9_clock_add(share, node);
}

static void displace(struct p9_share *share, struct p9_node *node)
{
	if (!node->placed)
		return;
	p9_hash_del(&share->table, &node->link);
	node->placed = false;
	p9_clock_del(share, node);
}

/* ---- references ---- */

struct p9_node *p9_node_get(struct p9_node *node)
{
	atomic_fetch_add(&node->refs, 1);
	return node;
}

static void set_name(struct p9_node *node, const char *name, char *own)
{
	if (!own)
		memcpy(node->short_name, name, strlen(name) + 1);
	node->name = own ?: node->short_name;
}

/* Memory for a name that is not a short one. False: there is none. */
static bool own_name(const char *name, char **own)
{
	*own = NULL;
	if (strlen(name) >= P9_SHORT_NAME)
		*own = strdup(name);
	return *own || strlen(name) < P9_SHORT_NAME;
}

static char *owned_name(const struct p9_node *node)
{
	return node->name == node->short_name ? NULL : node->name;
}

/* Gives back one of several references. False: it is the last one. */
static bool put_one(struct p9_node *node)
{
	unsigned int refs = atomic_load(&node->refs);

	while (refs > 1)
		if (atomic_compare_exchange_weak(&node->refs, &refs, refs - 1))
			return true;
	return false;
}

void p9_node_put(struct p9_share *share, struct p9_req *req, struct p9_node *node)
{
	while (node && !put_one(node)) {
		struct p9_node *parent;
		bool last;

		/* Nobody finds it any more once it has none. */
		pthread_mutex_lock(&share->lock);
		last = atomic_fetch_sub(&node->refs, 1) == 1;
		parent = node->parent;
		if (last) {
			displace(share, node);
			share->nodes--;
		}
		pthread_mutex_unlock(&share->lock);
		if (!last)
			return;
		if (node->fd >= 0) {
			p9_node_count_fd(share, -1);
			p9_close(req, node->fs, node->fd, false);
		}
		p9_fs_put(node->fs);
		free(node->handle);
		free(owned_name(node));
		p9_pool_give(&share->pool, node);
		node = parent; /* it has lost the reference of this one */
	}
}

struct p9_node *p9_node_parent(struct p9_share *share, struct p9_node *node)
{
	pthread_mutex_lock(&share->lock);
	if (node->parent)
		node = node->parent;
	p9_node_get(node);
	pthread_mutex_unlock(&share->lock);
	return node;
}

/* Makes a hold of a reference; without success the reference is gone. */
static int hold(struct p9_req *req, struct p9_node *node)
{
	int err = p9_node_pin(req, node);

	if (err)
		p9_node_put(p9_req_share(req), req, node);
	return err;
}

struct p9_node *p9_node_at(struct p9_req *req, struct p9_node *dir, const char *name)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node;

	pthread_mutex_lock(&share->lock);
	node = find(share, dir, name);
	if (node)
		p9_node_get(node);
	pthread_mutex_unlock(&share->lock);
	return node && !hold(req, node) ? node : NULL;
}

int p9_node_where(struct p9_req *req, struct p9_node *node, struct p9_place_name *place)
{
	struct p9_share *share = p9_req_share(req);
	int err = 0;

	pthread_mutex_lock(&share->lock);
	place->parent = node->placed ? node->parent : NULL;
	if (place->parent) {
		p9_node_get(place->parent);
		memcpy(place->name, node->name, strlen(node->name) + 1);
	}
	pthread_mutex_unlock(&share->lock);
	if (place->parent)
		err = hold(req, place->parent);
	if (err)
		place->parent = NULL;
	return err;
}

/* ---- what a node is ---- */

uint64_t p9_stx_dev(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

static uint64_t nanoseconds(const struct statx_timestamp *t)
{
	return (uint64_t)t->tv_sec * 1000000000u + t->tv_nsec;
}

/* Another one after each change: ctime cannot be set back, and mtime is what data changes. */
static uint32_t qid_version(const struct statx *stx)
{
	uint64_t v = nanoseconds(&stx->stx_ctime) * 0x9e3779b97f4a7c15ull;

	v = (v + nanoseconds(&stx->stx_mtime)) * 0xd6e8feb86659fd93ull;
	return (uint32_t)(v >> 32);
}

int p9_node_qid_path(struct p9_req *req, struct p9_fs *fs, uint64_t ino, uint64_t *path)
{
	*path = ino;
	if (p9_req_share(req)->config.flags & P9_SHARE_WARN_MULTIDEVS)
		return 0;
	return p9_qid_path(&p9_req_server(req)->filesystems, fs, ino, path);
}

static int qid_on(struct p9_req *req, struct p9_fs *fs, const struct statx *stx, struct p9_qid *qid)
{
	qid->type = S_ISDIR(stx->stx_mode) ? P9_QTDIR : S_ISLNK(stx->stx_mode) ? P9_QTSYMLINK : 0;
	qid->version = qid_version(stx);
	return p9_node_qid_path(req, fs, stx->stx_ino, &qid->path);
}

int p9_node_qid(struct p9_req *req, const struct p9_node *node, const struct statx *stx,
		struct p9_qid *qid)
{
	return qid_on(req, node->fs, stx, qid);
}

int p9_qid(struct p9_req *req, const struct statx *stx, struct p9_qid *qid)
{
	struct p9_fs *fs = p9_fs_find(&p9_req_server(req)->filesystems, p9_stx_dev(stx));

	return fs ? qid_on(req, fs, stx, qid) : -ENOMEM;
}

/* ---- the time of birth ---- */

static void learn_btime(struct p9_share *share, struct p9_node *node, const struct statx *stx)
{
	bool known = stx->stx_mask & STATX_BTIME;

	pthread_mutex_lock(&share->lock);
	if (node->btime_is == P9_BTIME_UNASKED) {
		if (known)
			node->btime = stx->stx_btime;
		atomic_store(&node->btime_is, known ? P9_BTIME_KNOWN : P9_BTIME_NONE);
	}
	pthread_mutex_unlock(&share->lock);
}

void p9_node_ask_btime(struct p9_req *req, struct p9_share *share, struct p9_node *node)
{
	struct statx stx;

	if (atomic_load(&node->btime_is) == P9_BTIME_UNASKED &&
	    !p9_host_statx_btime(req, node->fs, node->fd, &stx))
		learn_btime(share, node, &stx);
}

int p9_node_statx(struct p9_req *req, struct p9_node *node, int fd, bool btime, struct statx *stx)
{
	enum p9_btime is = atomic_load(&node->btime_is);
	int err;

	/* Other file systems may let somebody set it (SMB), or make it up. */
	if (btime && (is == P9_BTIME_UNASKED || node->fs->class == P9_FS_OTHER)) {
		err = p9_host_statx_btime(req, node->fs, fd, stx);
		if (!err)
			learn_btime(p9_req_share(req), node, stx);
	} else {
		err = p9_host_statx(req, node->fs, fd, "", stx);
		stx->stx_mask = STATX_BASIC_STATS;
		if (!err && btime && is == P9_BTIME_KNOWN) {
			stx->stx_mask |= STATX_BTIME;
			stx->stx_btime = node->btime;
		}
	}
	if (!err)
		p9_owner_show_node(req, node, fd, stx);
	return err;
}

/* Another file system than the share's own: as multidevs= wants it. */
static int check_device(struct p9_req *req, const struct statx *stx)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_server *server = p9_req_server(req);
	bool forbid = share->config.flags & P9_SHARE_FORBID_MULTIDEVS;

	if (!(share->config.flags & (P9_SHARE_FORBID_MULTIDEVS | P9_SHARE_WARN_MULTIDEVS)) ||
	    p9_stx_dev(stx) == share->root->fs->dev)
		return 0;
	if (server->say && !atomic_exchange(&share->said_multidevs, true))
		server->say(server->say_arg,
			    forbid ? "a share holds more than one file system, and its "
				     "multidevs=forbid keeps the guest out of the others; "
				     "multidevs=remap lets it in"
				   : "a share holds more than one file system, so that two of its "
				     "files may have one inode number in the guest; "
				     "multidevs=remap keeps them apart");
	return forbid ? -ENODEV : 0;
}

/* ---- walking ---- */

/* A new node, held, without its place's reference; the share's lock is held. -ENOMEM. */
static int make_node(struct p9_share *share, struct p9_node *dir, const char *name, int fd,
		     struct p9_fs *fs, const struct statx *stx, struct p9_node **out)
{
	struct p9_node *node;
	char *own;

	if (!own_name(name, &own))
		return -ENOMEM;
	node = p9_pool_take(&share->pool, sizeof(*node));
	if (!node) {
		free(own);
		return -ENOMEM;
	}
	memset(node, 0, offsetof(struct p9_node, short_name));
	set_name(node, name, own);
	atomic_init(&node->refs, 1);
	atomic_init(&node->pins, 1);
	node->fd = fd;
	node->fs = fs;
	node->ino = stx->stx_ino;
	node->type = stx->stx_mode & S_IFMT;
	p9_owner_seen(node, stx->stx_mode);
	node->parent = dir;
	if (share->hide && S_ISDIR(node->type))
		node->hide = p9_hide_below(share->hide, dir->hide, name, fs->dev, node->ino);
	*out = node;
	return 0;
}

/* What statx says is of this node's file, which has its descriptor. */
static bool is_file(const struct p9_node *node, const struct statx *stx)
{
	return p9_stx_dev(stx) == node->fs->dev && stx->stx_ino == node->ino;
}

static bool same_inode(const struct p9_node *node, const struct p9_fs *fs, const struct statx *stx)
{
	return node->fs == fs && node->ino == stx->stx_ino &&
	       node->type == (stx->stx_mode & S_IFMT);
}

/* The share's lock is held. A reference to what is placed as name in dir, if it is this inode. */
static struct p9_node *get_placed(struct p9_share *share, struct p9_node *dir, const char *name,
				  const struct p9_fs *fs, const struct statx *stx)
{
	struct p9_node *there = find(share, dir, name);

	if (there && !same_inode(there, fs, stx)) {
		displace(share, there); /* the host has put something else there */
		return NULL;
	}
	if (there) {
		p9_node_get(there);
		p9_owner_seen(there, stx->stx_mode);
	}
	return there;
}

/* The share's lock is held. -ENFILE, -ENOMEM. */
static int place_new(struct p9_share *share, struct p9_node *dir, const char *name, int fd,
		     struct p9_fs *fs, const struct statx *stx, struct p9_node **node)
{
	int err;

	if (share->nodes >= P9_MAX_NODES)
		return -ENFILE;
	err = make_node(share, dir, name, fd, fs, stx, node);
	if (err)
		return err;
	share->nodes++;
	p9_node_get(dir);
	insert(share, *node);
	return 0;
}

/*
 * The node for what was found as name in dir: the one that is there already if it is the same file,
 * else a new one. Held. Takes fd and fs over, whatever the result.
 */
static int enter(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		 struct p9_fs *fs, const struct statx *stx, struct p9_node **node)
{
	struct p9_share *share = p9_req_share(req);

	for (;;) {
		bool pinned = false;
		struct p9_node *there;
		int err = 0;

		/* What was asked for last it may not know. */
		if (req->dropped) {
			p9_close(req, fs, fd, false);
			p9_fs_put(fs);
			return -ECANCELED;
		}
		pthread_mutex_lock(&share->lock);
		there = get_placed(share, dir, name, fs, stx);
		if (there)
			pinned = p9_node_try_pin(there);
		else
			err = place_new(share, dir, name, fd, fs, stx, node);
		pthread_mutex_unlock(&share->lock);
		if (!there && !err) {
			p9_node_count_fd(share, 1);
			p9_node_trim(req);
			return 0;
		}
		/* It may have given up its descriptor: this one will do, if it is the same file. */
		if (there && !pinned && !p9_node_adopt(req, there, fd, stx)) {
			fd = -1;
			pinned = true;
		}
		if (err || pinned) {
			if (fd >= 0)
				p9_close(req, fs, fd, false);
			p9_fs_put(fs);
			*node = there;
			return err;
		}
		if (!req->dropped) {
			pthread_mutex_lock(&share->lock);
			displace(share, there);
			pthread_mutex_unlock(&share->lock);
		}
		p9_node_put(share, req, there);
	}
}

/*
 * The file system behind fd, which was found in dir, with one more node on it. hint has its class
 * where that is known.
 */
static int fs_of(struct p9_req *req, const struct p9_node *dir, const struct p9_fs *hint, int fd,
		 const struct statx *stx, struct p9_fs **fs)
{
	struct p9_filesystems *all = &p9_req_server(req)->filesystems;
	uint64_t dev = p9_stx_dev(stx);
	enum p9_fs_class class;
	struct statfs sfs;
	int err;

	*fs = dev == dir->fs->dev ? p9_fs_get_more(dir->fs) : p9_fs_get_known(all, dev);
	if (*fs)
		return 0;
	if (hint) {
		class = hint->class;
	} else {
		err = p9_fstatfs(req, NULL, fd, &sfs);
		if (err)
			return err;
		class = p9_fs_classify((uint64_t)sfs.f_type);
	}
	*fs = p9_fs_get(all, dev, class);
	return *fs ? 0 : -ENOMEM;
}

/* fs: the class of what is behind fd, NULL if not known. Takes fd over. */
static int enter_fd(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		    struct p9_fs *fs, struct p9_node **node, struct statx *stx)
{
	struct p9_seen_creds seen;
	struct p9_fs *node_fs;
	int err;

	err = p9_host_statx(req, fs, fd, "", stx);
	if (!err)
		p9_owner_show_new(req, fs, fd, stx, &seen);
	if (!err)
		err = check_device(req, stx);
	if (!err)
		err = fs_of(req, dir, fs, fd, stx, &node_fs);
	if (err) {
		p9_close(req, fs, fd, false);
		return err;
	}
	err = enter(req, dir, name, fd, node_fs, stx, node);
	if (!err)
		p9_owner_remember(req, *node, &seen);
	return err;
}

static int step_up(struct p9_req *req, const struct p9_node *root, struct p9_node *dir,
		   struct p9_node **node, struct statx *stx)
{
	struct p9_share *share = p9_req_share(req);
	int err;

	*node = dir == root ? p9_node_get(dir) : p9_node_parent(share, dir);
	err = hold(req, *node);
	if (err)
		return err;
	err = p9_node_statx(req, *node, (*node)->fd, false, stx);
	if (err)
		p9_node_release(req, *node);
	return err;
}

/*
 * A step to what is known already, if it is still there: one look at what the name leads to, and
 * nothing is opened. While the node has its descriptor, no other file can have its inode number.
 */
static bool step_known(struct p9_req *req, struct p9_node *dir, const char *name,
		       struct p9_node **node, struct statx *stx)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *there;
	struct p9_fs *fs = NULL;
	bool pinned = false;

	pthread_mutex_lock(&share->lock);
	there = find(share, dir, name);
	if (there) {
		p9_node_get(there);
		pinned = p9_node_try_pin(there);
		/* Behind a mount point the folder's class says nothing. */
		fs = there->fs == dir->fs ? dir->fs : NULL;
	}
	pthread_mutex_unlock(&share->lock);
	if (!there)
		return false;
	if (!pinned) {
		p9_node_put(share, req, there);
		return false;
	}
	if (!p9_host_statx(req, fs, dir->fd, name, stx) && is_file(there, stx)) {
		p9_owner_show_node(req, there, there->fd, stx);
		/* Its type may have changed, of a mapped file; and it may have lost this name. */
		if (there->type == (stx->stx_mode & S_IFMT) && there->placed) {
			p9_owner_seen(there, stx->stx_mode);
			*node = there;
			return true;
		}
	}
	p9_node_release(req, there);
	return false;
}

int p9_node_step(struct p9_req *req, struct p9_node *root, struct p9_node *dir, const char *name,
		 struct p9_node **node, struct statx *stx)
{
	const uint64_t flags = O_PATH | O_NOFOLLOW;
	const uint64_t beneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	struct p9_fs *fs = dir->fs;
	int fd;

	if (!S_ISDIR(dir->type))
		return -ENOTDIR;
	if (!strcmp(name, ".."))
		return step_up(req, root, dir, node, stx);
	if (p9_is_hidden(dir, name))
		return -ENOENT;
	if (step_known(req, dir, name, node, stx))
		return 0;
	/* What is not behind a mount point is of the folder's class. */
	fd = p9_open(req, fs, dir->fd, name, flags, 0, beneath | RESOLVE_NO_XDEV);
	if (fd == -EXDEV) {
		fs = NULL;
		fd = p9_open(req, fs, dir->fd, name, flags, 0, beneath);
	}
	if (fd < 0)
		return fd;
	return enter_fd(req, dir, name, fd, fs, node, stx);
}

int p9_node_of_fd(struct p9_req *req, struct p9_node *dir, const char *name, int fd,
		  struct p9_node **node, struct statx *stx)
{
	int path = p9_reopen(req, dir->fs, fd, O_PATH);

	if (path < 0)
		return path;
	return enter_fd(req, dir, name, path, dir->fs, node, stx);
}

int p9_node_check(struct p9_req *req, const struct p9_node *node, const struct p9_node *dir,
		  const char *name)
{
	struct statx stx;
	int err = p9_host_statx(req, dir->fs, dir->fd, name, &stx);

	if (err)
		return err;
	return is_file(node, &stx) ? 0 : -ENOENT;
}

/* ---- the tree follows what happens ---- */

void p9_node_removed(struct p9_req *req, struct p9_node *dir, const char *name)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node;

	pthread_mutex_lock(&share->lock);
	node = find(share, dir, name);
	if (node)
		displace(share, node);
	pthread_mutex_unlock(&share->lock);
}

/*
 * Whether dir is node or below it, in the remembered tree. The host may have moved folders about,
 * so that a rename which it allows would close a ring here.
 */
static bool is_below(const struct p9_node *dir, const struct p9_node *node)
{
	for (; dir; dir = dir->parent)
		if (dir == node)
			return true;
	return false;
}

/*
 * Puts node elsewhere; the share's lock is held. Swaps *own, the new name's memory, for that of the
 * old one, and returns the parent that has lost a reference, NULL if node could only be taken out.
 */
static struct p9_node *move(struct p9_share *share, struct p9_node *node, struct p9_node *newdir,
			    const char *newname, char **own)
{
	struct p9_node *there = find(share, newdir, newname);
	struct p9_node *parent = node->parent;
	char *old = owned_name(node);

	if (there)
		displace(share, there);
	displace(share, node);
	if (is_below(newdir, node))
		return NULL;
	p9_node_get(newdir);
	node->parent = newdir;
	set_name(node, newname, *own);
	*own = old;
	insert(share, node);
	return parent;
}

/* The file at name in dir is this node, and perhaps it has other names. */
static bool is_at(struct p9_req *req, const struct p9_node *node, const struct p9_node *dir,
		  const char *name, bool *others)
{
	struct statx stx;

	if (p9_host_statx(req, dir->fs, dir->fd, name, &stx) || !is_file(node, &stx))
		return false;
	*others = stx.stx_nlink > 1 && !S_ISDIR(stx.stx_mode);
	return true;
}

void p9_node_renamed(struct p9_req *req, struct p9_node *olddir, const char *oldname,
		     struct p9_node *newdir, const char *newname)
{
	struct p9_share *share = p9_req_share(req);
	struct p9_node *node, *parent = NULL;
	bool there, others = false, named;
	char *own;

	pthread_mutex_lock(&share->lock);
	node = find(share, olddir, oldname);
	if (node)
		p9_node_get(node);
	pthread_mutex_unlock(&share->lock);
	if (!node) {
		p9_node_removed(req, newdir, newname);
		return;
	}
	/*
	 * Was it really this file? And two names of one file are left both where they are: such a
	 * rename does nothing.
	 */
	there = is_at(req, node, newdir, newname, &others);
	if (others && is_at(req, node, olddir, oldname, &others))
		goto out;
	named = own_name(newname, &own);
	pthread_mutex_lock(&share->lock);
	if (node->placed && node->parent == olddir && !strcmp(node->name, oldname)) {
		if (there && named)
			parent = move(share, node, newdir, newname, &own);
		else
			displace(share, node);
	}
	pthread_mutex_unlock(&share->lock);
	free(own);
	p9_node_put(share, req, parent);
out:
	p9_node_put(share, req, node);
}
